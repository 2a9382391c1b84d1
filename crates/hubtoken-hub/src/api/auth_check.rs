//! `GET …/auth-check` and `GET …/auth-check/write`: checks whether a token may read or write the
//! content of a repository.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::access::Action;
use crate::answers::{Answer, ApiError, ok};
use crate::authentication::Caller;
use crate::extract::repository::Address;
use crate::state::HubState;

pub(super) async fn read(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
) -> Answer {
    check(&state, &caller, &address, Action::Read).await
}

pub(super) async fn write(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
) -> Answer {
    check(&state, &caller, &address, Action::Write)
        .await
        .map_err(ApiError::without_pull_request)
}

async fn check(
    state: &Arc<HubState>,
    caller: &Caller,
    address: &Address,
    action: Action,
) -> Result<Response, ApiError> {
    address.open(state, caller, action).await?;
    Ok(ok())
}
