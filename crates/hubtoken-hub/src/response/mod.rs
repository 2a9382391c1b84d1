//! Builds the responses sent to clients: the Hub's errors, and JSON with the Hub's headers.
//!
//! An error is created where it occurs and written in one place, [`render`], because its format
//! ([`ErrorFormat`]) depends on the routes: JSON in the API, plain text for files. Where the real
//! Hub has a text for an error, it is used verbatim, because some clients compare it.

mod api_error;
mod error_format;
mod error_mapping;
mod success;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

pub(crate) use self::api_error::ApiError;
pub(crate) use self::error_format::ErrorFormat;
pub(crate) use self::error_mapping::storage_error;
pub(crate) use self::success::{created, no_content, uncacheable};
use super::cached_json::CachedJson;

pub(crate) const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
pub(crate) const X_ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");
pub(crate) const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");

/// Capacity for the headers that every response gets, including the two set here; one more would
/// double it.
const HEADER_CAPACITY: usize = 12;

/// The media type that git-lfs uses for its JSON.
pub(crate) const LFS_JSON: &str = "application/vnd.git-lfs+json";
const LFS_AUTHENTICATE: HeaderName = HeaderName::from_static("lfs-authenticate");

pub(crate) type ApiResult = Result<Response, ApiError>;

/// Writes an error in the format of its routes.
pub(crate) fn render(error: &ApiError, format: ErrorFormat) -> Response {
    let (content_type, body) = match format {
        ErrorFormat::Lfs => (LFS_JSON, json!({ "message": error.message }).to_string()),
        ErrorFormat::Json => {
            let body = match &error.url {
                Some(url) => json!({ "error": error.message, "url": url }),
                None => json!({ "error": error.message }),
            };
            ("application/json; charset=utf-8", body.to_string())
        }
        ErrorFormat::Text | ErrorFormat::Git => {
            ("text/plain; charset=utf-8", error.message.clone())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_ERROR_MESSAGE, header_text(&error.message));
    if let Some(code) = error.code {
        headers.insert(X_ERROR_CODE, HeaderValue::from_static(code));
    }
    if error.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, challenge(format));
        if format == ErrorFormat::Lfs {
            headers.insert(LFS_AUTHENTICATE, challenge(format));
        }
    }
    for (name, value) in &error.headers {
        headers.insert(name, header_text(value));
    }
    if let Some(rate_limit) = &error.rate_limit {
        response.extensions_mut().insert(**rate_limit);
    }
    response
}

/// Git only looks for credentials if the challenge is `Basic`.
fn challenge(format: ErrorFormat) -> HeaderValue {
    HeaderValue::from_static(if format.is_for_git() {
        "Basic realm=\"Authentication required\", charset=\"UTF-8\""
    } else {
        "Bearer realm=\"Authentication required\", charset=\"UTF-8\""
    })
}

/// Makes a text safe for a header: printable ASCII, with everything else replaced by `?`.
pub(crate) fn header_text(text: &str) -> HeaderValue {
    let text: String = text
        .chars()
        .map(|each| if matches!(each, ' '..='~') { each } else { '?' })
        .collect();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("?"))
}

/// A JSON response with a weak `ETag`, as the Hub sends it.
pub(crate) fn json_response(body: &impl Serialize) -> ApiResult {
    cached_json(body).map(|cached_json| cached_json.into_response())
}

/// The same body, to be cached and sent again.
pub(crate) fn cached_json(body: &impl Serialize) -> Result<CachedJson, ApiError> {
    CachedJson::new(body)
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

impl IntoResponse for &CachedJson {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        let headers = response.headers_mut();
        headers.reserve(HEADER_CAPACITY);
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        let tag = HeaderValue::from_maybe_shared(self.tag.clone());
        headers.insert(ETAG, tag.unwrap_or(HeaderValue::from_static("?")));
        response
    }
}

/// The plain `OK` of endpoints that return no data.
pub(crate) fn ok() -> Response {
    let mut response = Response::new(Body::from("OK"));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
