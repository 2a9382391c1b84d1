//! Reads a request's body, limits its size, and finds the model that it names.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;

use super::json::{Malformed, Scanner};
use crate::answers::ApiError;
use crate::extract::body::drain;
use crate::state::HubState;

/// The largest body that is forwarded. It may contain images and audio as base64.
const LARGEST: u64 = 64 << 20;
/// How much of a body is buffered until it names its model. Most bodies name it first, some only
/// after the messages.
const LARGEST_HEAD: usize = 4 << 20;
/// How much is buffered for all requests together.
const LARGEST_HEADS: usize = 128 << 20;

/// A request body being read.
pub(super) struct Incoming {
    body: Body,
    /// `None` for a body that need not be JSON.
    scanner: Option<Scanner>,
    received: u64,
}

/// The start of a body, up to its model's name.
pub(super) struct Head {
    pub pieces: Vec<Bytes>,
    pub model: String,
    /// Counts toward the limit until the start is forwarded.
    pub held: Held,
}

impl Incoming {
    pub(super) fn new(body: Body, is_json: bool) -> Result<Self, (ApiError, Body)> {
        if body.size_hint().lower() > LARGEST {
            return Err((too_large(), body));
        }
        Ok(Self {
            body,
            scanner: is_json.then(Scanner::new),
            received: 0,
        })
    }

    /// Its length, if the client announced it.
    pub(super) fn length(&self) -> Option<u64> {
        self.body
            .size_hint()
            .exact()
            .map(|left| left + self.received)
    }

    /// The model, if it has been read.
    pub(super) fn model(&self) -> Option<&str> {
        self.scanner.as_ref()?.model()
    }

    /// The next chunk. Errors in the body are detected before the chunk is returned.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let body = &mut self.body;
            let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
            let Some(frame) = frame.await else {
                return self.ended().map(|()| None);
            };
            let frame = frame.map_err(|_| ApiError::bad_request("The request was cut off"))?;
            // Trailers are not forwarded.
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            self.received += piece.len() as u64;
            if self.received > LARGEST {
                return Err(too_large());
            }
            if let Some(scanner) = &mut self.scanner {
                scanner
                    .feed(&piece)
                    .map_err(|malformed| ApiError::bad_request(malformed.message()))?;
            }
            if self.body.is_end_stream() {
                self.ended()?;
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    fn ended(&self) -> Result<(), ApiError> {
        match &self.scanner {
            Some(scanner) if !scanner.is_whole() => {
                Err(ApiError::bad_request(Malformed::NotJson.message()))
            }
            _ => Ok(()),
        }
    }

    /// Reads until the body has named its model.
    pub(super) async fn head(&mut self, state: &Arc<HubState>) -> Result<Head, ApiError> {
        let mut pieces = Vec::new();
        let mut held = Held::none(state);
        while let Some(piece) = self.next().await? {
            let length = piece.len();
            pieces.push(piece);
            if let Some(model) = self.model() {
                let model = model.to_owned();
                return Ok(Head {
                    pieces,
                    model,
                    held,
                });
            }
            held.more(length)?;
        }
        Err(ApiError::bad_request(
            "The JSON body does not name a `model`",
        ))
    }

    /// Reads and discards the rest, so that the client sees the response that says why the request
    /// was rejected.
    pub(super) async fn drain(self) {
        drain(self.body).await;
    }
}

fn too_large() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "The request body is too large",
    )
}

/// Buffered bytes.
pub(super) struct Held {
    state: Arc<HubState>,
    bytes: usize,
}

impl Held {
    fn none(state: &Arc<HubState>) -> Self {
        Self {
            state: Arc::clone(state),
            bytes: 0,
        }
    }

    fn all(&self) -> &AtomicUsize {
        &self.state.inference.held
    }

    fn more(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes;
        let all = self.all().fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.bytes > LARGEST_HEAD {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The JSON body names its `model` too late: put it first",
            ));
        }
        if all > LARGEST_HEADS {
            return Err(ApiError::again_later(
                StatusCode::SERVICE_UNAVAILABLE,
                "The Hub is busy. Try again in a moment, and put `model` first in the JSON body",
                1,
            ));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all().fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
