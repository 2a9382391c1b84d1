//! Handles `GET` and `PUT` on `…/info/lfs/objects/{oid}?link=…`, which download or upload one large
//! file given its link.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;

use super::signed_url::{Operation, SignedUrl};
use crate::api::download::Download;
use crate::auth::access::Action;
use crate::auth::authentication::{Caller, authenticate_digest};
use crate::blocking::spawn_io;
use crate::extract::body::{drain, write_in_steps};
use crate::extract::repository::RepositoryRef;
use crate::monitoring::metrics::InFlightGuard;
use crate::registry::Repository;
use crate::repository::lfs::{ObjectId, Pointer, UploadError};
use crate::response::{ApiError, ApiResult, storage_error};
use crate::state::HubState;
use crate::stream_body::from_reader;

fn invalid_link() -> ApiError {
    ApiError::forbidden("The link is invalid or has expired: get a new one with a batch request")
}

pub(super) async fn download(
    State(state): State<Arc<HubState>>,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult {
    let target = target.without_git_suffix();
    let (repository, signed_url) = verify_signed_url(
        &state,
        &target,
        query,
        object(&parameters)?,
        Operation::Download,
    )
    .await?;
    let pointer = Pointer {
        oid: signed_url.oid,
        size: signed_url.size,
        text_length: 0,
    };
    let objects = state.store.lfs(&repository);
    let file = spawn_io(move || objects.open(&pointer))
        .await
        .map_err(storage_error)?
        .ok_or_else(|| {
            ApiError::new(StatusCode::NOT_FOUND, "Object does not exist on the server")
        })?;
    let download = Download {
        size: signed_url.size,
        tag: format!("\"{}\"", signed_url.oid),
    };
    let (mut response, wanted) = download.binary_response(&headers)?;
    if let Some(part) = wanted.filter(|_| method != Method::HEAD) {
        let length = part.end - part.start;
        let reader = spawn_io(move || file.read_from(part.start)).await;
        *response.body_mut() = from_reader(reader.map_err(storage_error)?, 0, length);
    }
    Ok(response)
}

pub(super) async fn upload(
    State(state): State<Arc<HubState>>,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    let target = target.without_git_suffix();
    let signed = match object(&parameters) {
        Ok(oid) => verify_signed_url(&state, &target, query, oid, Operation::Upload).await,
        Err(error) => Err(error),
    };
    let accepted = signed.and_then(|(repository, signed_url)| {
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length != signed_url.size) {
            return Err(upload_error(UploadError::WrongSize));
        }
        Ok((repository, signed_url))
    });
    let (repository, signed_url) = match accepted {
        Ok(accepted) => accepted,
        Err(error) => {
            drain(body).await;
            return Err(error);
        }
    };
    let _receiving = InFlightGuard::new(&state.telemetry.metrics.uploads);
    let objects = state.store.lfs(&repository);
    let upload = objects
        .receive(signed_url.oid, signed_url.size)
        .map_err(storage_error)?;
    let upload = write_in_steps(body, upload, |mut upload, data| {
        run_upload_io(move || {
            upload.write(&data)?;
            Ok(upload)
        })
    })
    .await?;
    let verified = run_upload_io(move || upload.verify()).await?;
    // An upload may take long, so its authorization is checked again at the end.
    let now = open(&state, &target, &signed_url).await?;
    if now.id != repository.id {
        return Err(ApiError::repository_not_found());
    }
    run_upload_io(move || Ok(verified.persist()?)).await?;
    Ok(Response::new(Body::empty()))
}

async fn run_upload_io<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UploadError> + Send + 'static,
) -> Result<T, ApiError> {
    spawn_io(work).await.map_err(upload_error)
}

fn upload_error(error: UploadError) -> ApiError {
    match error {
        UploadError::WrongSize => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The content is longer or shorter than announced",
        ),
        UploadError::WrongDigest => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The content does not have the announced SHA-256",
        ),
        UploadError::Io(error) => storage_error(error),
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
pub(super) async fn verify_signed_url(
    state: &Arc<HubState>,
    target: &RepositoryRef,
    query: Option<String>,
    oid: ObjectId,
    operation: Operation,
) -> Result<(Repository, SignedUrl), ApiError> {
    let query = query.unwrap_or_default();
    let link = query.strip_prefix("link=").ok_or_else(invalid_link)?;
    let repository = state
        .registry
        .find_repository(target.kind, &target.namespace, &target.name)
        .await?
        .ok_or_else(invalid_link)?;
    let key = state.services.seals.key().map_err(storage_error)?;
    let signed_url = SignedUrl::verify(&key, &repository, oid, link, state.clock.now())
        .filter(|signed_url| signed_url.operation == operation)
        .ok_or_else(invalid_link)?;
    let repository = open(state, target, &signed_url).await?;
    Ok((repository, signed_url))
}

/// The repository, if the token that the link was made for still has access to it.
async fn open(
    state: &Arc<HubState>,
    target: &RepositoryRef,
    signed_url: &SignedUrl,
) -> Result<Repository, ApiError> {
    let caller = match &signed_url.token {
        Some(digest) => authenticate_digest(state, digest).await?,
        None => Caller::anonymous(),
    };
    let action = match signed_url.operation {
        Operation::Download => Action::Read,
        Operation::Upload => Action::Write,
    };
    target.open(state, &caller, action).await
}
