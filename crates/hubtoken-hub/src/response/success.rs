//! Successful responses other than plain JSON.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::{ApiResult, json_response};

pub(crate) fn created(body: &Value) -> ApiResult {
    let mut response = json_response(body)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// A response that contains a secret: no cache may store it, and no `ETag` may contain its digest.
pub(crate) fn uncacheable(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(ETAG);
    response
}

pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
