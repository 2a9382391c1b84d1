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

use super::outgoing::Pump;
use super::upstream::Server;
use crate::journal::LogLevel;
use crate::state::HubState;

/// Upstream response headers that are passed to the client, in addition to those that start with
/// one of [`BEGINNINGS`]. The others are between the Hub and its clients (cookies, authentication,
/// redirects), or apply to a single connection.
const PASSED: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CACHE_CONTROL,
    RETRY_AFTER,
];
/// Prefixes of the headers with which vLLM, TGI and `OpenAI` describe a response: times, token
/// counts and their own limits.
const BEGINNINGS: [&str; 10] = [
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
pub(super) fn pass_on(
    state: &Arc<HubState>,
    server: Arc<Server>,
    answer: reqwest::Response,
    pump: Pump,
) -> Response {
    let left = answer
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let answer: axum::http::Response<reqwest::Body> = answer.into();
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(axum::body::Body::new(Passing {
        body,
        left,
        patience: state.inference.patience,
        timer: None,
        state: Arc::clone(state),
        server,
        _pump: pump,
    }));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers(&parts.headers);
    response
}

fn headers(theirs: &HeaderMap) -> HeaderMap {
    let mut ours = HeaderMap::new();
    for (name, value) in theirs {
        let begins = |beginning: &&str| name.as_str().starts_with(beginning);
        if PASSED.contains(name) || BEGINNINGS.iter().any(begins) {
            ours.append(name, value.clone());
        }
    }
    ours.insert(CONTENT_SECURITY_POLICY, SANDBOX);
    // Otherwise, a proxy in front of the Hub would buffer the events.
    let streams = ours
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if streams {
        ours.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    ours
}

/// The response's body. When the client disconnects it is dropped, which closes the connection to
/// the upstream.
struct Passing {
    body: reqwest::Body,
    /// The remaining length, if the upstream announced it.
    left: Option<u64>,
    patience: Duration,
    /// Set on the first wait, and again after each chunk.
    timer: Option<Pin<Box<Sleep>>>,
    state: Arc<HubState>,
    server: Arc<Server>,
    /// The request may still be in transit while the response arrives.
    _pump: Pump,
}

impl Passing {
    /// Aborts an incomplete response. Ending it normally would mark it as complete.
    fn broken(&self, message: &'static str) -> BoxError {
        self.state.journal.write(
            LogLevel::Warn,
            message,
            &[("upstream", self.server.origin.as_str().into())],
        );
        io::Error::other(message).into()
    }
}

impl Body for Passing {
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
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    if let Some(left) = &mut this.left {
                        *left = left.saturating_sub(piece.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(Some(Err(
                        this.broken("an upstream broke off its response")
                    )));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let patience = this.patience;
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
                    ready!(timer.as_mut().poll(context));
                    return Poll::Ready(Some(Err(
                        this.broken("an upstream stalled in its response")
                    )));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
