//! Uploads: which chunks need not be sent, xorbs, and the shards that say what files consist of.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::access_token::Right;
use super::caller::Address;
use crate::blocking::spawn_io;
use crate::extract::body::{WholeBody, drain, write_in_steps};
use crate::monitoring::metrics::InFlightGuard;
use crate::repository::xet::{XetError, XetStore};
use crate::response::{ApiError, ApiResult, json_response, no_content, storage_error};
use crate::state::HubState;

/// `GET …/v1/chunks/{prefix}/{hash}`: a shard with the chunks that were uploaded along with this one,
/// if the repository has it.
pub(super) async fn chunk(State(state): State<Arc<HubState>>, address: Address) -> ApiResult {
    let opened = address.open(&state, Right::Write).await?;
    let hash = address.hash()?;
    let shard = spawn_io(move || opened.store.chunks_beside(&hash))
        .await
        .map_err(storage_error)?
        .ok_or_else(|| {
            ApiError::new(StatusCode::NOT_FOUND, "The chunk is not in the repository")
        })?;
    let mut response = Response::new(Body::from(shard));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    Ok(response)
}

/// `POST …/v1/xorbs/{prefix}/{hash}`.
pub(super) async fn xorb(
    State(state): State<Arc<HubState>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    let accepted = async {
        let opened = address.open(&state, Right::Write).await?;
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > XetStore::max_xorb_bytes()) {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "A xorb is at most 64 MiB large",
            ));
        }
        let hash = address.hash()?;
        let store = opened.store.clone();
        let is_known = spawn_io(move || store.has_xorb(&hash))
            .await
            .map_err(storage_error)?;
        Ok((opened, hash, is_known))
    };
    let (opened, hash, is_known) = match accepted.await {
        Ok(accepted) => accepted,
        Err(error) => {
            drain(body).await;
            return Err(error);
        }
    };
    if is_known {
        drain(body).await;
        return json_response(&json!({ "was_inserted": false }));
    }
    let _receiving = InFlightGuard::new(&state.telemetry.metrics.uploads);
    let upload = opened.store.receive_xorb().map_err(storage_error)?;
    let upload = write_in_steps(body, upload, |mut upload, data| {
        run(move || {
            upload.write(&data)?;
            Ok(upload)
        })
    })
    .await?;
    let _permit = state.limiters.verifications.acquire().await?;
    let verified = run(move || upload.verify(&hash)).await?;
    // An upload may take long, so its authorization is checked again at the end.
    let opened = address.with_grant(&state, opened.grant).await?;
    let is_new = run(move || Ok(opened.store.keep_xorb(verified)?)).await?;
    json_response(&json!({ "was_inserted": is_new }))
}

/// `POST …/v1/shards`.
pub(super) async fn shard(
    State(state): State<Arc<HubState>>,
    address: Address,
    request: Request,
) -> ApiResult {
    let opened = address.open(&state, Right::Write).await?;
    let WholeBody(body) = WholeBody::from_request(request, &state).await?;
    let _receiving = InFlightGuard::new(&state.telemetry.metrics.uploads);
    let _permit = state.limiters.verifications.acquire().await?;
    let store = opened.store.clone();
    let verified = run(move || store.verify_shard(&body)).await?;
    let opened = address.with_grant(&state, opened.grant).await?;
    let is_new = run(move || opened.store.keep_shard(&verified)).await?;
    json_response(&json!({ "result": u8::from(is_new) }))
}

/// `POST …/v1/telemetry`: clients report how fast they were, which nobody here reads.
pub(super) async fn telemetry() -> Response {
    no_content()
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, XetError> + Send + 'static,
) -> Result<T, ApiError> {
    spawn_io(work).await.map_err(|error| match error {
        XetError::Io(error) => storage_error(error),
        refused => ApiError::bad_request(refused.to_string()),
    })
}
