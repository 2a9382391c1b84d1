//! `POST /api/credentials/revoke`: revokes tokens given their values, for anyone who finds a leaked
//! token.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::answers::{Answer, ApiError};
use crate::extract::body::JsonBody;
use crate::registry::Origin;
use crate::secret;
use crate::state::HubState;

const MOST: usize = 1000;
const LONGEST: usize = 200;

#[derive(Deserialize)]
pub(super) struct Revocation {
    credentials: Vec<String>,
}

/// Answers 202 whether or not there was such a token, so that the endpoint does not reveal which
/// tokens exist.
pub(super) async fn revoke(
    State(state): State<Arc<HubState>>,
    origin: Origin,
    JsonBody(body): JsonBody<Revocation>,
) -> Answer {
    let usable = |text: &String| (1..=LONGEST).contains(&text.chars().count());
    if !(1..=MOST).contains(&body.credentials.len()) || !body.credentials.iter().all(usable) {
        return Err(ApiError::bad_request(
            "`credentials` must be a list of 1 to 1000 strings of 1 to 200 characters",
        ));
    }
    let digests: Vec<_> = body
        .credentials
        .into_iter()
        .map(|value| secret::digest(&Zeroizing::new(value)))
        .collect();
    state.registry.revoke(&digests, &origin).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
