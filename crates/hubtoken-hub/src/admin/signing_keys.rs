//! `signing-keys`: the keys that sign the tokens of logins, without their private halves.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::oauth::keys::{EarlierKeys, SigningKey};
use crate::registry::{AuditAction, AuditContext, Subject};
use crate::response::{ApiResult, json_response};
use crate::state::HubState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    #[serde(default)]
    withdraw: bool,
}

pub(super) async fn list(State(state): State<Arc<HubState>>) -> ApiResult {
    let keys = state.services.oauth.keys.list(state.clock.now())?;
    json_response(&keys.iter().rev().map(shown).collect::<Vec<_>>())
}

pub(super) async fn rotate(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    JsonBody(rotation): JsonBody<Rotation>,
) -> ApiResult {
    let (earlier, word) = if rotation.withdraw {
        (EarlierKeys::Withdraw, "the earlier ones withdrawn")
    } else {
        (EarlierKeys::Serve, "the earlier ones served")
    };
    let key = state.services.oauth.keys.rotate(earlier, context.at)?;
    let subject = Subject::default().with_detail(format!("{}, {word}", key.id));
    state
        .registry
        .record(AuditAction::SigningKeyRotate, subject, &context)
        .await?;
    json_response(&shown(&key))
}

fn shown(key: &SigningKey) -> Value {
    json!({
        "id": key.id,
        "createdAt": iso(key.created_at),
        "signsUntil": iso(key.signs_until),
        "servedUntil": iso(key.served_until),
    })
}
