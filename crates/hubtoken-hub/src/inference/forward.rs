//! One request to an upstream.
//!
//! Headers sent to a model server are an allow list rather than a filter, so a header that was not
//! anticipated is not forwarded. The same holds for headers from it (`answer.rs`).

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

/// What a client may say to an upstream in headers. Neither its token nor a cookie is among them, nor anything that
/// could pass for the Hub's word.
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

/// Where a request goes.
pub(super) struct Destination {
    pub server: Arc<Server>,
    pub url: String,
    /// Whether the body is JSON, whatever the client calls it.
    pub is_json: bool,
}

/// Sends the request and waits for the head of the answer. Dropped while it waits, it lets go of the upstream.
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
        // The time of an upstream begins when it has taken what the client sent.
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
            let cause = hubtoken_core::http::cause(&error);
            return Err(failed(
                if error.is_timeout() {
                    timed_out()
                } else if error.is_connect() {
                    bad_gateway("The server of this model cannot be reached")
                } else {
                    bad_gateway("The server of this model broke off before it answered")
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
        // Handed on, it would say of the client's token what is true of the Hub's key.
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
