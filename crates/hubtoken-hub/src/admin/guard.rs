//! Who may use the administration API: the holder of the admin key, from a program on this machine.

use axum::extract::Request;
use axum::http::StatusCode;

use crate::address::Door;
use crate::answers::ApiError;
use crate::authentication::{bearer, is_admin_key};
use crate::state::HubState;

/// Lets a request to the administration API through, or not.
pub(crate) fn guard(state: &HubState, door: Door, request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    if !state.addresses.is_for_owner(door, headers) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "The administration API answers under the Hub's own address only",
        ));
    }
    if !state.addresses.own_origin(headers) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "The administration API is not for web pages",
        ));
    }
    let key = bearer(headers)
        .ok_or_else(|| unauthorized("The administration API needs the admin key as a bearer"))?;
    if is_admin_key(state, &key) {
        Ok(())
    } else {
        Err(unauthorized(
            "This is not the admin key; access tokens have no place here",
        ))
    }
}

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, message)
}
