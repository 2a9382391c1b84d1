//! Sends one request to an upstream.
//!
//! Only headers on an allowlist are sent to a model server, so a header that was not anticipated is
//! not forwarded. The same applies to the headers of its response (`response.rs`).

use std::sync::Arc;

use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE,
    USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use reqwest::Method;

use super::forward_body::{BodyForwarder, OutgoingBody};
use super::response::forward_response;
use super::upstream::Server;
use crate::response::ApiError;
use crate::state::HubState;

/// Client headers that are passed to an upstream. They include neither the client's token nor
/// cookies, nor anything that could be mistaken for the Hub's own.
const FORWARDED_HEADERS: [HeaderName; 10] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-use-cache"),
    HeaderName::from_static("x-wait-for-model"),
];

/// The destination of a request.
pub(super) struct Destination {
    pub server: Arc<Server>,
    pub url: String,
    /// Whether to send the body as JSON, whatever content type the client set.
    pub is_json: bool,
}

/// Sends the request and waits for the response's headers. Dropping the future closes the
/// connection to the upstream.
pub(super) async fn forward(
    state: &Arc<HubState>,
    destination: Destination,
    client_headers: &HeaderMap,
    mut forwarder: BodyForwarder,
    body: OutgoingBody,
) -> Result<Response, ApiError> {
    let Destination {
        server,
        url,
        is_json,
    } = destination;
    let mut headers = HeaderMap::new();
    for name in FORWARDED_HEADERS {
        for value in client_headers.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    if is_json {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(key) = &server.key {
        headers.insert(AUTHORIZATION, key.clone());
    }
    let sending = state
        .services
        .inference
        .upstreams
        .client
        .request(Method::POST, url)
        .headers(headers)
        .body(reqwest::Body::wrap(body))
        .send();
    let mut sending = std::pin::pin!(sending);
    let sent = loop {
        // The upstream's time-out restarts whenever it receives more of the request body.
        let timeout = state.services.inference.upstream_timeout;
        let end = forwarder.last_activity.get() + timeout;
        tokio::select! {
            sent = &mut sending => break Some(sent),
            () = tokio::time::sleep_until(end) => {
                if forwarder.last_activity.get() + timeout <= end {
                    break None;
                }
            }
        }
    };
    let failed = |error: ApiError, cause: &str| {
        state.telemetry.log.record(|| {
            tracing::warn!(
                upstream = server.origin.as_str(),
                cause,
                "an upstream failed"
            );
        });
        error
    };
    let response = match sent {
        Some(Ok(response)) => response,
        Some(Err(error)) => {
            if let Some(rejection) = forwarder.rejection().await {
                return Err(rejection);
            }
            let cause = hubtoken_core::http::root_cause(&error);
            return Err(failed(
                if error.is_timeout() {
                    timed_out()
                } else if error.is_connect() {
                    bad_gateway("The server of this model cannot be reached")
                } else {
                    bad_gateway("The server of this model disconnected before it responded")
                },
                &cause,
            ));
        }
        None => return Err(failed(timed_out(), "no answer in time")),
    };
    let status = response.status();
    if matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
    ) {
        // This status concerns the Hub's key. If passed on, it would appear to concern the client's
        // token.
        return Err(failed(
            bad_gateway("The server of this model does not accept the Hub's key"),
            status.as_str(),
        ));
    }
    if status.is_informational() || status.is_redirection() {
        return Err(failed(
            bad_gateway("The server of this model redirects instead of answering"),
            status.as_str(),
        ));
    }
    Ok(forward_response(state, server, response, forwarder))
}

fn bad_gateway(message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_GATEWAY, message)
}

fn timed_out() -> ApiError {
    ApiError::new(
        StatusCode::GATEWAY_TIMEOUT,
        "The server of this model did not answer in time",
    )
}
