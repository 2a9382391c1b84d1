//! `POST /api/organizations/{name}/settings/tokens/…`: an administrator revokes a member's token
//! for the organization.
//!
//! The token still works elsewhere. One form names it by its id; the older one, by its value, is
//! for anyone who finds a leaked token.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::access::may_administer;
use crate::answers::{Answer, ApiError, ok};
use crate::authentication::Caller;
use crate::error::HubError;
use crate::extract::body::JsonBody;
use crate::extract::repository::kept_out;
use crate::registry::{Decision, MemberToken, Origin};
use crate::secret;
use crate::state::HubState;

#[derive(Deserialize)]
pub(super) struct Found {
    token: String,
}

pub(super) async fn revoke(
    State(state): State<Arc<HubState>>,
    origin: Origin,
    caller: Caller,
    Path((organization, token)): Path<(String, String)>,
) -> Answer {
    // Only an id is accepted, because a name may refer to different tokens over time.
    if token.len() != 24 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(no_such_token());
    }
    let token = MemberToken::IdOrName(&token);
    shut_out(&state, &caller, &organization, token, &origin).await
}

pub(super) async fn revoke_value(
    State(state): State<Arc<HubState>>,
    origin: Origin,
    caller: Caller,
    Path(organization): Path<String>,
    JsonBody(found): JsonBody<Found>,
) -> Answer {
    let value = Zeroizing::new(found.token);
    if !value.starts_with("hf_") {
        return Err(ApiError::bad_request(
            "`token` must be the value of an access token, which begins with `hf_`",
        ));
    }
    let digest = secret::digest(&value);
    let token = MemberToken::Value(&digest);
    shut_out(&state, &caller, &organization, token, &origin).await
}

async fn shut_out(
    state: &HubState,
    caller: &Caller,
    organization: &str,
    token: MemberToken<'_>,
    origin: &Origin,
) -> Answer {
    let principal = caller.required()?;
    let organization = state.registry.organization(organization).await?;
    if !may_administer(principal, &organization.id) {
        return Err(no_right(&organization.name));
    }
    if let Some(restriction) = principal.restriction(&organization.id) {
        return Err(kept_out(state, principal, &organization.id, restriction, origin).await);
    }
    let decided = state
        .registry
        .decide(&organization.name, token, Decision::Revoke, origin)
        .await;
    match decided {
        Ok(_) => Ok(ok()),
        Err(HubError::NotAdministrator { .. }) => Err(no_right(&organization.name)),
        Err(HubError::UnknownMemberToken { .. }) => Err(no_such_token()),
        Err(error) => Err(error.into()),
    }
}

fn no_right(organization: &str) -> ApiError {
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
