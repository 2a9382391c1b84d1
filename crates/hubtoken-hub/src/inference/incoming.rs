//! The body of a request on its way in: bounded, and looked into for the model that it names.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;

use super::json::{Malformed, Scanner};
use crate::answers::ApiError;
use crate::extract::body::drain;
use crate::state::HubState;

/// The largest body that is forwarded: pictures and sounds are in it, as base64.
const LARGEST: u64 = 64 << 20;
/// How much of a body is held until it names its model. Most name it first, some after the messages.
const LARGEST_HEAD: usize = 4 << 20;
/// How much is held for all requests together.
const LARGEST_HEADS: usize = 128 << 20;

/// A body, and what is known of it.
pub(super) struct Incoming {
    body: Body,
    /// `None` for a body that need not be JSON.
    scanner: Option<Scanner>,
    received: u64,
}

/// The beginning of a body.
pub(super) struct Head {
    pub pieces: Vec<Bytes>,
    pub model: String,
    /// Counted until the beginning was handed on.
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

    /// Its length, if the client told.
    pub(super) fn length(&self) -> Option<u64> {
        self.body
            .size_hint()
            .exact()
            .map(|left| left + self.received)
    }

    /// The model, as far as it was read.
    pub(super) fn model(&self) -> Option<&str> {
        self.scanner.as_ref()?.model()
    }

    /// The next piece. What is wrong with the body is found before the piece is given out.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let body = &mut self.body;
            let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
            let Some(frame) = frame.await else {
                return self.ended().map(|()| None);
            };
            let frame = frame.map_err(|_| ApiError::bad_request("The request was cut off"))?;
            // Trailers are not handed on.
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
        Err(ApiError::bad_request("The JSON body names no `model`"))
    }

    /// Reads what is left, so that the client sees the answer that says why nobody wants it.
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

/// Bytes that are held.
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
