//! Streams an upstream's response to the client.
//!
//! A response that breaks off is aborted, never completed, so the client can tell that it is
//! incomplete.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::forward_body::BodyForwarder;
use super::upstream::Server;
use crate::state::HubState;

/// Upstream response headers that are passed to the client, in addition to those that start with
/// one of [`FORWARDED_PREFIXES`]. The others are between the Hub and its clients (cookies, authentication,
/// redirects), or apply to a single connection.
const FORWARDED_HEADERS: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CACHE_CONTROL,
    RETRY_AFTER,
];
/// Prefixes of the headers with which vLLM, TGI and `OpenAI` describe a response: times, token
/// counts and their own limits.
const FORWARDED_PREFIXES: [&str; 10] = [
    "openai-",
    "x-compute-",
    "x-generated-tokens",
    "x-inference-time",
    "x-prompt-tokens",
    "x-queue-time",
    "x-ratelimit-",
    "x-time-per-token",
    "x-total-",
    "x-validation-time",
];
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Prevents a browser from executing any of it, since it is third-party content on the Hub's own
/// origin.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// Builds the client's response.
pub(super) fn forward_response(
    state: &Arc<HubState>,
    server: Arc<Server>,
    upstream_response: reqwest::Response,
    forwarder: BodyForwarder,
) -> Response {
    let remaining = upstream_response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let upstream_response: axum::http::Response<reqwest::Body> = upstream_response.into();
    let (parts, body) = upstream_response.into_parts();
    let mut response = Response::new(axum::body::Body::new(ForwardedBody {
        body,
        remaining,
        timeout: state.services.inference.upstream_timeout,
        timer: None,
        state: Arc::clone(state),
        server,
        _forwarder: forwarder,
    }));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers(&parts.headers);
    response
}

fn headers(upstream_headers: &HeaderMap) -> HeaderMap {
    let mut forwarded = HeaderMap::new();
    for (name, value) in upstream_headers {
        let has_prefix = |prefix: &&str| name.as_str().starts_with(prefix);
        if FORWARDED_HEADERS.contains(name) || FORWARDED_PREFIXES.iter().any(has_prefix) {
            forwarded.append(name, value.clone());
        }
    }
    forwarded.insert(CONTENT_SECURITY_POLICY, SANDBOX);
    // Otherwise, a proxy in front of the Hub would buffer the events.
    let streams = forwarded
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if streams {
        forwarded.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    forwarded
}

/// The response's body. When the client disconnects it is dropped, which closes the connection to
/// the upstream.
struct ForwardedBody {
    body: reqwest::Body,
    /// The remaining length, if the upstream announced it.
    remaining: Option<u64>,
    timeout: Duration,
    /// Set on the first wait, and again after each chunk.
    timer: Option<Pin<Box<Sleep>>>,
    state: Arc<HubState>,
    server: Arc<Server>,
    /// The request may still be in transit while the response arrives.
    _forwarder: BodyForwarder,
}

impl ForwardedBody {
    /// Aborts an incomplete response. Ending it normally would mark it as complete.
    fn fail(&self, message: &'static str) -> BoxError {
        let upstream = self.server.origin.as_str();
        self.state
            .telemetry
            .log
            .record(|| tracing::warn!(upstream, "{message}"));
        io::Error::other(message).into()
    }
}

impl Body for ForwardedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.timer = None;
                    // Trailers are not forwarded.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    if let Some(remaining) = &mut this.remaining {
                        *remaining = remaining.saturating_sub(data.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(Some(Err(this.fail("an upstream broke off its response"))));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let timeout = this.timeout;
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
                    ready!(timer.as_mut().poll(context));
                    return Poll::Ready(Some(
                        Err(this.fail("an upstream stalled in its response")),
                    ));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
