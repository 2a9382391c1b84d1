//! `POST /api/credentials/revoke`: revokes tokens given their values, for anyone who finds a leaked
//! token.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::extract::body::JsonBody;
use crate::registry::AuditContext;
use crate::response::{ApiError, ApiResult};
use crate::secret;
use crate::state::HubState;

const MAX_CREDENTIALS: usize = 1000;
const MAX_CREDENTIAL_LENGTH: usize = 200;

#[derive(Deserialize)]
pub(super) struct Revocation {
    credentials: Vec<String>,
}

/// Answers 202 whether or not there was such a token, so that the endpoint does not reveal which
/// tokens exist.
pub(super) async fn revoke(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(body): JsonBody<Revocation>,
) -> ApiResult {
    let usable = |text: &String| (1..=MAX_CREDENTIAL_LENGTH).contains(&text.chars().count());
    if !(1..=MAX_CREDENTIALS).contains(&body.credentials.len())
        || !body.credentials.iter().all(usable)
    {
        return Err(ApiError::bad_request(
            "`credentials` must be a list of 1 to 1000 strings of 1 to 200 characters",
        ));
    }
    let digests: Vec<_> = body
        .credentials
        .into_iter()
        .map(|value| secret::digest(&Zeroizing::new(value)))
        .collect();
    state.registry.revoke(&digests, &context).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
