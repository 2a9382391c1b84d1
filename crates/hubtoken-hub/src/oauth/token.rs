//! `POST /oauth/token`: exchanges a device code, a refresh token or an id token for tokens (RFC
//! 6749, RFC 8628, RFC 8693).

use std::sync::Arc;

use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use serde_json::json;
use time::Duration;

use super::client;
use super::error::{OAuthError, uncacheable};
use super::exchange;
use super::issue::access_token;
use super::keys::Purpose;
use super::parameters::Parameters;
use crate::extract::body::{WholeBody, drain};
use crate::registry::{
    AuditContext, DeviceExchange, DeviceRefusal, Exchanged, IssuedLogin, RefreshRefusal,
};
use crate::response::ApiError;
use crate::secret::Secret;
use crate::state::HubState;

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const REFRESH_TOKEN: &str = "refresh_token";
/// What can be exchanged here.
pub(super) const GRANT_TYPES: [&str; 3] = [DEVICE_CODE, REFRESH_TOKEN, exchange::GRANT_TYPE];

/// Reads the parameters of a request to the issuer.
pub(super) async fn read(request: Request) -> Result<Parameters, OAuthError> {
    if request.headers().contains_key(AUTHORIZATION) {
        Box::pin(drain(request.into_body())).await;
        return Err(OAuthError::client_authentication());
    }
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    let content_type = content_type.as_ref().map(|value| value.to_str());
    let Ok(content_type) = content_type.transpose() else {
        return Err(OAuthError::invalid_request(
            "the content type is not readable",
        ));
    };
    let content_type = content_type.map(ToOwned::to_owned);
    let WholeBody(body) = WholeBody::from_request(request, &())
        .await
        .map_err(|error: ApiError| OAuthError::invalid_request(error.message()))?;
    Parameters::parse(content_type.as_deref(), &body).map_err(OAuthError::invalid_request)
}

pub(super) async fn exchange(
    State(state): State<Arc<HubState>>,
    context: AuditContext,
    request: Request,
) -> Result<Response, OAuthError> {
    let extensions = request.extensions().clone();
    let parameters = read(request).await?;
    match parameters.get("grant_type") {
        Some(DEVICE_CODE) => device_code(&state, &context, &parameters).await,
        Some(REFRESH_TOKEN) => refresh(&state, &context, &parameters).await,
        Some(exchange::GRANT_TYPE) => {
            exchange::exchange(&state, &extensions, &context, &parameters).await
        }
        Some(_) => Err(OAuthError::new(
            "unsupported_grant_type",
            "this Hub exchanges device codes, refresh tokens and id tokens",
        )),
        None => Err(OAuthError::invalid_request("`grant_type` is missing")),
    }
}

async fn device_code(
    state: &HubState,
    context: &AuditContext,
    parameters: &Parameters,
) -> Result<Response, OAuthError> {
    let (client_id, client) = known_client(parameters)?;
    let code = secret(parameters, "device_code")?;
    let oauth = &state.services.oauth;
    let refresh_token = oauth
        .keys
        .refresh_token(Purpose::FirstRefreshToken, &code, context.at)?;
    let refresh = refresh_token.digest();
    // A client that waits exactly this long may arrive a little early.
    let interval = Duration::seconds(oauth.options.device_interval_seconds.into()) * 4 / 5;
    let exchange = DeviceExchange {
        code: code.digest(),
        client_id,
        client,
        refresh,
        lifetimes: oauth.options.lifetimes(),
        interval,
    };
    let mint = |exchanged: &Exchanged| {
        access_token(oauth, &state.endpoint, exchanged, &refresh, context.at)
    };
    match state
        .registry
        .exchange_device_code(exchange, &mint, context)
        .await?
    {
        Ok(issued) => Ok(answer(&issued, &refresh_token, context)),
        Err(refusal) => Err(refused_code(refusal)),
    }
}

async fn refresh(
    state: &HubState,
    context: &AuditContext,
    parameters: &Parameters,
) -> Result<Response, OAuthError> {
    let (client_id, _) = known_client(parameters)?;
    let presented = secret(parameters, "refresh_token")?;
    let oauth = &state.services.oauth;
    let successor = oauth
        .keys
        .refresh_token(Purpose::NextRefreshToken, &presented, context.at)?;
    let digest = successor.digest();
    let mint = |exchanged: &Exchanged| {
        access_token(oauth, &state.endpoint, exchanged, &digest, context.at)
    };
    match state
        .registry
        .exchange_refresh_token(
            &presented.digest(),
            client_id,
            &digest,
            oauth.options.lifetimes(),
            &mint,
            context,
        )
        .await?
    {
        Ok(issued) => Ok(answer(&issued, &successor, context)),
        Err(refusal) => Err(refused_refresh(refusal)),
    }
}

/// The client's id, and the name of its logins.
fn known_client(parameters: &Parameters) -> Result<(&str, &'static str), OAuthError> {
    let client_id = parameters
        .get("client_id")
        .ok_or_else(|| OAuthError::invalid_request("`client_id` is missing"))?;
    client::name(client_id)
        .map(|name| (client_id, name))
        .ok_or_else(|| OAuthError::new("invalid_client", "this Hub does not know the client"))
}

fn secret(parameters: &Parameters, name: &str) -> Result<Secret, OAuthError> {
    let value = parameters
        .get(name)
        .ok_or_else(|| OAuthError::invalid_request(format!("`{name}` is missing")))?;
    Ok(Secret::new(value.to_owned()))
}

fn answer(issued: &IssuedLogin, refresh_token: &Secret, context: &AuditContext) -> Response {
    let left = (issued.expires_at - context.at).whole_seconds().max(0);
    let body = json!({
        "access_token": issued.access_token.reveal(),
        "token_type": "bearer",
        "expires_in": left,
        "refresh_token": refresh_token.reveal(),
        "scope": issued.scopes.names().join(" "),
    });
    uncacheable(StatusCode::OK, &body)
}

fn refused_code(refusal: DeviceRefusal) -> OAuthError {
    let (code, description) = match refusal {
        DeviceRefusal::Pending => (
            "authorization_pending",
            "the user has not decided yet: ask again after the interval",
        ),
        DeviceRefusal::SlowDown => ("slow_down", "asked too soon: add 5 seconds to the interval"),
        DeviceRefusal::Denied => ("access_denied", "the user denied the login"),
        DeviceRefusal::Expired => (
            "expired_token",
            "the device code expired before a user approved it: start again",
        ),
        DeviceRefusal::Unknown => (
            "invalid_grant",
            "the device code is not one of this Hub for this client: start again",
        ),
        DeviceRefusal::Used => (
            "invalid_grant",
            "the device code was exchanged before: start again",
        ),
    };
    OAuthError::new(code, description)
}

fn refused_refresh(refusal: RefreshRefusal) -> OAuthError {
    OAuthError::invalid_grant(match refusal {
        RefreshRefusal::Unknown => {
            "the refresh token is not valid, or its login has ended: log in again"
        }
        RefreshRefusal::OtherClient => "the refresh token was issued to another client",
        RefreshRefusal::Expired => "the refresh token expired: log in again",
        RefreshRefusal::Replayed => {
            "the refresh token had been used before, so its login was ended: log in again"
        }
    })
}
