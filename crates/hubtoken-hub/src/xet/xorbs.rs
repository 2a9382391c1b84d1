//! `GET …/v1/xorbs/default/{hash}?link=…`: the bytes of a xorb, given a signed link.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

use super::caller::{Address, storage_error};
use crate::api::download::Download;
use crate::blocking::spawn_io;
use crate::response::{ApiError, ApiResult};
use crate::state::HubState;
use crate::stream_body::from_file;

pub(super) async fn fetch(
    State(state): State<Arc<HubState>>,
    address: Address,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> ApiResult {
    let query = query.unwrap_or_default();
    let link = query.strip_prefix("link=").unwrap_or_default();
    let opened = address.open_link(&state, link).await?;
    let hash = address.hash()?;
    let store = opened.store;
    let (file, size) = spawn_io(move || store.open_xorb(&hash))
        .await
        .map_err(storage_error)?
        .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "The xorb is not in the repository"))?;
    let download = Download {
        size,
        tag: format!("\"{}\"", hash.hex()),
    };
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    let wanted = download.prepare(&headers, &mut response)?;
    if let Some(part) = wanted.filter(|_| method != Method::HEAD) {
        *response.body_mut() = from_file(file, &part).map_err(storage_error)?;
    }
    Ok(response)
}
