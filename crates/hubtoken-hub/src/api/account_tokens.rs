//! `…/service-accounts/{id}/tokens`: the tokens of a service account.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account_access::{open, refused};
use crate::auth::access::{Managing, may_skip_network_security};
use crate::auth::authentication::Caller;
use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::registry::{
    AccountToken, AccountTokenChange, AuditContext, CreatedAccountToken, Organization,
};
use crate::response::{ApiError, ApiResult, created, json_response, no_content, uncacheable};
use crate::state::HubState;

/// The properties of a token; those that are missing stay as they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenRequest {
    display_name: Option<String>,
    permissions: Option<Vec<String>>,
    repo_ids: Option<Vec<String>>,
    repo_permissions: Option<Vec<String>>,
    endpoint_patterns: Option<Vec<String>>,
    skip_network_security: Option<bool>,
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path((organization, account)): Path<(String, String)>,
    JsonBody(request): JsonBody<TokenRequest>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Write, &context).await?;
    let new = request.into_change(&caller, &organization)?;
    let CreatedAccountToken { value, token } = state
        .registry
        .create_account_token(&organization.name, &account, new, &context)
        .await
        .map_err(|error| refused(error, &organization))?;
    let mut info = changed(&token);
    info["createdAt"] = json!(iso(token.info.created_at));
    let response = created(&json!({ "token": value.reveal(), "tokenInfo": info }))?;
    Ok(uncacheable(response))
}

pub(super) async fn change(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path((organization, account, token)): Path<(String, String, String)>,
    JsonBody(request): JsonBody<TokenRequest>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Write, &context).await?;
    let change = request.into_change(&caller, &organization)?;
    let token = state
        .registry
        .change_account_token(&organization.name, &account, &token, change, &context)
        .await
        .map_err(|error| refused(error, &organization))?;
    json_response(&changed(&token))
}

pub(super) async fn rotate(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path((organization, account, token)): Path<(String, String, String)>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Write, &context).await?;
    let CreatedAccountToken { value, token } = state
        .registry
        .rotate_account_token(&organization.name, &account, &token, &context)
        .await
        .map_err(|error| refused(error, &organization))?;
    let info = json!({
        "_id": token.info.id,
        "displayName": token.info.name,
        "createdAt": iso(token.info.created_at),
        "last4": token.info.last4,
    });
    let response = json_response(&json!({ "token": value.reveal(), "tokenInfo": info }))?;
    Ok(uncacheable(response))
}

pub(super) async fn delete(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    caller: Caller,
    Path((organization, account, token)): Path<(String, String, String)>,
) -> ApiResult {
    let organization = open(&state, &caller, &organization, Managing::Write, &context).await?;
    state
        .registry
        .delete_account_token(&organization.name, &account, &token, &context)
        .await
        .map_err(|error| refused(error, &organization))?;
    Ok(no_content())
}

/// A token as its account lists it.
pub(super) fn listed(token: &AccountToken) -> Value {
    let mut info = changed(token);
    info["createdAt"] = json!(iso(token.info.created_at));
    info["role"] = json!(token.info.role.as_str());
    info["last4"] = json!(token.info.last4);
    if let Some(moment) = token.info.last_used_at {
        info["lastUsedAt"] = json!(iso(moment));
    }
    if let Some(moment) = token.info.expires_at {
        info["expiration"] = json!(iso(moment));
    }
    info
}

fn changed(token: &AccountToken) -> Value {
    let grants = &token.grants;
    let ids: Vec<&str> = grants
        .repositories
        .iter()
        .map(|entity| entity.id.as_str())
        .collect();
    json!({
        "_id": token.info.id,
        "displayName": token.info.name,
        "permissions": grants.permissions,
        "repoIds": ids,
        "repoPermissions": grants.repository_permissions,
        "endpointPatterns": grants.endpoint_patterns,
        "skipNetworkSecurity": grants.skip_network_security,
    })
}

impl TokenRequest {
    fn into_change(
        self,
        caller: &Caller,
        organization: &Organization,
    ) -> Result<AccountTokenChange, ApiError> {
        if self.skip_network_security == Some(true)
            && !may_skip_network_security(caller.required()?, &organization.id)
        {
            return Err(ApiError::forbidden(
                "`skipNetworkSecurity` needs a token with the permission \
                 `org.networkSecurity.write` on the organization",
            ));
        }
        Ok(AccountTokenChange {
            name: self.display_name,
            permissions: self.permissions,
            repository_ids: self.repo_ids,
            repository_permissions: self.repo_permissions,
            endpoint_patterns: self.endpoint_patterns,
            skip_network_security: self.skip_network_security,
        })
    }
}
