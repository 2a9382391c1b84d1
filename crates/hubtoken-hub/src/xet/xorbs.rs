//! `GET …/v1/xorbs/default/{hash}?link=…`: the bytes of a xorb, given a signed link.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};

use super::caller::Address;
use crate::api::download::Download;
use crate::blocking::spawn_io;
use crate::response::{ApiError, ApiResult, storage_error};
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
    let (mut response, wanted) = download.binary_response(&headers)?;
    if let Some(part) = wanted.filter(|_| method != Method::HEAD) {
        *response.body_mut() = from_file(file, &part).map_err(storage_error)?;
    }
    Ok(response)
}
