//! Errors of the issuer: a code of RFC 6749 or RFC 8628, and a sentence.
//!
//! They have no `X-Error-Message`: `huggingface_hub` would show it in place of the two.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::HubError;
use crate::rate_limit::RateLimitStatus;
use crate::response::ApiError;

/// An error to be sent to a client of the issuer.
#[derive(Debug)]
pub(crate) enum OAuthError {
    /// What the protocol has a code for.
    Protocol {
        status: StatusCode,
        code: &'static str,
        description: String,
    },
    /// The client sends too many requests.
    RateLimited(RateLimitStatus),
    /// A fault of the Hub, which clients of the protocol take for temporary.
    Hub(ApiError),
}

impl OAuthError {
    pub(crate) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self::Protocol {
            status: StatusCode::BAD_REQUEST,
            code,
            description: description.into(),
        }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    /// The client authenticated itself, which no client of this Hub can.
    pub(crate) fn client_authentication() -> Self {
        Self::Protocol {
            status: StatusCode::UNAUTHORIZED,
            code: "invalid_client",
            description: "this Hub has public clients alone: send `client_id` without a secret"
                .to_owned(),
        }
    }
}

impl From<HubError> for OAuthError {
    fn from(error: HubError) -> Self {
        Self::Hub(error.into())
    }
}

impl From<ApiError> for OAuthError {
    fn from(error: ApiError) -> Self {
        Self::Hub(error)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, code, description) = match self {
            Self::Hub(error) => return error.into_response(),
            Self::RateLimited(limit) => {
                let seconds = limit.reset_seconds;
                let description = format!("too many requests: try again in {seconds} seconds");
                let body = json!({ "error": "slow_down", "error_description": description });
                let mut response = uncacheable(StatusCode::TOO_MANY_REQUESTS, &body);
                let headers = response.headers_mut();
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
                response.extensions_mut().insert(limit);
                return response;
            }
            Self::Protocol {
                status,
                code,
                description,
            } => (status, code, description),
        };
        let body = json!({ "error": code, "error_description": description });
        let mut response = uncacheable(status, &body);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"OAuth clients\", charset=\"UTF-8\""),
            );
        }
        response
    }
}

/// A JSON response that nothing may store, as RFC 6749 demands for tokens.
pub(crate) fn uncacheable(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "application/json; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (PRAGMA, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
