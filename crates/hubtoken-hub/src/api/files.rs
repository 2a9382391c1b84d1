//! File listings: `GET …/tree/{revision}[/{path}]` and `POST …/paths-info/{revision}`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use crate::auth::access::Action;
use crate::auth::authentication::Caller;
use crate::clock::iso;
use crate::extract::body::{WholeBody, flag};
use crate::extract::repository::RepositoryRef;
use crate::repository::{Entry, OpenRepository, RepositoryError, RepositoryPath};
use crate::response::{ApiError, ApiResult, X_REPO_COMMIT, header_text, json_response};
use crate::state::HubState;

/// The maximum number of paths in one request.
const MAX_PATHS: usize = 10_000;

pub(super) async fn tree(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let repository = target.open(&state, &caller, Action::See).await?;
    let query = query.unwrap_or_default();
    let (recursive, expand) = (flag(&query, "recursive"), flag(&query, "expand"));
    let folder = match target.path.as_deref() {
        None | Some("") => None,
        Some(path) => Some(RepositoryPath::parse_existing(path)?),
    };
    let revision = target.revision();
    let (commit, listed) = state
        .with_repository(&repository, move |repo| {
            let commit = repo.resolve(&revision)?;
            let entries = repo.list(commit, folder.as_ref(), recursive)?;
            Ok((commit, describe(repo, commit, &entries, expand)?))
        })
        .await
        .map_err(|error| tree_error(error, &target))?;
    let mut response = json_response(&listed)?;
    response
        .headers_mut()
        .insert(X_REPO_COMMIT, header_text(&commit.to_string()));
    Ok(response)
}

pub(super) async fn paths_info(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    WholeBody(body): WholeBody,
) -> ApiResult {
    let repository = target.open(&state, &caller, Action::See).await?;
    let (paths, expand) = wanted_paths(&body)?;
    if paths.len() > MAX_PATHS {
        return Err(ApiError::bad_request("Too many paths at once"));
    }
    let paths = paths
        .iter()
        .map(|path| RepositoryPath::parse_existing(path))
        .collect::<Result<Vec<_>, _>>()?;
    let revision = target.revision();
    let listed = state
        .with_repository(&repository, move |repo| {
            let commit = repo.resolve(&revision)?;
            let mut entries = Vec::new();
            for path in &paths {
                // Missing paths are left out, which is how clients detect them.
                entries.extend(repo.find_entry(commit, path)?);
            }
            describe(repo, commit, &entries, expand)
        })
        .await?;
    json_response(&listed)
}

/// Parses the paths of a form, as Python sends it, or of JSON, as JavaScript does.
fn wanted_paths(body: &[u8]) -> Result<(Vec<String>, bool), ApiError> {
    if body.trim_ascii_start().starts_with(b"{") {
        let wrong = || ApiError::bad_request("`paths` must be a list of strings");
        let body: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
        let paths = body
            .get("paths")
            .and_then(Value::as_array)
            .ok_or_else(wrong)?;
        let paths = paths
            .iter()
            .map(|path| path.as_str().map(ToOwned::to_owned))
            .collect::<Option<Vec<_>>>();
        let expand = body.get("expand").and_then(Value::as_bool).unwrap_or(false);
        return Ok((paths.ok_or_else(wrong)?, expand));
    }
    let form = std::str::from_utf8(body)
        .map_err(|_| ApiError::bad_request("The form is not valid UTF-8"))?;
    let paths = url::form_urlencoded::parse(form.as_bytes())
        .filter(|(name, _)| name == "paths" || name == "paths[]")
        .map(|(_, value)| value.into_owned())
        .collect();
    Ok((paths, flag(form, "expand")))
}

fn describe(
    repo: &OpenRepository,
    commit: git2::Oid,
    entries: &[Entry],
    expand: bool,
) -> Result<Vec<Value>, RepositoryError> {
    let mut described = entries
        .iter()
        .map(|entry| {
            let mut described = json!({
                "type": if entry.is_file() { "file" } else { "directory" },
                "oid": entry.oid.to_string(),
                "size": entry.size.unwrap_or(0),
                "path": entry.path,
            });
            if let Some(pointer) = entry.lfs {
                described["lfs"] = json!({
                    "oid": pointer.oid.to_string(),
                    "size": pointer.size,
                    "pointerSize": pointer.text_length,
                });
                if let Some(hash) = repo.xet_hash(pointer.oid)? {
                    described["xetHash"] = json!(hash);
                }
            }
            Ok(described)
        })
        .collect::<Result<Vec<Value>, RepositoryError>>()?;
    if expand {
        for (described, last) in described
            .iter_mut()
            .zip(repo.last_commits(commit, entries)?)
        {
            described["lastCommit"] =
                json!({ "id": last.id.to_string(), "title": last.title, "date": iso(last.date) });
        }
    }
    Ok(described)
}

fn tree_error(error: RepositoryError, target: &RepositoryRef) -> ApiError {
    let text = match &error {
        RepositoryError::EntryNotFound { path, .. } => Some(format!(
            "{path} does not exist on \"{}\"",
            target.revision()
        )),
        _ => None,
    };
    let error = ApiError::from(error);
    match text {
        Some(text) => error.with_message("Entry not found", &text),
        None => error,
    }
}
