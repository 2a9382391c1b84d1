//! Downloads: conditional requests and ranges.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::range::{RangeSpec, parse_range};
use crate::response::{ApiError, header_text};

/// A file that can be downloaded.
pub(crate) struct Download {
    pub size: u64,
    /// The entity tag of the content, in quotes.
    pub tag: String,
}

impl Download {
    /// Writes status and headers; returns the byte range to send, or `None` if there is nothing to
    /// send.
    pub(crate) fn prepare(
        &self,
        headers: &HeaderMap,
        response: &mut Response,
    ) -> Result<Option<Range<u64>>, ApiError> {
        let response_headers = response.headers_mut();
        response_headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        response_headers.insert(ETAG, header_text(&self.tag));
        if self.matches(headers, &IF_NONE_MATCH) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(None);
        }
        // A range is only useful to a client that has the rest of the same file.
        let range = if !headers.contains_key(IF_RANGE) || self.matches(headers, &IF_RANGE) {
            headers.get(RANGE).and_then(|range| range.to_str().ok())
        } else {
            None
        };
        let size = self.size;
        let wanted = match parse_range(range, size) {
            RangeSpec::Whole => 0..size,
            RangeSpec::Range { first, last } => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let text = format!("bytes {first}-{last}/{size}");
                response
                    .headers_mut()
                    .insert(CONTENT_RANGE, header_text(&text));
                first..last + 1
            }
            RangeSpec::Unsatisfiable => {
                return Err(ApiError::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "Range not satisfiable",
                )
                .with_header(CONTENT_RANGE, format!("bytes */{size}")));
            }
        };
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(wanted.end - wanted.start));
        Ok(Some(wanted))
    }

    /// The response to a request for bytes, and the range to send, as [`Download::prepare`] has it.
    pub(crate) fn binary_response(
        &self,
        headers: &HeaderMap,
    ) -> Result<(Response, Option<Range<u64>>), ApiError> {
        let mut response = Response::new(Body::empty());
        let bytes = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(CONTENT_TYPE, bytes);
        let wanted = self.prepare(headers, &mut response)?;
        Ok((response, wanted))
    }

    fn matches(&self, headers: &HeaderMap, name: &HeaderName) -> bool {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|candidate| {
                let candidate = candidate.trim();
                candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == self.tag
            })
    }
}
