//! Handles `GET` and `PUT` on `…/info/lfs/objects/{oid}?link=…`, which download or upload one large
//! file given its link.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

use super::capability::{Grant, Operation};
use crate::access::Action;
use crate::answers::{Answer, ApiError};
use crate::api::download::Download;
use crate::authentication::{Caller, recognize};
use crate::blocking::attempt;
use crate::extract::body::drain;
use crate::extract::repository::Address;
use crate::metrics::Under;
use crate::pieces::of_file;
use crate::registry::Repository;
use crate::repository::GitFault;
use crate::repository::lfs::{Incoming, ObjectId, Pointer, Unfit};
use crate::state::HubState;

/// How many bytes are hashed and written at once.
const PORTION: usize = 256 << 10;

/// Maps a disk error to an error response.
pub(super) fn stored(error: std::io::Error) -> ApiError {
    GitFault::from(error).into()
}

fn bad_link() -> ApiError {
    ApiError::forbidden("The link is invalid or has expired: get a new one with a batch request")
}

pub(super) async fn download(
    State(state): State<Arc<HubState>>,
    address: Address,
    RawQuery(query): RawQuery,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let address = address.without_git_ending();
    let (repository, grant) = follow(
        &state,
        &address,
        query,
        object(&parameters)?,
        Operation::Download,
    )
    .await?;
    let pointer = Pointer {
        oid: grant.oid,
        size: grant.size,
        own_size: 0,
    };
    let file = state
        .store
        .lfs(&repository)
        .open(&pointer)
        .map_err(stored)?
        .ok_or_else(|| {
            ApiError::new(StatusCode::NOT_FOUND, "Object does not exist on the server")
        })?;
    let download = Download {
        size: grant.size,
        tag: format!("\"{}\"", grant.oid),
    };
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    let wanted = download.prepare(&headers, &mut response)?;
    if let Some(part) = wanted.filter(|_| method != Method::HEAD) {
        *response.body_mut() = of_file(file, &part).map_err(stored)?;
    }
    Ok(response)
}

pub(super) async fn upload(
    State(state): State<Arc<HubState>>,
    address: Address,
    RawQuery(query): RawQuery,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let address = address.without_git_ending();
    let followed = match object(&parameters) {
        Ok(oid) => follow(&state, &address, query, oid, Operation::Upload).await,
        Err(error) => Err(error),
    };
    let admitted = followed.and_then(|(repository, grant)| {
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length != grant.size) {
            return Err(unfit(Unfit::Size));
        }
        Ok((repository, grant))
    });
    let (repository, grant) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => {
            drain(body).await;
            return Err(error);
        }
    };
    let _receiving = Under::way(&state.metrics.uploads);
    let objects = state.store.lfs(&repository);
    let incoming = objects.receive(grant.oid, grant.size).map_err(stored)?;
    let incoming = receive(body, incoming).await?;
    let checked = working(move || incoming.check()).await?;
    // An upload may take long, so its authorization is checked again at the end.
    let now = open(&state, &address, &grant).await?;
    if now.id != repository.id {
        return Err(ApiError::repository_not_found());
    }
    working(move || Ok(checked.keep()?)).await?;
    Ok(Response::new(Body::empty()))
}

/// Writes the body in chunks, so that a blocking thread is held for only one chunk at a time.
async fn receive(body: Body, mut incoming: Incoming) -> Result<Incoming, ApiError> {
    let mut body = std::pin::pin!(body);
    let mut portion = Vec::with_capacity(PORTION);
    loop {
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        let ended = match frame {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    portion.extend_from_slice(&data);
                }
                false
            }
            Some(Err(_)) => return Err(ApiError::bad_request("The request was cut off")),
            None => true,
        };
        if portion.len() >= PORTION || (ended && !portion.is_empty()) {
            let written = std::mem::replace(&mut portion, Vec::with_capacity(PORTION));
            incoming = working(move || {
                incoming.write(&written)?;
                Ok(incoming)
            })
            .await?;
        }
        if ended {
            return Ok(incoming);
        }
    }
}

async fn working<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unfit> + Send + 'static,
) -> Result<T, ApiError> {
    attempt(work).await.map_err(unfit)
}

fn unfit(unfit: Unfit) -> ApiError {
    match unfit {
        Unfit::Size => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The content is longer or shorter than announced",
        ),
        Unfit::Digest => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The content does not have the announced SHA-256",
        ),
        Unfit::Io(error) => stored(error),
    }
}

/// The object in a request's path.
fn object(parameters: &std::collections::HashMap<String, String>) -> Result<ObjectId, ApiError> {
    parameters
        .get("oid")
        .and_then(|oid| ObjectId::parse(oid))
        .ok_or_else(ApiError::page_not_found)
}

/// Resolves a link. The error does not say why a link is invalid, so that a forged one reveals
/// nothing.
pub(super) async fn follow(
    state: &Arc<HubState>,
    address: &Address,
    query: Option<String>,
    oid: ObjectId,
    operation: Operation,
) -> Result<(Repository, Grant), ApiError> {
    let query = query.unwrap_or_default();
    let link = query.strip_prefix("link=").ok_or_else(bad_link)?;
    let repository = state
        .registry
        .find_repository(address.kind, &address.namespace, &address.name)
        .await?
        .ok_or_else(bad_link)?;
    let grant = state
        .lfs
        .key()
        .map_err(stored)?
        .verify(&repository, oid, link, state.clock.now())
        .filter(|grant| grant.operation == operation)
        .ok_or_else(bad_link)?;
    let repository = open(state, address, &grant).await?;
    Ok((repository, grant))
}

/// The repository, if the token that the link was made for still has access to it.
async fn open(
    state: &Arc<HubState>,
    address: &Address,
    grant: &Grant,
) -> Result<Repository, ApiError> {
    let caller = match &grant.token {
        Some(digest) => recognize(state, digest).await?,
        None => Caller::nobody(),
    };
    let action = match grant.operation {
        Operation::Download => Action::Read,
        Operation::Upload => Action::Write,
    };
    address.open(state, &caller, action).await
}
