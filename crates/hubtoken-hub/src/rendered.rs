//! A JSON answer that is written once and given many times.
//!
//! Writing an identity and hashing it for its `ETag` takes longer than all else that a whoami does, and what it says
//! changes only with what it is about; whoever keeps the one keeps the other.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::answers::{ApiError, header_text};
use super::secret::hexadecimal;

/// Room for the headers that every answer gets, its own two included; one more would double it.
const HEADERS: usize = 12;

/// The body and its weak `ETag`.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    body: Bytes,
    tag: HeaderValue,
}

impl Rendered {
    pub(crate) fn new(body: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let tag = format!(
            "W/\"{:x}-{}\"",
            body.len(),
            &hexadecimal(&Sha256::digest(&body))[..27]
        );
        Ok(Self {
            body: body.into(),
            tag: header_text(&tag),
        })
    }

    pub(crate) fn answer(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(ETAG, self.tag.clone());
        response
    }
}
