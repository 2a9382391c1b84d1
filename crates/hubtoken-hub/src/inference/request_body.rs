//! Reads a request's body, limits its size, and finds the model that it names.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;

use super::model_scanner::{Malformed, ModelScanner};
use crate::extract::body::drain;
use crate::response::ApiError;
use crate::state::HubState;

/// The largest body that is forwarded. It may contain images and audio as base64.
const MAX_BODY_BYTES: u64 = 64 << 20;
/// How much of a body is buffered until it names its model. Most bodies name it first, some only
/// after the messages.
const MAX_HEAD_BYTES: usize = 4 << 20;
/// How much is buffered for all requests together.
const MAX_BUFFERED_BYTES: usize = 128 << 20;

/// A request body being read.
pub(super) struct RequestBody {
    body: Body,
    /// `None` for a body that need not be JSON.
    scanner: Option<ModelScanner>,
    received: u64,
}

/// The start of a body, up to its model's name.
pub(super) struct BufferedHead {
    pub chunks: Vec<Bytes>,
    pub model: String,
    /// Counts toward the limit until the start is forwarded.
    pub permit: BufferPermit,
}

impl RequestBody {
    pub(super) fn new(body: Body, is_json: bool) -> Result<Self, (ApiError, Body)> {
        if body.size_hint().lower() > MAX_BODY_BYTES {
            return Err((too_large(), body));
        }
        Ok(Self {
            body,
            scanner: is_json.then(ModelScanner::new),
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
                return self.check_complete().map(|()| None);
            };
            let frame = frame.map_err(|_| ApiError::bad_request("The request was cut off"))?;
            // Trailers are not forwarded.
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            self.received += chunk.len() as u64;
            if self.received > MAX_BODY_BYTES {
                return Err(too_large());
            }
            if let Some(scanner) = &mut self.scanner {
                scanner
                    .feed(&chunk)
                    .map_err(|malformed| ApiError::bad_request(malformed.message()))?;
            }
            if self.body.is_end_stream() {
                self.check_complete()?;
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    fn check_complete(&self) -> Result<(), ApiError> {
        match &self.scanner {
            Some(scanner) if !scanner.is_whole() => {
                Err(ApiError::bad_request(Malformed::NotJson.message()))
            }
            _ => Ok(()),
        }
    }

    /// Reads until the body has named its model.
    pub(super) async fn head(&mut self, state: &Arc<HubState>) -> Result<BufferedHead, ApiError> {
        let mut chunks = Vec::new();
        let mut permit = BufferPermit::new(state);
        while let Some(chunk) = self.next().await? {
            let length = chunk.len();
            chunks.push(chunk);
            if let Some(model) = self.model() {
                let model = model.to_owned();
                return Ok(BufferedHead {
                    chunks,
                    model,
                    permit,
                });
            }
            permit.grow(length)?;
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
pub(super) struct BufferPermit {
    state: Arc<HubState>,
    bytes: usize,
}

impl BufferPermit {
    fn new(state: &Arc<HubState>) -> Self {
        Self {
            state: Arc::clone(state),
            bytes: 0,
        }
    }

    fn total(&self) -> &AtomicUsize {
        &self.state.services.inference.buffered_bytes
    }

    fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes;
        let total = self.total().fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.bytes > MAX_HEAD_BYTES {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The JSON body names its `model` too late: put it first",
            ));
        }
        if total > MAX_BUFFERED_BYTES {
            return Err(ApiError::retry_later(
                StatusCode::SERVICE_UNAVAILABLE,
                "The Hub is busy. Try again in a moment, and put `model` first in the JSON body",
                1,
            ));
        }
        Ok(())
    }
}

impl Drop for BufferPermit {
    fn drop(&mut self) {
        self.total().fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
