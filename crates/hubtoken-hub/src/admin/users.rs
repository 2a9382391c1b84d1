//! `users`: accounts.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::registry::{AuditContext, User};
use crate::response::{ApiResult, created, json_response, no_content};
use crate::secret::Secret;
use crate::state::HubState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    name: String,
    fullname: Option<String>,
    email: Option<String>,
    password: Option<String>,
}

pub(super) async fn list(State(state): State<Arc<HubState>>) -> ApiResult {
    json_response(
        &state
            .registry
            .users()
            .await?
            .iter()
            .map(user)
            .collect::<Vec<_>>(),
    )
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(new): JsonBody<NewUser>,
) -> ApiResult {
    let fullname = new.fullname.as_deref().unwrap_or(&new.name);
    let password = new.password.map(Secret::new);
    created(&user(
        &state
            .create_user(
                &new.name,
                fullname,
                new.email.as_deref(),
                password,
                &context,
            )
            .await?,
    ))
}

/// The administrators of the Hub.
pub(super) async fn administrators(State(state): State<Arc<HubState>>) -> ApiResult {
    let administrators = state.registry.administrators().await?;
    json_response(&administrators.iter().map(user).collect::<Vec<_>>())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    password: String,
}

/// Sets a user's password and ends all their sessions.
pub(super) async fn set_password(
    State(state): State<Arc<HubState>>,
    Path(name): Path<String>,
    context: AuditContext,
    JsonBody(new): JsonBody<NewPassword>,
) -> ApiResult {
    let password = Secret::new(new.password);
    state.set_password(&name, password, &context).await?;
    Ok(no_content())
}

fn user(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "fullname": user.fullname,
        "email": user.email,
        "createdAt": iso(user.created_at),
    })
}
