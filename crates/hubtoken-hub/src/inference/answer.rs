//! The answer of an upstream on its way to the client: each piece as it comes, and never a whole where there was none.
//!
//! A response that breaks off is cut, never completed, so the client can tell that it has only
//! part of it.

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

/// What an upstream may say to a client in headers, beside those that begin in a way of [`BEGINNINGS`]. The rest is
/// between the Hub and its clients (cookies, authentication, redirects), or between two ends of a connection.
const PASSED: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CACHE_CONTROL,
    RETRY_AFTER,
];
/// What vLLM, TGI and `OpenAI` tell of an answer: times, tokens, limits of their own.
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
/// Nothing of it runs in a browser: it is somebody else's content on the Hub's own origin.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// The answer for the client.
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
    // A proxy in front of the Hub would collect the events otherwise.
    let streams = ours
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if streams {
        ours.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    ours
}

/// The body. When the client is gone it is dropped, and with it the connection to the upstream.
struct Passing {
    body: reqwest::Body,
    /// Bytes that are to come, if the upstream told.
    left: Option<u64>,
    patience: Duration,
    /// Made at the first wait, and again after each piece.
    timer: Option<Pin<Box<Sleep>>>,
    state: Arc<HubState>,
    server: Arc<Server>,
    /// The request may still be on its way while the answer comes.
    _pump: Pump,
}

impl Passing {
    /// An answer that breaks off is cut: an end would say that it was whole.
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
                    // Trailers are not handed on.
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    if let Some(left) = &mut this.left {
                        *left = left.saturating_sub(piece.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(Some(Err(this.broken("an upstream broke off its answer"))));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let patience = this.patience;
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
                    ready!(timer.as_mut().poll(context));
                    return Poll::Ready(Some(
                        Err(this.broken("an upstream stopped in its answer")),
                    ));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
