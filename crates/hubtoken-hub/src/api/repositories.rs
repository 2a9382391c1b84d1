//! Operations on whole repositories: `POST /api/repos/create`, `DELETE /api/repos/delete`, `PUT
//! …/settings`.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::access::{Action, CreationDenial, may_create};
use crate::auth::authentication::Caller;
use crate::error::HubError;
use crate::extract::body::JsonBody;
use crate::extract::repository::{RepositoryRef, deny_and_request_approval, open};
use crate::registry::{
    AuditContext, Gate, GateChange, Principal, RepositoryChange, RepositoryType,
};
use crate::response::{ApiError, ApiResult, json_response, ok};
use crate::state::HubState;

#[derive(Deserialize)]
pub(super) struct Create {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    visibility: Option<String>,
    private: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Delete {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Settings {
    visibility: Option<String>,
    private: Option<bool>,
    gated: Option<Value>,
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    JsonBody(body): JsonBody<Create>,
) -> ApiResult {
    let principal = caller.required()?;
    let kind = kind(body.kind.as_deref())?;
    let private = private(body.visibility.as_deref(), body.private)?.unwrap_or(false);
    let (owner, name) = owner(principal, body.organization, &body.name);
    // A namespace that does not exist gets the same response as one the caller may not use.
    let namespace = match state.registry.namespace(&owner).await {
        Ok(namespace) => match may_create(principal, &namespace) {
            Ok(()) => namespace,
            Err(CreationDenial::NotPermitted) => {
                return Err(ApiError::creation_not_permitted(kind, &owner));
            }
            Err(CreationDenial::BlockedByPolicy(restriction)) => {
                return Err(deny_and_request_approval(
                    &state,
                    principal,
                    &namespace.id,
                    restriction,
                    &context,
                )
                .await);
            }
        },
        Err(HubError::UnknownNamespace { .. }) => {
            return Err(ApiError::creation_not_permitted(kind, &owner));
        }
        Err(error) => return Err(error.into()),
    };
    let created = state
        .create_repository(
            kind,
            &namespace,
            name,
            Some(&principal.owner),
            (private, None),
            &context,
        )
        .await;
    let repository = match created {
        Ok(repository) => repository,
        Err(HubError::RepositoryExists { .. }) => {
            let existing = state
                .registry
                .repository(kind, &namespace.name, name)
                .await?;
            return Err(ApiError::already_exists(&existing, &state.endpoint));
        }
        Err(error) => return Err(error.into()),
    };
    json_response(&json!({
        "url": format!("{}/{}", state.endpoint, repository.page()),
        "name": repository.full_name(),
        "id": repository.id,
    }))
}

pub(super) async fn delete(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    JsonBody(body): JsonBody<Delete>,
) -> ApiResult {
    let principal = caller.required()?;
    let kind = kind(body.kind.as_deref())?;
    let (owner, name) = owner(principal, body.organization, &body.name);
    let repository = open(
        &state,
        &caller,
        (kind, &owner, name),
        Action::Manage,
        context.address,
    )
    .await
    .map_err(cannot_manage)?;
    state.delete_repository(&repository, &context).await?;
    Ok(ok())
}

pub(super) async fn settings(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    target: RepositoryRef,
    JsonBody(body): JsonBody<Settings>,
) -> ApiResult {
    let repository = target
        .open(&state, &caller, Action::Manage)
        .await
        .map_err(cannot_manage)?;
    let gated = GateChange::from_json(body.gated.as_ref())
        .ok_or_else(|| ApiError::bad_request("`gated` must be \"auto\", \"manual\" or false"))?;
    let change = RepositoryChange {
        private: private(body.visibility.as_deref(), body.private)?,
        gated,
        disabled: None,
    };
    state
        .registry
        .update_repository(&repository.id, change, &context)
        .await?;
    let changed = state
        .registry
        .repository(repository.kind, &repository.namespace, &repository.name)
        .await?;
    json_response(&json!({
        "private": changed.private,
        "visibility": if changed.private { "private" } else { "public" },
        "gated": gated_value(changed.gated),
    }))
}

/// `false`, `"auto"` or `"manual"`.
pub(super) fn gated_value(gate: Option<Gate>) -> Value {
    gate.map_or(Value::Bool(false), |gate| gate.as_str().into())
}

/// The Hub's text for a forbidden write mentions pull requests, which do not apply here.
fn cannot_manage(error: ApiError) -> ApiError {
    error.with_message(
        "Forbidden: pass",
        "You don't have the rights to change the settings of this repository or to delete it",
    )
}

fn kind(kind: Option<&str>) -> Result<RepositoryType, ApiError> {
    match kind {
        None => Ok(RepositoryType::Model),
        Some(kind) => RepositoryType::parse(kind).ok_or_else(|| {
            ApiError::bad_request("`type` must be \"model\", \"dataset\" or \"space\"")
        }),
    }
}

fn private(visibility: Option<&str>, private: Option<bool>) -> Result<Option<bool>, ApiError> {
    match visibility {
        None => Ok(private),
        Some("private") => Ok(Some(true)),
        Some("public") => Ok(Some(false)),
        Some(_) => Err(ApiError::bad_request(
            "`visibility` must be \"private\" or \"public\"",
        )),
    }
}

/// The namespace: given explicitly, or as part of the name, or else the caller's own.
fn owner<'a>(
    principal: &Principal,
    organization: Option<String>,
    name: &'a str,
) -> (String, &'a str) {
    match (organization, name.split_once('/')) {
        (Some(organization), _) => (organization, name),
        (None, Some((namespace, name))) => (namespace.to_owned(), name),
        (None, None) => (principal.owner.default_namespace().to_owned(), name),
    }
}
