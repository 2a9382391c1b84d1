//! `POST /oauth/device`: a program asks for a login (RFC 8628, section 3.1).

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use time::Duration;

use super::client;
use super::error::{OAuthError, uncacheable};
use super::keys::Purpose;
use super::token::read;
use super::user_code;
use crate::auth::authentication::address_key;
use crate::extract::body::parameter;
use crate::registry::{AuditContext, LoginScopes, NewDeviceCode};
use crate::secret::Secret;
use crate::state::HubState;

/// The page for the code. The address that is shown is the real Hub's, which belongs to this route.
pub(crate) const PAGE: &str = "/login/device";
/// The interval that a client assumes if it is told none.
const DEFAULT_INTERVAL_SECONDS: u32 = 5;
/// How often another code is drawn if one is taken.
const ATTEMPTS: u32 = 5;

/// Sends a browser to the page.
pub(super) async fn to_page(RawQuery(query): RawQuery) -> Response {
    let code = query.and_then(|query| parameter(&query, "user_code"));
    let page = match code.and_then(|code| user_code::normalized(&code)) {
        Some(letters) => format!("{PAGE}?user_code={}", letters.as_str()),
        None => PAGE.to_owned(),
    };
    (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response()
}

pub(super) async fn request(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    request: Request,
) -> Result<Response, OAuthError> {
    let oauth = &state.services.oauth;
    let limit = oauth
        .device_codes
        .hit(address_key(request.extensions()), context.at);
    let parameters = read(request).await?;
    if limit.exceeded {
        return Err(OAuthError::RateLimited(limit));
    }
    let client_id = parameters
        .get("client_id")
        .ok_or_else(|| OAuthError::invalid_request("`client_id` is missing"))?;
    if client::name(client_id).is_none() {
        return Err(OAuthError::new(
            "invalid_client",
            "this Hub does not know the client",
        ));
    }
    let scopes = LoginScopes::requested(parameters.get("scope")).ok_or_else(|| {
        OAuthError::new(
            "invalid_scope",
            "one of the scopes is not known to this Hub",
        )
    })?;
    let lifetime = oauth.options.device_code_seconds;
    for _ in 0..ATTEMPTS {
        let (device_code, user_code) = (Secret::random_id()?, user_code::random()?);
        let letters = user_code::normalized(&user_code).unwrap_or_default();
        let new = NewDeviceCode {
            digest: device_code.digest(),
            user_code: oauth
                .keys
                .keyed_digest(Purpose::UserCode, &letters, context.at)?,
            client_id,
            scopes: &scopes,
            expires_at: context.at + Duration::seconds(lifetime.into()),
        };
        if !state.registry.create_device_code(new, &context).await? {
            continue;
        }
        let mut body = json!({
            "device_code": device_code.reveal(),
            "user_code": user_code.as_str(),
            "verification_uri": format!("{}/oauth/device", state.endpoint),
            "expires_in": lifetime,
        });
        let interval = oauth.options.device_interval_seconds;
        // The real Hub's answer has none.
        if interval != DEFAULT_INTERVAL_SECONDS {
            body["interval"] = json!(interval);
        }
        return Ok(uncacheable(StatusCode::OK, &body));
    }
    Err(OAuthError::Hub(crate::response::ApiError::retry_later(
        StatusCode::SERVICE_UNAVAILABLE,
        "No code is free at the moment",
        1,
    )))
}
