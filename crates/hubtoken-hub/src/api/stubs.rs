//! Stubs for minor endpoints that clients call.

use axum::response::Response;
use serde_json::{Value, json};

use crate::extract::body::JsonBody;
use crate::response::{ApiResult, json_response};

/// `GET /api/agent-harnesses`: the Python client calls this at its first use. There are none here.
pub(super) async fn agent_harnesses() -> Result<Response, crate::response::ApiError> {
    json_response(&json!({ "standardEnvVars": [], "harnesses": {} }))
}

/// `POST /api/validate-yaml`: the real Hub checks a README's metadata here. This one accepts
/// everything.
pub(super) async fn validate_yaml(JsonBody(_): JsonBody<Value>) -> ApiResult {
    json_response(&json!({ "errors": [], "warnings": [] }))
}
