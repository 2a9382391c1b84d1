//! What a request has brought: a response, or the reason why there is none that can be used.
//!
//! A response that cannot be used keeps its head, where the ID is by which a Hub's operators find
//! the request.

use std::time::Duration;

use reqwest::header::HeaderMap;

/// A response, read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no usable response. None of these says anything about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// No connection, so that nothing was sent.
    Unconnected(String),
    /// No response.
    Unreachable(String),
    /// No complete response within the time that the caller allowed.
    TimedOut {
        /// That time.
        after: Duration,
        /// What was waited for.
        text: String,
    },
    /// The request cannot be sent.
    Unsendable(String),
    /// A response that was cut off, or that a Hub does not send: a redirect to another host, a body
    /// without end.
    Unusable {
        /// Why it cannot be used.
        text: String,
        /// Whether it was cut off, so that the next one may be whole.
        is_incomplete: bool,
        /// Its status and headers.
        head: Box<Response>,
    },
}

impl TransportError {
    /// The reason, in words.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Unconnected(text)
            | Self::Unreachable(text)
            | Self::TimedOut { text, .. }
            | Self::Unsendable(text)
            | Self::Unusable { text, .. } => text,
        }
    }

    /// The status and the headers of the response, if there is one.
    #[must_use]
    pub fn head(&self) -> Option<&Response> {
        match self {
            Self::Unusable { head, .. } => Some(head),
            _ => None,
        }
    }

    pub(super) fn unusable(response: &reqwest::Response, text: impl Into<String>) -> Self {
        Self::of_response(response, text.into(), false)
    }

    pub(super) fn cut_off(response: &reqwest::Response, text: impl Into<String>) -> Self {
        Self::of_response(response, text.into(), true)
    }

    fn of_response(response: &reqwest::Response, text: String, is_incomplete: bool) -> Self {
        Self::Unusable {
            text,
            is_incomplete,
            head: Box::new(Response {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: Vec::new(),
            }),
        }
    }
}
