//! Sends one request to an upstream.
//!
//! Only headers on an allowlist are sent to a model server, so a header that was not anticipated is
//! not forwarded. The same applies to the headers of its response (`answer.rs`).

use std::sync::Arc;

use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE,
    USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use reqwest::Method;

use super::answer::pass_on;
use super::outgoing::{OutgoingBody, Pump};
use super::upstream::Server;
use crate::answers::ApiError;
use crate::journal::LogLevel;
use crate::state::HubState;

/// Client headers that are passed to an upstream. They include neither the client's token nor
/// cookies, nor anything that could be mistaken for the Hub's own.
const PASSED: [HeaderName; 10] = [
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
    theirs: &HeaderMap,
    mut pump: Pump,
    body: OutgoingBody,
) -> Result<Response, ApiError> {
    let Destination {
        server,
        url,
        is_json,
    } = destination;
    let mut headers = HeaderMap::new();
    for name in PASSED {
        for value in theirs.get_all(&name) {
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
        let patience = state.inference.patience;
        let end = pump.progress.last() + patience;
        tokio::select! {
            sent = &mut sending => break Some(sent),
            () = tokio::time::sleep_until(end) => {
                if pump.progress.last() + patience <= end {
                    break None;
                }
            }
        }
    };
    let failed = |error: ApiError, cause: &str| {
        state.journal.write(
            LogLevel::Warn,
            "an upstream failed",
            &[
                ("upstream", server.origin.as_str().into()),
                ("cause", cause.into()),
            ],
        );
        error
    };
    let answer = match sent {
        Some(Ok(answer)) => answer,
        Some(Err(error)) => {
            if let Some(refused) = pump.verdict().await {
                return Err(refused);
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
    let status = answer.status();
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
    Ok(pass_on(state, server, answer, pump))
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
