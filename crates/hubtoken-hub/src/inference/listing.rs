//! `GET /v1/models`: the models that have upstreams of their own and that the token may use, as `OpenAI` lists them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Extensions;
use serde_json::{Value, json};

use super::admission::Guest;
use crate::answers::{Answer, json_answer};
use crate::authentication::Caller;
use crate::state::HubState;

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    extensions: Extensions,
) -> Answer {
    let (guest, standing) = Guest::enter(&state, caller, &extensions)?;
    guest.may_call()?;
    let mut models: Vec<Value> = Vec::new();
    for model in state.inference.upstreams.models() {
        match guest.may_use(&state, model).await {
            Ok(()) => models.push(json!({
                "id": model,
                "object": "model",
                "created": state.started.unix_timestamp(),
                "owned_by": model.split_once('/').map_or("hub", |(owner, _)| owner),
            })),
            // Not theirs; anything else that goes wrong is no reason to say that it is not there.
            Err(error) if error.status().is_client_error() => (),
            Err(error) => return Err(error),
        }
    }
    let mut response = json_answer(&json!({ "object": "list", "data": models }))?;
    if let Some(standing) = standing {
        response.extensions_mut().insert(standing);
    }
    Ok(response)
}
