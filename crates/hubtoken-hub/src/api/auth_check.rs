//! `GET …/auth-check` and `GET …/auth-check/write`: checks whether a token may read or write the
//! content of a repository.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::auth::access::Action;
use crate::auth::authentication::Caller;
use crate::extract::repository::RepositoryRef;
use crate::response::{ApiError, ApiResult, ok};
use crate::state::HubState;

pub(super) async fn read(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
) -> ApiResult {
    check(&state, &caller, &target, Action::Read).await
}

pub(super) async fn write(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
) -> ApiResult {
    check(&state, &caller, &target, Action::Write)
        .await
        .map_err(ApiError::without_pull_request)
}

async fn check(
    state: &Arc<HubState>,
    caller: &Caller,
    target: &RepositoryRef,
    action: Action,
) -> Result<Response, ApiError> {
    target.open(state, caller, action).await?;
    Ok(ok())
}
