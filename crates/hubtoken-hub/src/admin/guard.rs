//! Restricts the administration API to programs on this machine that have the admin key.

use axum::extract::Request;
use axum::http::StatusCode;

use crate::address::Door;
use crate::answers::ApiError;
use crate::authentication::{bearer, is_admin_key};
use crate::state::HubState;

/// Checks whether a request may use the administration API.
pub(crate) fn guard(state: &HubState, door: Door, request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    if !state.addresses.is_for_owner(door, headers) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "The administration API is only available under the Hub's own address",
        ));
    }
    if !state.addresses.own_origin(headers) {
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
