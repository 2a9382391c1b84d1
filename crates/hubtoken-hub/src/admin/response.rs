//! What the administration API answers, beside plain JSON.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::answers::{Answer, json_answer};

pub(super) fn created(body: &Value) -> Answer {
    let mut response = json_answer(body)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// An answer that holds a secret: nothing on the way may keep it, nor its digest in an `ETag`.
pub(super) fn secret(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(ETAG);
    response
}

pub(super) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
