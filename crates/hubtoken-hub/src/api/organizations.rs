//! `POST /api/organizations/{name}/settings/tokens/…`: an administrator revokes a member's token
//! for the organization.
//!
//! The token still works elsewhere. One form names it by its id; the older one, by its value, is
//! for anyone who finds a leaked token.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::auth::access::may_administer;
use crate::auth::authentication::Caller;
use crate::error::HubError;
use crate::extract::body::JsonBody;
use crate::extract::repository::deny_and_request_approval;
use crate::registry::{AuditContext, Decision, MemberToken};
use crate::response::{ApiError, ApiResult, ok};
use crate::secret;
use crate::state::HubState;

#[derive(Deserialize)]
pub(super) struct RevokeByValue {
    token: String,
}

pub(super) async fn revoke(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path((organization, token)): Path<(String, String)>,
) -> ApiResult {
    // Only an id is accepted, because a name may refer to different tokens over time.
    if token.len() != 24 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(no_such_token());
    }
    let token = MemberToken::IdOrName(&token);
    revoke_member_token(&state, &caller, &organization, token, &context).await
}

pub(super) async fn revoke_value(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path(organization): Path<String>,
    JsonBody(request): JsonBody<RevokeByValue>,
) -> ApiResult {
    let value = Zeroizing::new(request.token);
    if !value.starts_with("hf_") {
        return Err(ApiError::bad_request(
            "`token` must be the value of an access token, which begins with `hf_`",
        ));
    }
    let digest = secret::digest(&value);
    let token = MemberToken::Value(&digest);
    revoke_member_token(&state, &caller, &organization, token, &context).await
}

async fn revoke_member_token(
    state: &HubState,
    caller: &Caller,
    organization: &str,
    token: MemberToken<'_>,
    context: &AuditContext,
) -> ApiResult {
    let principal = caller.required()?;
    let organization = state.registry.organization(organization).await?;
    if !may_administer(principal, &organization.id) {
        return Err(not_permitted(&organization.name));
    }
    if let Some(restriction) = principal.restriction(&organization.id) {
        return Err(deny_and_request_approval(
            state,
            principal,
            &organization.id,
            restriction,
            context,
        )
        .await);
    }
    let decided = state
        .registry
        .decide(&organization.name, token, Decision::Revoke, context)
        .await;
    match decided {
        Ok(_) => Ok(ok()),
        Err(HubError::NotAdministrator { .. }) => Err(not_permitted(&organization.name)),
        Err(HubError::UnknownMemberToken { .. }) => Err(no_such_token()),
        Err(error) => Err(error.into()),
    }
}

fn not_permitted(organization: &str) -> ApiError {
    ApiError::forbidden(format!(
        "You don't have the rights to manage the tokens of the organization \"{organization}\""
    ))
}

/// A token of a user who is not a member gets the same response as an unknown one, so that the
/// response does not reveal which tokens exist.
fn no_such_token() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::NOT_FOUND,
        "No member of this organization has such a token",
    )
}
