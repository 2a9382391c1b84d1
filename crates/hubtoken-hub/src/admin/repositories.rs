//! `repositories`: repositories, their settings, and the users granted access to gated ones.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::names;
use crate::registry::{AuditContext, GateChange, Repository, RepositoryChange, RepositoryType};
use crate::response::{ApiError, ApiResult, created, json_response, no_content};
use crate::state::HubState;

type RepositoryParams = (String, String, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRepository {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    #[serde(default)]
    private: bool,
    gated: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RepositoryUpdate {
    private: Option<bool>,
    gated: Option<Value>,
    disabled: Option<bool>,
}

pub(super) async fn list(State(state): State<Arc<HubState>>) -> ApiResult {
    json_response(
        &state
            .registry
            .repositories()
            .await?
            .iter()
            .map(repository)
            .collect::<Vec<_>>(),
    )
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(new): JsonBody<NewRepository>,
) -> ApiResult {
    let kind = kind(&new.kind)?;
    let (namespace, name) = names::split_repository(&new.id)?;
    let namespace = state.registry.namespace(namespace).await?;
    let gated = gate(new.gated.as_ref())?.gate();
    created(&repository(
        &state
            .create_repository(kind, &namespace, name, None, (new.private, gated), &context)
            .await?,
    ))
}

pub(super) async fn change(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path(params): Path<RepositoryParams>,
    JsonBody(change): JsonBody<RepositoryUpdate>,
) -> ApiResult {
    let found = find(&state, &params).await?;
    let change = RepositoryChange {
        private: change.private,
        gated: gate(change.gated.as_ref())?,
        disabled: change.disabled,
    };
    state
        .registry
        .update_repository(&found.id, change, &context)
        .await?;
    json_response(&repository(&find(&state, &params).await?))
}

pub(super) async fn delete(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path(params): Path<RepositoryParams>,
) -> ApiResult {
    state
        .delete_repository(&find(&state, &params).await?, &context)
        .await?;
    Ok(no_content())
}

pub(super) async fn grants(
    State(state): State<Arc<HubState>>,
    Path(params): Path<RepositoryParams>,
) -> ApiResult {
    json_response(
        &state
            .registry
            .grants(&find(&state, &params).await?.id)
            .await?,
    )
}

pub(super) async fn grant(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((kind, namespace, name, user)): Path<(String, String, String, String)>,
) -> ApiResult {
    let found = find(&state, &(kind, namespace, name)).await?;
    let user = state.registry.user(&user).await?;
    state.registry.grant(&found.id, &user.id, &context).await?;
    Ok(no_content())
}

pub(super) async fn revoke(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((kind, namespace, name, user)): Path<(String, String, String, String)>,
) -> ApiResult {
    let found = find(&state, &(kind, namespace, name)).await?;
    let user = state.registry.user(&user).await?;
    state
        .registry
        .revoke_grant(&found.id, &user.id, &context)
        .await?;
    Ok(no_content())
}

async fn find(
    state: &HubState,
    (kind_name, namespace, name): &RepositoryParams,
) -> Result<Repository, ApiError> {
    Ok(state
        .registry
        .repository(kind(kind_name)?, namespace, name)
        .await?)
}

fn kind(kind: &str) -> Result<RepositoryType, ApiError> {
    RepositoryType::parse(kind).ok_or_else(|| {
        ApiError::bad_request("the type must be \"model\", \"dataset\" or \"space\"")
    })
}

fn gate(gated: Option<&Value>) -> Result<GateChange, ApiError> {
    GateChange::from_json(gated)
        .ok_or_else(|| ApiError::bad_request("`gated` must be \"auto\", \"manual\" or false"))
}

fn repository(repository: &Repository) -> Value {
    json!({
        "id": repository.id,
        "type": repository.kind.as_str(),
        "name": repository.full_name(),
        "private": repository.private,
        "gated": repository.gated.map_or(Value::Bool(false), |gate| gate.as_str().into()),
        "disabled": repository.disabled,
        "createdAt": iso(repository.created_at),
    })
}
