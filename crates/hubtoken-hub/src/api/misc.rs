//! Stubs for minor endpoints that clients call.

use axum::response::Response;
use serde_json::{Value, json};

use crate::answers::{Answer, json_answer};
use crate::extract::body::JsonBody;

/// `GET /api/agent-harnesses`: the Python client calls this at its first use. There are none here.
pub(super) async fn agent_harnesses() -> Result<Response, crate::answers::ApiError> {
    json_answer(&json!({ "standardEnvVars": [], "harnesses": {} }))
}

/// `POST /api/validate-yaml`: the real Hub checks a README's metadata here. This one accepts
/// everything.
pub(super) async fn validate_yaml(JsonBody(_): JsonBody<Value>) -> Answer {
    json_answer(&json!({ "errors": [], "warnings": [] }))
}
