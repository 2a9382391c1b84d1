//! `GET /api/{users|organizations}/{name}/overview`: confirms that a user or an organization
//! exists.
//!
//! As on the real Hub, anyone may call it. Only public information is returned: no e-mail address,
//! and no memberships.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use super::whoami::avatar;
use crate::clock::iso;
use crate::error::HubError;
use crate::response::{ApiError, ApiResult, json_response};
use crate::state::HubState;

pub(super) async fn user(
    State(state): State<Arc<HubState>>,
    Path(name): Path<String>,
) -> ApiResult {
    let user = match state.registry.user(&name).await {
        Ok(user) => user,
        Err(HubError::UnknownUser { .. }) => return Err(not_found("user")),
        Err(error) => return Err(error.into()),
    };
    json_response(&json!({
        "_id": user.id,
        "type": "user",
        "user": user.name,
        "fullname": user.fullname,
        "avatarUrl": avatar(&user.id),
        "isPro": false,
        "isFollowing": false,
        "orgs": [],
        "createdAt": iso(user.created_at),
    }))
}

pub(super) async fn organization(
    State(state): State<Arc<HubState>>,
    Path(name): Path<String>,
) -> ApiResult {
    let organization = match state.registry.organization(&name).await {
        Ok(organization) => organization,
        Err(HubError::UnknownOrganization { .. }) => return Err(not_found("organization")),
        Err(error) => return Err(error.into()),
    };
    json_response(&json!({
        "_id": organization.id,
        "type": "org",
        "name": organization.name,
        "fullname": organization.fullname,
        "avatarUrl": avatar(&organization.id),
        "isVerified": false,
        "isFollowing": false,
    }))
}

/// The name is not repeated in the message, because it may be any text.
fn not_found(what: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("This {what} does not exist"))
}
