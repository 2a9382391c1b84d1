//! Small endpoints that clients ask in passing.

use axum::response::Response;
use serde_json::{Value, json};

use crate::answers::{Answer, json_answer};
use crate::extract::body::JsonBody;

/// `GET /api/agent-harnesses`: asked by the Python client at its first use; there are none here.
pub(super) async fn agent_harnesses() -> Result<Response, crate::answers::ApiError> {
    json_answer(&json!({ "standardEnvVars": [], "harnesses": {} }))
}

/// `POST /api/validate-yaml`: the Hub checks a README's metadata here. This one finds no fault with any.
pub(super) async fn validate_yaml(JsonBody(_): JsonBody<Value>) -> Answer {
    json_answer(&json!({ "errors": [], "warnings": [] }))
}
