//! `publishers`: the CI jobs that may exchange their id tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::registry::{AuditContext, Publisher, PublisherTrust};
use crate::response::{ApiResult, created, json_response, no_content};
use crate::state::HubState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublisherRequest {
    resource: String,
    user: Option<String>,
    issuer: String,
    claims: BTreeMap<String, String>,
    /// A JWK set.
    keys: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    resource: Option<String>,
}

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    Query(query): Query<ListQuery>,
) -> ApiResult {
    let publishers = state.list_publishers(query.resource.as_deref()).await?;
    json_response(&publishers.iter().map(shown).collect::<Vec<_>>())
}

pub(super) async fn create(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(request): JsonBody<PublisherRequest>,
) -> ApiResult {
    let trust = PublisherTrust {
        issuer: request.issuer,
        claims: request.claims,
        keys: request.keys.map(|keys| keys.to_string()),
    };
    let user = request.user.as_deref();
    let publisher = state
        .create_publisher(&request.resource, user, trust, &context)
        .await?;
    created(&shown(&publisher))
}

pub(super) async fn delete(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    Path(id): Path<String>,
) -> ApiResult {
    state.registry.delete_publisher(&id, &context).await?;
    Ok(no_content())
}

fn shown(publisher: &Publisher) -> Value {
    json!({
        "id": publisher.id,
        "resource": publisher.resource,
        "user": publisher.user,
        "issuer": publisher.issuer,
        "claims": publisher.claims,
        "hasKeys": publisher.keys.is_some(),
        "createdAt": iso(publisher.created_at),
        "lastUsedAt": publisher.last_used_at.map(iso),
    })
}
