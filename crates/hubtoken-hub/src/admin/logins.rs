//! `logins` and `users/{user}/logins`: logins of programs, in place of the pages.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::oauth::approval::{self, WaitingLogin};
use crate::registry::{AuditContext, Login, LoginDecision};

use crate::response::{ApiResult, json_response, no_content};
use crate::state::HubState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Approval {
    user_code: String,
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Denial {
    user_code: String,
}

pub(super) async fn approve(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(approval): JsonBody<Approval>,
) -> ApiResult {
    let user = state.registry.user(&approval.user).await?;
    let decision = LoginDecision::Approve(&user);
    let decided = approval::decide(&state, &approval.user_code, decision, &context).await?;
    json_response(&waiting(&decided))
}

pub(super) async fn deny(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(denial): JsonBody<Denial>,
) -> ApiResult {
    let decision = LoginDecision::Deny(None);
    let decided = approval::decide(&state, &denial.user_code, decision, &context).await?;
    json_response(&waiting(&decided))
}

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    Path(user): Path<String>,
) -> ApiResult {
    let logins = state.registry.logins(&user).await?;
    json_response(&logins.iter().map(shown).collect::<Vec<_>>())
}

pub(super) async fn end(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((user, login)): Path<(String, String)>,
) -> ApiResult {
    state.registry.end_login(&user, &login, &context).await?;
    Ok(no_content())
}

fn waiting(login: &WaitingLogin) -> Value {
    json!({
        "clientId": login.request.client_id,
        "client": login.client,
        "scopes": login.request.scopes.names(),
        "address": login.request.address,
        "createdAt": iso(login.request.created_at),
    })
}

fn shown(login: &Login) -> Value {
    json!({
        "id": login.id,
        "clientId": login.client_id,
        "client": login.client,
        "scopes": login.scopes.names(),
        "createdAt": iso(login.created_at),
        "lastUsedAt": login.last_used_at.map(iso),
        "expiresAt": login.expires_at.map(iso),
    })
}
