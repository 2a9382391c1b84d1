//! `users/{user}/tokens`: access tokens. A value is shown only here, and only once.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::registry::{
    AuditContext, CreatedToken, GrantedRole, NewToken, Scope, TokenInfo, TokenRole,
};
use crate::response::{ApiError, ApiResult, created, json_response, no_content, uncacheable};
use crate::state::HubState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TokenRequest {
    name: String,
    role: String,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    global: Vec<String>,
    #[serde(default)]
    can_read_gated_repos: bool,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Permissions {
    role: String,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    global: Vec<String>,
    #[serde(default)]
    can_read_gated_repos: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewName {
    name: String,
}

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    Path(user): Path<String>,
) -> ApiResult {
    json_response(
        &state
            .list_tokens(&user)
            .await?
            .iter()
            .map(info)
            .collect::<Vec<_>>(),
    )
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path(user): Path<String>,
    JsonBody(request): JsonBody<TokenRequest>,
) -> ApiResult {
    let token = state
        .registry
        .create_token(&user, request.into_token()?, &context)
        .await?;
    Ok(uncacheable(created(&with_value(&token))?))
}

pub(super) async fn rename(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((user, token)): Path<(String, String)>,
    JsonBody(new): JsonBody<NewName>,
) -> ApiResult {
    json_response(&info(
        &state
            .registry
            .rename_token(&user, &token, &new.name, &context)
            .await?,
    ))
}

pub(super) async fn change(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((user, token)): Path<(String, String)>,
    JsonBody(permissions): JsonBody<Permissions>,
) -> ApiResult {
    json_response(&info(
        &state
            .registry
            .change_token(&user, &token, permissions.into_role()?, &context)
            .await?,
    ))
}

pub(super) async fn refresh(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((user, token)): Path<(String, String)>,
) -> ApiResult {
    let token = state
        .registry
        .refresh_token(&user, &token, &context)
        .await?;
    Ok(uncacheable(json_response(&with_value(&token))?))
}

pub(super) async fn delete(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path((user, token)): Path<(String, String)>,
) -> ApiResult {
    state.registry.delete_token(&user, &token, &context).await?;
    Ok(no_content())
}

impl Permissions {
    fn into_role(self) -> Result<TokenRole, ApiError> {
        let is_plain =
            self.scopes.is_empty() && self.global.is_empty() && !self.can_read_gated_repos;
        match self.role.as_str() {
            "fineGrained" => Ok(TokenRole::FineGrained {
                scopes: self.scopes,
                global: self.global,
                can_read_gated_repos: self.can_read_gated_repos,
            }),
            "read" | "write" if !is_plain => Err(ApiError::bad_request(
                "`scopes`, `global` and `canReadGatedRepos` are for the role \"fineGrained\" only",
            )),
            "read" => Ok(TokenRole::Read),
            "write" => Ok(TokenRole::Write),
            _ => Err(ApiError::bad_request(
                "`role` must be \"read\", \"write\" or \"fineGrained\"",
            )),
        }
    }
}

impl TokenRequest {
    fn into_token(self) -> Result<NewToken, ApiError> {
        let permissions = Permissions {
            role: self.role,
            scopes: self.scopes,
            global: self.global,
            can_read_gated_repos: self.can_read_gated_repos,
        };
        let expires_at = match self.expires_at {
            None => None,
            Some(text) => Some(OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| {
                ApiError::bad_request(
                    "`expiresAt` must be a time such as \"2030-01-02T03:04:05.000Z\"",
                )
            })?),
        };
        Ok(NewToken {
            name: self.name,
            role: permissions.into_role()?,
            expires_at,
        })
    }
}

fn with_value(token: &CreatedToken) -> Value {
    json!({ "token": token.value.reveal(), "info": info(&token.info) })
}

fn info(token: &TokenInfo) -> Value {
    let mut body = json!({
        "id": token.id,
        "name": token.name,
        "role": token.role.as_str(),
        "last4": token.last4,
        "createdAt": iso(token.created_at),
        "lastUsedAt": token.last_used_at.map(iso),
        "expiresAt": token.expires_at.map(iso),
        "inferenceRequests": token.inference_requests,
    });
    if let GrantedRole::FineGrained(fine) = &token.role {
        body["fineGrained"] = json!(fine);
    }
    body
}
