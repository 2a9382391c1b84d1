//! Request bodies and query parameters, with the Hub's errors instead of the framework's.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::response::ApiError;

/// Limits for reading and discarding an unwanted body.
const MAX_DRAINED_BYTES: usize = 64 << 20;
/// How many bytes of a body are written at once.
const WRITE_BUFFER_BYTES: usize = 256 << 10;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body, regardless of the content type; an empty one is `{}`.
pub(crate) struct JsonBody<T>(pub T);

/// A complete body.
pub(crate) struct WholeBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for WholeBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Bytes::from_request(request, state)
            .await
            .map(Self)
            .map_err(|rejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    ApiError::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "The request body is too large",
                    )
                } else {
                    ApiError::bad_request("The request body could not be read")
                }
            })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let WholeBody(body) = WholeBody::from_request(request, state).await?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
        // The parser's message may quote a value, and a value may be a secret.
        serde_json::from_slice(body).map(Self).map_err(|error| {
            ApiError::bad_request(match error.classify() {
                serde_json::error::Category::Data => {
                    "A field of the JSON body is missing, unknown or has the wrong type"
                }
                _ => "The request body is not JSON",
            })
        })
    }
}

/// Reads and discards the rest of an unwanted body, within limits. A connection that is closed with
/// unread data is reset, and the client would never see the response that states the reason.
pub(crate) async fn drain(body: Body) {
    let mut body = std::pin::pin!(body);
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) =
            std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MAX_DRAINED_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, reading).await;
}

/// Passes a body on in steps, so that whoever writes it holds a blocking thread for only one step at a
/// time.
pub(crate) async fn write_in_steps<S, W: Future<Output = Result<S, ApiError>>>(
    body: Body,
    mut sink: S,
    write: impl Fn(S, Vec<u8>) -> W,
) -> Result<S, ApiError> {
    let mut body = std::pin::pin!(body);
    let mut buffer = Vec::with_capacity(WRITE_BUFFER_BYTES);
    loop {
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        let ended = match frame {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    buffer.extend_from_slice(&data);
                }
                false
            }
            Some(Err(_)) => return Err(ApiError::bad_request("The request was cut off")),
            None => true,
        };
        if buffer.len() >= WRITE_BUFFER_BYTES || (ended && !buffer.is_empty()) {
            let written = std::mem::replace(&mut buffer, Vec::with_capacity(WRITE_BUFFER_BYTES));
            sink = write(sink, written).await?;
        }
        if ended {
            return Ok(sink);
        }
    }
}

/// A parameter of a query or a form; the first if there are several.
pub(crate) fn parameter(query: &str, wanted: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value.into_owned())
}

/// Whether a parameter is present and true, in any of the spellings that clients use.
pub(crate) fn flag(query: &str, wanted: &str) -> bool {
    parameter(query, wanted).is_some_and(|value| {
        value == "1" || value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("on")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_every_spelling() {
        for query in ["recursive=true", "a=b&recursive=True", "recursive=1"] {
            assert!(flag(query, "recursive"), "{query}");
        }
        for query in ["", "recursive=false", "recursive", "recursiv=1"] {
            assert!(!flag(query, "recursive"), "{query}");
        }
        assert_eq!(parameter("a=b%20c&a=d", "a").as_deref(), Some("b c"));
    }
}
