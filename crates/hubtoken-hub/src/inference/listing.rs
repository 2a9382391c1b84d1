//! Handles `GET /v1/models`, which lists the configured models that the token may use, in the
//! format of `OpenAI`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Extensions;
use serde_json::{Value, json};

use super::admission::InferenceCaller;
use crate::auth::authentication::Caller;
use crate::response::{ApiResult, json_response};
use crate::state::HubState;

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    extensions: Extensions,
) -> ApiResult {
    let (caller, rate_limit) = InferenceCaller::with_rate_limit(&state, caller, &extensions)?;
    caller.check_permission()?;
    let mut models: Vec<Value> = Vec::new();
    for model in state.services.inference.upstreams.models() {
        match caller.check_model_access(&state, model).await {
            Ok(()) => models.push(json!({
                "id": model,
                "object": "model",
                "created": state.telemetry.started.unix_timestamp(),
                "owned_by": model.split_once('/').map_or("hub", |(owner, _)| owner),
            })),
            // The token may not use this model. Other errors do not mean that the model is absent,
            // so they are returned.
            Err(error) if error.status().is_client_error() => (),
            Err(error) => return Err(error),
        }
    }
    let mut response = json_response(&json!({ "object": "list", "data": models }))?;
    if let Some(rate_limit) = rate_limit {
        response.extensions_mut().insert(rate_limit);
    }
    Ok(response)
}
