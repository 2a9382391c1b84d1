//! Uploads: `POST …/preupload/{revision}` returns how to send each file, and `POST
//! …/commit/{revision}` commits them.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::ndjson::{BodyReader, Piece, read_commit};
use crate::access::Action;
use crate::answers::{Answer, ApiError, json_answer};
use crate::authentication::{Caller, authenticate};
use crate::content::author;
use crate::extract::body::{JsonBody, drain, flag};
use crate::extract::repository::Address;
use crate::metrics::Under;
use crate::registry::Repository;
use crate::repository::{GitFault, IgnoredFiles, RepositoryPath};
use crate::state::HubState;

/// Chunks of a body that may wait for the disk; anything beyond waits in the network.
const PIECES_IN_FLIGHT: usize = 16;
/// Files larger than this count as large, whatever their name.
const LARGE: u64 = 10 << 20;

#[derive(Deserialize)]
pub(super) struct Preupload {
    files: Vec<PreuploadFile>,
    /// The `.gitignore` that the client is about to commit.
    #[serde(default, rename = "gitIgnore")]
    ignored: Option<String>,
}

#[derive(Deserialize)]
struct PreuploadFile {
    path: String,
    #[serde(default)]
    size: u64,
}

/// Returns how each file is to be sent. `regular` files are part of the commit request; so is every
/// file unless the Hub is configured to use LFS. With LFS, files go there that the repository's
/// `.gitattributes` match or that are large. The response includes the `oid` of the current file,
/// so that a client can see that nothing changed, and which files `.gitignore` excludes.
pub(super) async fn preupload(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    RawQuery(query): RawQuery,
    JsonBody(body): JsonBody<Preupload>,
) -> Answer {
    refuse_pull_request(&state, &caller, &address, query).await?;
    let repository = address.open(&state, &caller, Action::Write).await?;
    let paths = body
        .files
        .iter()
        .map(|file| Ok((RepositoryPath::parse(&file.path)?, file.size)))
        .collect::<Result<Vec<_>, GitFault>>()?;
    let (use_lfs, own) = (state.lfs.preferred, body.ignored);
    let revision = address.revision();
    let (head, files) = state
        .on_content(&repository, move |content| {
            let head = content.resolve(&revision)?;
            // Only a Hub that prefers LFS checks which files belong there.
            let large_files = use_lfs.then(|| content.large_files(head)).transpose()?;
            let ignored_files = match &own {
                Some(own) => IgnoredFiles::parse(own),
                None => content.ignored_files(head)?,
            };
            let mut files: Vec<Value> = Vec::with_capacity(paths.len());
            for (path, size) in &paths {
                let is_large = large_files
                    .as_ref()
                    .is_some_and(|large| *size > 0 && (*size > LARGE || large.contain(path)));
                let mode = if is_large { "lfs" } else { "regular" };
                let mut file = json!({
                    "path": path.as_str(),
                    "uploadMode": mode,
                    "shouldIgnore": ignored_files.contain(path),
                });
                if let Some(existing) = content
                    .find_entry(head, path)?
                    .filter(crate::repository::Entry::is_file)
                {
                    file["oid"] = json!(match existing.lfs {
                        Some(pointer) => pointer.oid.to_string(),
                        None => existing.oid.to_string(),
                    });
                }
                files.push(file);
            }
            Ok((head, files))
        })
        .await?;
    json_answer(&json!({ "files": files, "commitOid": head.to_string() }))
}

pub(super) async fn commit(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let admitted = async {
        refuse_pull_request(&state, &caller, &address, query).await?;
        let repository = address.open(&state, &caller, Action::Write).await?;
        Ok((repository, state.commits.take().await?))
    };
    match admitted.await {
        Ok((repository, _place)) => commit_to(&state, &headers, &address, &repository, body).await,
        Err(error) => {
            drain(body).await;
            Err(error)
        }
    }
}

/// An upload may take long, so authorization is checked again once it is complete: a token or right
/// revoked in the meantime takes effect immediately.
async fn commit_to(
    state: &Arc<HubState>,
    headers: &HeaderMap,
    address: &Address,
    repository: &Repository,
    body: Body,
) -> Answer {
    let _receiving = Under::way(&state.metrics.uploads);
    let revision = address.revision();
    let (pieces, received) = mpsc::channel(PIECES_IN_FLIGHT);
    let branch = revision.clone();
    let reading = state.on_content(repository, move |content| {
        content.check_branch(&branch)?;
        read_commit(BodyReader::new(received), content)
    });
    let (request, ()) = tokio::join!(reading, forward(body, pieces));
    let request = request?;
    let caller = authenticate(state, headers).await?;
    let repository = address.open(state, &caller, Action::Write).await?;
    let author = author(&caller.required()?.user.name, state.clock.now());
    let commit = state
        .on_content(&repository, move |content| {
            content.commit(&revision, &author, &request)
        })
        .await;
    let commit = commit?.to_string();
    json_answer(&json!({
        "success": true,
        "commitOid": commit,
        "commitUrl": format!("{}/{}/commit/{commit}", state.endpoint, repository.page()),
        "hookOutput": "",
    }))
}

/// Passes the body to the thread that reads it. If that thread gives up, the rest is read and
/// discarded: a client that is still sending does not read the response.
async fn forward(body: Body, pieces: mpsc::Sender<Piece>) {
    let mut body = std::pin::pin!(body);
    loop {
        match std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    let _ = pieces.send(Piece::Data(data)).await;
                }
            }
            // The sender is dropped without sending `End`, so the reader knows that the body was
            // cut off.
            Some(Err(_)) => return,
            None => {
                let _ = pieces.send(Piece::End).await;
                return;
            }
        }
    }
}

/// This Hub has no pull requests; callers who may read the repository get an error that says so.
async fn refuse_pull_request(
    state: &Arc<HubState>,
    caller: &Caller,
    address: &Address,
    query: Option<String>,
) -> Result<(), ApiError> {
    if !flag(&query.unwrap_or_default(), "create_pr") {
        return Ok(());
    }
    caller.required()?;
    address.open(state, caller, Action::See).await?;
    Err(ApiError::bad_request(
        "Pull requests are not supported by this Hub: commit without `create_pr`",
    ))
}
