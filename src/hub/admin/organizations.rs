//! `organizations`: organizations and their members.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{created, no_content};
use crate::hub::answers::{Answer, ApiError, json_answer};
use crate::hub::api::JsonBody;
use crate::hub::clock::iso;
use crate::hub::registry::{Organization, OrganizationRole};
use crate::hub::state::HubState;

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

pub(super) async fn list(State(state): State<Arc<HubState>>) -> Answer {
    json_answer(
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
    JsonBody(new): JsonBody<NewOrganization>,
) -> Answer {
    let fullname = new.fullname.as_deref().unwrap_or(&new.name);
    created(&organization(
        &state
            .registry
            .create_organization(&new.name, fullname, state.clock.now())
            .await?,
    ))
}

pub(super) async fn members(
    State(state): State<Arc<HubState>>,
    Path(organization): Path<String>,
) -> Answer {
    let members = state.registry.members(&organization).await?;
    let listed: Vec<Value> = members
        .iter()
        .map(|(user, role)| json!({ "user": user, "role": role.as_str() }))
        .collect();
    json_answer(&listed)
}

pub(super) async fn set_member(
    State(state): State<Arc<HubState>>,
    Path((organization, user)): Path<(String, String)>,
    JsonBody(member): JsonBody<Member>,
) -> Answer {
    let role = OrganizationRole::parse(&member.role).ok_or_else(|| {
        ApiError::bad_request(
            "`role` must be \"admin\", \"write\", \"contributor\", \"read\" or \"no_access\"",
        )
    })?;
    state
        .registry
        .set_member(&organization, &user, role)
        .await?;
    Ok(no_content())
}

pub(super) async fn remove_member(
    State(state): State<Arc<HubState>>,
    Path((organization, user)): Path<(String, String)>,
) -> Answer {
    state.registry.remove_member(&organization, &user).await?;
    Ok(no_content())
}

fn organization(organization: &Organization) -> Value {
    json!({
        "id": organization.id,
        "name": organization.name,
        "fullname": organization.fullname,
        "createdAt": iso(organization.created_at),
    })
}
