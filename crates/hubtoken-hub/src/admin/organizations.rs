//! `organizations`: organizations, their members, and their policies for members' tokens.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::registry::{
    Approval, AuditContext, Decision, MemberToken, Organization, OrganizationRole, TokenPolicy,
};
use crate::response::{ApiError, ApiResult, created, json_response, no_content};
use crate::state::HubState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrganization {
    name: String,
    fullname: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    policy: String,
}

pub(super) async fn list(State(state): State<Arc<HubState>>) -> ApiResult {
    json_response(
        &state
            .registry
            .organizations()
            .await?
            .iter()
            .map(organization)
            .collect::<Vec<_>>(),
    )
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(new): JsonBody<NewOrganization>,
) -> ApiResult {
    let fullname = new.fullname.as_deref().unwrap_or(&new.name);
    created(&organization(
        &state
            .registry
            .create_organization(&new.name, fullname, &context)
            .await?,
    ))
}

pub(super) async fn members(
    State(state): State<Arc<HubState>>,
    Path(organization): Path<String>,
) -> ApiResult {
    let members = state.registry.members(&organization).await?;
    let listed: Vec<Value> = members
        .iter()
        .map(|(user, role)| json!({ "user": user, "role": role.as_str() }))
        .collect();
    json_response(&listed)
}

pub(super) async fn set_member(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((organization, user)): Path<(String, String)>,
    JsonBody(member): JsonBody<Member>,
) -> ApiResult {
    let role = OrganizationRole::parse(&member.role).ok_or_else(|| {
        ApiError::bad_request(format!("`role` must be {}", OrganizationRole::choices()))
    })?;
    state
        .registry
        .set_member(&organization, &user, role, &context)
        .await?;
    Ok(no_content())
}

pub(super) async fn remove_member(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((organization, user)): Path<(String, String)>,
) -> ApiResult {
    state
        .registry
        .remove_member(&organization, &user, &context)
        .await?;
    Ok(no_content())
}

pub(super) async fn policy(
    State(state): State<Arc<HubState>>,
    Path(organization): Path<String>,
) -> ApiResult {
    let policy = state.registry.token_policy(&organization).await?;
    json_response(&json!({ "policy": policy.as_str() }))
}

pub(super) async fn set_policy(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path(organization): Path<String>,
    JsonBody(wanted): JsonBody<Policy>,
) -> ApiResult {
    let policy = TokenPolicy::parse(&wanted.policy).ok_or_else(|| {
        ApiError::bad_request(
            "`policy` must be \"allow-all\", \"fine-grained-only\" or \"require-approval\"",
        )
    })?;
    state
        .registry
        .set_token_policy(&organization, policy, &context)
        .await?;
    json_response(&json!({ "policy": policy.as_str() }))
}

pub(super) async fn approvals(
    State(state): State<Arc<HubState>>,
    Path(organization): Path<String>,
) -> ApiResult {
    let listed: Vec<Value> = state
        .registry
        .approvals(&organization)
        .await?
        .iter()
        .map(approval)
        .collect();
    json_response(&listed)
}

pub(super) async fn decide(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((organization, token, decision)): Path<(String, String, String)>,
) -> ApiResult {
    let decision = Decision::parse(&decision).ok_or_else(ApiError::page_not_found)?;
    let token = MemberToken::IdOrName(&token);
    json_response(&approval(
        &state
            .registry
            .decide(&organization, token, decision, &context)
            .await?,
    ))
}

fn approval(approval: &Approval) -> Value {
    json!({
        "user": approval.user,
        "id": approval.token.id,
        "name": approval.token.name,
        "role": approval.token.role.as_str(),
        "last4": approval.token.last4,
        "createdAt": iso(approval.token.created_at),
        "lastUsedAt": approval.token.last_used_at.map(iso),
        "scoped": approval.scopes,
        "status": approval.status.as_str(),
        "askedAt": iso(approval.asked_at),
        "decidedAt": approval.decided_at.map(iso),
        "decidedBy": approval.decided_by,
    })
}

fn organization(organization: &Organization) -> Value {
    json!({
        "id": organization.id,
        "name": organization.name,
        "fullname": organization.fullname,
        "createdAt": iso(organization.created_at),
    })
}
