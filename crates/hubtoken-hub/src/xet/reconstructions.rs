//! `GET …/v1/reconstructions`: which chunks a file consists of, and links to fetch them.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::access_token::{LINK_LIFETIME, Right};
use super::caller::{Address, Opened, parse_hash};
use super::issue::store_address;
use crate::api::range::{RangeSpec, parse_range};
use crate::blocking::spawn_io;
use crate::repository::xet::{Fetch, MerkleHash, Reconstruction, Term};
use crate::response::{ApiError, ApiResult, json_response, storage_error, uncacheable};
use crate::state::HubState;

/// The most files of one request.
const MAX_FILES: usize = 1000;

/// One file, or the part that `Range` names, as version 1 of the protocol describes it.
pub(super) async fn one(
    State(state): State<Arc<HubState>>,
    address: Address,
    headers: HeaderMap,
) -> ApiResult {
    respond(&state, &address, &headers, "fetch_info", version_1).await
}

/// The same as version 2 describes it, in which huggingface.js asks for it. An entry may name several
/// runs of chunks there; here, each names one.
pub(super) async fn one_of_version_2(
    State(state): State<Arc<HubState>>,
    address: Address,
    headers: HeaderMap,
) -> ApiResult {
    respond(&state, &address, &headers, "xorbs", version_2).await
}

async fn respond(
    state: &Arc<HubState>,
    address: &Address,
    headers: &HeaderMap,
    field: &str,
    describe: fn(&str, &Fetch) -> Value,
) -> ApiResult {
    let opened = address.open(state, Right::Read).await?;
    let hash = address.hash()?;
    let range = headers.get(RANGE).cloned();
    let range = range
        .as_ref()
        .map(|range| range.to_str().unwrap_or("bytes="));
    let range = range.map(ToOwned::to_owned);
    let store = opened.store.clone();
    let found = spawn_io(move || {
        let Some(file) = store.file_with_hash(&hash)? else {
            return Ok(None);
        };
        let size = file.file_size();
        let part = match parse_range(range.as_deref(), size) {
            RangeSpec::Whole => 0..size,
            RangeSpec::Range { first, last } => first..last + 1,
            RangeSpec::Unsatisfiable => return Ok(Some(Err(size))),
        };
        Ok::<_, std::io::Error>(Some(Ok(store.reconstruction(&file, part)?)))
    })
    .await
    .map_err(storage_error)?
    .ok_or_else(file_not_found)?
    .map_err(|size| {
        ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "Range not satisfiable")
            .with_header(CONTENT_RANGE, format!("bytes */{size}"))
    })?;
    let mut fetches = BTreeMap::new();
    let terms = collect(found.terms, found.fetches, &mut fetches);
    let body = json!({
        "offset_into_first_range": found.offset,
        "terms": terms,
        field: links(state, &opened, fetches, describe)?,
    });
    Ok(uncacheable(json_response(&body)?))
}

/// Several files, named by `file_id=…`. Those that are not here are left out.
pub(super) async fn batch(
    State(state): State<Arc<HubState>>,
    address: Address,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let opened = address.open(&state, Right::Read).await?;
    let query = query.unwrap_or_default();
    let hashes = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "file_id")
        .map(|(_, text)| parse_hash(&text))
        .collect::<Result<HashSet<MerkleHash>, ApiError>>()?;
    if hashes.len() > MAX_FILES {
        return Err(ApiError::bad_request(format!(
            "Too many files at once: ask for at most {MAX_FILES}"
        )));
    }
    let store = opened.store.clone();
    let found = spawn_io(move || {
        let mut found: Vec<(MerkleHash, Reconstruction)> = Vec::new();
        for hash in hashes {
            if let Some(file) = store.file_with_hash(&hash)? {
                let whole = 0..file.file_size();
                found.push((hash, store.reconstruction(&file, whole)?));
            }
        }
        Ok::<_, std::io::Error>(found)
    })
    .await
    .map_err(storage_error)?;
    let (mut files, mut fetches) = (Map::new(), BTreeMap::new());
    for (hash, file) in found {
        files.insert(
            hash.hex(),
            collect(file.terms, file.fetches, &mut fetches).into(),
        );
    }
    let body = json!({ "files": files, "fetch_info": links(&state, &opened, fetches, version_1)? });
    Ok(uncacheable(json_response(&body)?))
}

/// Whether a file is here, and its length.
pub(super) async fn head(State(state): State<Arc<HubState>>, address: Address) -> ApiResult {
    let opened = address.open(&state, Right::Read).await?;
    let hash = address.hash()?;
    let store = opened.store;
    let file = spawn_io(move || store.file_with_hash(&hash))
        .await
        .map_err(storage_error)?
        .ok_or_else(file_not_found)?;
    let mut response = Response::new(axum::body::Body::empty());
    let length = HeaderValue::from(file.file_size());
    response.headers_mut().insert(CONTENT_LENGTH, length);
    Ok(response)
}

fn file_not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "There is no file with this Xet hash in the repository",
    )
}

/// The terms of a file as JSON; what to fetch for them is added to that of other files.
fn collect(
    terms: Vec<Term>,
    from: BTreeMap<MerkleHash, Vec<Fetch>>,
    fetches: &mut BTreeMap<MerkleHash, Vec<Fetch>>,
) -> Vec<Value> {
    for (hash, wanted) in from {
        let known = fetches.entry(hash).or_default();
        for each in wanted {
            if !known.contains(&each) {
                known.push(each);
            }
        }
    }
    let json = |term: Term| {
        json!({
            "hash": term.xorb.hex(),
            "unpacked_length": term.unpacked_length,
            "range": range_json(&term.chunks),
        })
    };
    terms.into_iter().map(json).collect()
}

/// What to fetch, with a link for each xorb.
fn links(
    state: &HubState,
    opened: &Opened,
    fetches: BTreeMap<MerkleHash, Vec<Fetch>>,
    describe: fn(&str, &Fetch) -> Value,
) -> Result<Map<String, Value>, ApiError> {
    let repository = &opened.repository;
    let key = state.services.seals.key().map_err(storage_error)?;
    let until = state.clock.now() + LINK_LIFETIME;
    let mut result = Map::new();
    for (hash, fetches) in fetches {
        let link = opened
            .grant
            .to_link(&key, repository, &hash, until)
            .map_err(storage_error)?;
        let name = hash.hex();
        let store = store_address(&state.endpoint, repository);
        let url = format!("{store}/v1/xorbs/default/{name}?link={link}");
        let described = fetches.iter().map(|fetch| describe(&url, fetch)).collect();
        result.insert(name, described);
    }
    Ok(result)
}

fn version_1(url: &str, fetch: &Fetch) -> Value {
    json!({
        "range": range_json(&fetch.chunks),
        "url": url,
        "url_range": bytes_json(fetch),
    })
}

fn version_2(url: &str, fetch: &Fetch) -> Value {
    let range = json!({ "chunks": range_json(&fetch.chunks), "bytes": bytes_json(fetch) });
    json!({ "url": url, "ranges": [range] })
}

/// Where the chunks are in the xorb; the end is included.
fn bytes_json(fetch: &Fetch) -> Value {
    json!({ "start": fetch.bytes.start, "end": fetch.bytes.end - 1 })
}

fn range_json(range: &Range<u32>) -> Value {
    json!({ "start": range.start, "end": range.end })
}
