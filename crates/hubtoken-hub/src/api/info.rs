//! `GET /api/{models|datasets|spaces}/…`: information about a repository and its files, and the
//! list of repositories.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use git2::Oid;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::repositories::gated_value;
use crate::auth::access::{Action, decide};
use crate::auth::authentication::Caller;
use crate::clock::iso;
use crate::extract::body::{flag, parameter};
use crate::extract::repository::RepositoryRef;
use crate::names;
use crate::registry::{Repository, RepositoryType};
use crate::repository::Entry;
use crate::response::{ApiError, ApiResult, json_response};
use crate::state::HubState;

/// The maximum number of repositories in a list.
const MAX_LISTED: usize = 1000;

pub(super) async fn info(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let repository = target.open(&state, &caller, Action::See).await?;
    let revision = target.revision();
    let (sha, date, entries) = state
        .with_repository(&repository, move |repo| {
            let commit = repo.resolve(&revision)?;
            Ok((
                commit,
                repo.commit_info(commit)?.date,
                repo.list(commit, None, true)?,
            ))
        })
        .await?;
    let with_blobs = flag(&query.unwrap_or_default(), "blobs");
    let siblings: Vec<Value> = entries
        .iter()
        .filter(|entry| entry.is_file())
        .map(|entry| sibling(entry, with_blobs))
        .collect();
    let mut body = summary(&repository);
    add_commit(&mut body, sha, date);
    // Pointers may contain any size.
    let used = entries
        .iter()
        .filter_map(|entry| entry.size)
        .fold(0, u64::saturating_add);
    body["usedStorage"] = json!(used);
    body["siblings"] = json!(siblings);
    json_response(&body)
}

/// `GET /api/models?author=…&search=…&limit=…`: the repositories that the caller may see, newest
/// first.
pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let kind = RepositoryType::parse_plural(&kind).ok_or_else(ApiError::page_not_found)?;
    let query = query.unwrap_or_default();
    let author = parameter(&query, "author").map(|author| names::key(&author));
    let search = parameter(&query, "search").map(|search| search.to_lowercase());
    let limit = parameter(&query, "limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(MAX_LISTED);
    let all = state.registry.repositories().await?;
    let shown: Vec<Value> = all
        .iter()
        .filter(|repository| repository.kind == kind)
        .filter(|repository| {
            author
                .as_ref()
                .is_none_or(|author| names::key(&repository.namespace) == *author)
        })
        .filter(|repository| {
            search
                .as_ref()
                .is_none_or(|search| repository.full_name().to_lowercase().contains(search))
        })
        .filter(|repository| decide(caller.principal(), repository, false, Action::See).is_ok())
        .take(limit.min(MAX_LISTED))
        .map(summary)
        .collect();
    json_response(&shown)
}

fn summary(repository: &Repository) -> Value {
    let mut body = json!({
        "_id": repository.id,
        "id": repository.full_name(),
        "author": repository.namespace,
        "private": repository.private,
        "gated": gated_value(repository.gated),
        "disabled": repository.disabled,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "createdAt": iso(repository.created_at),
    });
    if repository.kind == RepositoryType::Model {
        body["modelId"] = json!(repository.full_name());
    }
    body
}

fn add_commit(body: &mut Value, sha: Oid, date: OffsetDateTime) {
    body["sha"] = json!(sha.to_string());
    body["lastModified"] = json!(iso(date));
}

fn sibling(entry: &Entry, with_blobs: bool) -> Value {
    let mut sibling = json!({ "rfilename": entry.path });
    if with_blobs {
        sibling["size"] = json!(entry.size);
        sibling["blobId"] = json!(entry.oid.to_string());
        if let Some(pointer) = entry.lfs {
            sibling["lfs"] = json!({
                "sha256": pointer.oid.to_string(),
                "size": pointer.size,
                "pointerSize": pointer.text_length,
            });
        }
    }
    sibling
}
