//! What an issuer publishes about itself: its addresses and its keys.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use crate::registry::LoginScope;
use crate::response::{ApiResult, json_response};
use crate::state::HubState;

/// `/.well-known/openid-configuration` (`OpenID` Connect Discovery 1.0).
pub(super) async fn configuration(State(state): State<Arc<HubState>>) -> ApiResult {
    let address = |path: &str| format!("{}{path}", state.endpoint);
    json_response(&json!({
        "issuer": state.endpoint,
        "token_endpoint": address("/oauth/token"),
        "device_authorization_endpoint": address("/oauth/device"),
        "userinfo_endpoint": address("/oauth/userinfo"),
        "jwks_uri": address("/oauth/jwks"),
        "scopes_supported": LoginScope::ALL.map(LoginScope::as_str),
        "response_types_supported": [],
        "grant_types_supported": super::token::GRANT_TYPES,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "token_endpoint_auth_methods_supported": ["none"],
    }))
}

/// `/oauth/jwks` (RFC 7517).
pub(super) async fn jwks(State(state): State<Arc<HubState>>) -> ApiResult {
    json_response(&state.services.oauth.keys.public(state.clock.now())?)
}
