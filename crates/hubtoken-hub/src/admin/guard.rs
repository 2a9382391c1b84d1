//! Restricts the administration API to programs on this machine that have the admin key.

use axum::extract::Request;
use axum::http::StatusCode;

use crate::auth::authentication::{bearer, is_admin_key};
use crate::response::ApiError;
use crate::server::allowed_hosts::Listener;
use crate::state::HubState;

/// Checks whether a request may use the administration API.
pub(crate) fn guard(
    state: &HubState,
    listener: Listener,
    request: &Request,
) -> Result<(), ApiError> {
    let headers = request.headers();
    if !state
        .listeners
        .host_policy
        .allows_administration(listener, headers)
    {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "The administration API is only available under the Hub's own address",
        ));
    }
    if !state.listeners.host_policy.is_same_origin(headers) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "The administration API is not for web pages",
        ));
    }
    let key = bearer(headers).ok_or_else(|| {
        unauthorized("The administration API needs the admin key as a bearer token")
    })?;
    if is_admin_key(state, &key) {
        Ok(())
    } else {
        Err(unauthorized(
            "This is not the admin key; access tokens are not accepted here",
        ))
    }
}

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, message)
}
