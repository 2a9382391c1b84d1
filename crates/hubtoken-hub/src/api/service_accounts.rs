//! `/api/organizations/{name}/service-accounts`: an organization's service accounts. Who may use it
//! is said in `account_access`.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account_access::{open, refused};
use crate::auth::access::Managing;
use crate::auth::authentication::Caller;
use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::registry::{AuditContext, NewServiceAccount, ServiceAccount};
use crate::response::{ApiResult, created, json_response, no_content};
use crate::state::HubState;

#[derive(Deserialize)]
pub(super) struct NewAccount {
    name: String,
    description: Option<String>,
}

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path(organization): Path<String>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Read, &context).await?;
    let accounts = state.registry.service_accounts(&organization.name).await?;
    json_response(&accounts.iter().map(account_info).collect::<Vec<_>>())
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path(organization): Path<String>,
    JsonBody(new): JsonBody<NewAccount>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Write, &context).await?;
    let new = NewServiceAccount {
        name: new.name,
        description: new.description,
    };
    let account = state
        .registry
        .create_service_account(&organization.name, new, &context)
        .await
        .map_err(|error| refused(error, &organization))?;
    let mut body = json!({
        "_id": account.id,
        "user": account.user,
        "fullname": account.name,
        "createdAt": iso(account.created_at),
    });
    add_description(&mut body, &account);
    created(&body)
}

pub(super) async fn read(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path((organization, account)): Path<(String, String)>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Read, &context).await?;
    let (account, tokens) = state
        .registry
        .service_account(&organization.name, &account)
        .await?;
    let mut body = account_info(&account);
    body["accessTokens"] = tokens.iter().map(super::account_tokens::listed).collect();
    json_response(&body)
}

pub(super) async fn delete(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path((organization, account)): Path<(String, String)>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Write, &context).await?;
    state
        .registry
        .delete_service_account(&organization.name, &account, &context)
        .await
        .map_err(|error| refused(error, &organization))?;
    Ok(no_content())
}

fn account_info(account: &ServiceAccount) -> Value {
    let mut body = json!({
        "_id": account.id,
        "user": account.user,
        "name": account.name,
        "email": format!("{}@users.noreply.localhost", account.user),
        "createdAt": iso(account.created_at),
    });
    add_description(&mut body, account);
    body
}

fn add_description(body: &mut Value, account: &ServiceAccount) {
    if let Some(description) = &account.description {
        body["description"] = json!(description);
    }
}
