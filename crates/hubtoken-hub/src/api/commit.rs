//! Uploads: `POST …/preupload/{revision}` returns how to send each file, and `POST
//! …/commit/{revision}` commits them.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::commit_body::{BodyChunk, BodyReader, read_commit};
use crate::auth::access::Action;
use crate::auth::authentication::{Caller, authenticate};
use crate::extract::body::{JsonBody, drain, flag};
use crate::extract::repository::RepositoryRef;
use crate::monitoring::metrics::InFlightGuard;
use crate::registry::Repository;
use crate::repository::{Gitignore, RepositoryError, RepositoryPath};
use crate::response::{ApiError, ApiResult, json_response};
use crate::state::HubState;
use crate::state::repositories::author;

/// Chunks of a body that may wait for the disk; anything beyond waits in the network.
const CHANNEL_CAPACITY: usize = 16;
/// Files larger than this count as large, whatever their name.
const LFS_THRESHOLD: u64 = 10 << 20;
/// The most files of one `preupload`; `huggingface_hub` sends 256.
const MAX_FILES: usize = 1000;
/// Limits the time that matching may take: the bytes of all paths times those of the patterns. With
/// the longest `.gitignore`, 64 KiB, it admits 64 KiB of paths.
const MAX_MATCHING_BYTES: usize = 1 << 32;

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

/// Returns how each file is to be sent. `regular` files are part of the commit request. `lfs` files,
/// which the repository's `.gitattributes` match or which are large, are uploaded before it, by LFS
/// or by Xet. The response includes the `oid` of the current file,
/// so that a client can see that nothing changed, and which files `.gitignore` excludes.
pub(super) async fn preupload(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
    JsonBody(body): JsonBody<Preupload>,
) -> ApiResult {
    reject_pull_request(&state, &caller, &target, query).await?;
    let repository = target.open(&state, &caller, Action::Write).await?;
    if body.files.len() > MAX_FILES {
        return Err(ApiError::bad_request(format!(
            "Too many files at once: send at most {MAX_FILES}"
        )));
    }
    let paths = body
        .files
        .iter()
        .map(|file| Ok((RepositoryPath::parse(&file.path)?, file.size)))
        .collect::<Result<Vec<_>, RepositoryError>>()?;
    let own_gitignore = body.ignored;
    let revision = target.revision();
    let (head, files) = state
        .with_repository(&repository, move |repo| {
            let head = repo.resolve(&revision)?;
            let lfs_patterns = repo.lfs_patterns(head)?;
            let gitignore = match &own_gitignore {
                Some(own_gitignore) => Gitignore::parse(own_gitignore),
                None => repo.gitignore(head)?,
            };
            let path_bytes: usize = paths.iter().map(|(path, _)| path.as_str().len()).sum();
            let pattern_bytes = gitignore.bytes() + lfs_patterns.bytes();
            if path_bytes.saturating_mul(pattern_bytes) > MAX_MATCHING_BYTES {
                return Err(RepositoryError::Rejected(
                    "Too many files at once for this many patterns in .gitignore and \
                     .gitattributes: send fewer"
                        .to_owned(),
                ));
            }
            let mut files: Vec<Value> = Vec::with_capacity(paths.len());
            for (path, size) in &paths {
                let is_large = *size > 0 && (*size > LFS_THRESHOLD || lfs_patterns.matches(path));
                let mode = if is_large { "lfs" } else { "regular" };
                let mut file = json!({
                    "path": path.as_str(),
                    "uploadMode": mode,
                    "shouldIgnore": gitignore.matches(path),
                });
                if let Some(existing) = repo
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
    json_response(&json!({ "files": files, "commitOid": head.to_string() }))
}

pub(super) async fn commit(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    let accepted = async {
        reject_pull_request(&state, &caller, &target, query).await?;
        let repository = target.open(&state, &caller, Action::Write).await?;
        Ok((repository, state.limiters.commits.acquire().await?))
    };
    match accepted.await {
        Ok((repository, _permit)) => commit_to(&state, &headers, &target, &repository, body).await,
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
    target: &RepositoryRef,
    repository: &Repository,
    body: Body,
) -> ApiResult {
    let _receiving = InFlightGuard::new(&state.telemetry.metrics.uploads);
    let revision = target.revision();
    let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
    let branch = revision.clone();
    let reading = state.with_repository(repository, move |repo| {
        repo.check_branch(&branch)?;
        read_commit(BodyReader::new(receiver), repo)
    });
    let (request, ()) = tokio::join!(reading, forward(body, sender));
    let request = request?;
    let caller = authenticate(state, headers).await?;
    let repository = target.open(state, &caller, Action::Write).await?;
    let author = author(caller.required()?.owner.name(), state.clock.now());
    let commit = state
        .with_repository(&repository, move |repo| {
            repo.commit(&revision, &author, &request)
        })
        .await;
    let commit = commit?.to_string();
    json_response(&json!({
        "success": true,
        "commitOid": commit,
        "commitUrl": format!("{}/{}/commit/{commit}", state.endpoint, repository.page()),
        "hookOutput": "",
    }))
}

/// Passes the body to the thread that reads it. If that thread gives up, the rest is read and
/// discarded: a client that is still sending does not read the response.
async fn forward(body: Body, sender: mpsc::Sender<BodyChunk>) {
    let mut body = std::pin::pin!(body);
    loop {
        match std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    let _ = sender.send(BodyChunk::Data(data)).await;
                }
            }
            // The sender is dropped without sending `End`, so the reader knows that the body was
            // cut off.
            Some(Err(_)) => return,
            None => {
                let _ = sender.send(BodyChunk::End).await;
                return;
            }
        }
    }
}

/// This Hub has no pull requests; callers who may read the repository get an error that says so.
pub(crate) async fn reject_pull_request(
    state: &Arc<HubState>,
    caller: &Caller,
    target: &RepositoryRef,
    query: Option<String>,
) -> Result<(), ApiError> {
    if !flag(&query.unwrap_or_default(), "create_pr") {
        return Ok(());
    }
    caller.required()?;
    target.open(state, caller, Action::See).await?;
    Err(ApiError::bad_request(
        "Pull requests are not supported by this Hub: commit without `create_pr`",
    ))
}
