//! File listings: `GET …/tree/{revision}[/{path}]` and `POST …/paths-info/{revision}`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use crate::access::Action;
use crate::answers::{Answer, ApiError, X_REPO_COMMIT, header_text, json_answer};
use crate::authentication::Caller;
use crate::clock::iso;
use crate::extract::body::{WholeBody, flag};
use crate::extract::repository::Address;
use crate::repository::{Content, Entry, GitFault, RepositoryPath};
use crate::state::HubState;

/// The maximum number of paths in one request.
const MOST_PATHS: usize = 10_000;

pub(super) async fn tree(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    RawQuery(query): RawQuery,
) -> Answer {
    let repository = address.open(&state, &caller, Action::See).await?;
    let query = query.unwrap_or_default();
    let (recursive, expand) = (flag(&query, "recursive"), flag(&query, "expand"));
    let folder = match address.path.as_deref() {
        None | Some("") => None,
        Some(path) => Some(RepositoryPath::parse_existing(path)?),
    };
    let revision = address.revision();
    let (commit, listed) = state
        .on_content(&repository, move |content| {
            let commit = content.resolve(&revision)?;
            let entries = content.list(commit, folder.as_ref(), recursive)?;
            Ok((commit, describe(content, commit, &entries, expand)?))
        })
        .await
        .map_err(|fault| tree_error(fault, &address))?;
    let mut response = json_answer(&listed)?;
    response
        .headers_mut()
        .insert(X_REPO_COMMIT, header_text(&commit.to_string()));
    Ok(response)
}

pub(super) async fn paths_info(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    WholeBody(body): WholeBody,
) -> Answer {
    let repository = address.open(&state, &caller, Action::See).await?;
    let (paths, expand) = wanted_paths(&body)?;
    if paths.len() > MOST_PATHS {
        return Err(ApiError::bad_request("Too many paths at once"));
    }
    let paths = paths
        .iter()
        .map(|path| RepositoryPath::parse_existing(path))
        .collect::<Result<Vec<_>, _>>()?;
    let revision = address.revision();
    let listed = state
        .on_content(&repository, move |content| {
            let commit = content.resolve(&revision)?;
            let mut entries = Vec::new();
            for path in &paths {
                // Missing paths are left out, which is how clients detect them.
                entries.extend(content.find_entry(commit, path)?);
            }
            describe(content, commit, &entries, expand)
        })
        .await?;
    json_answer(&listed)
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
    content: &Content,
    commit: git2::Oid,
    entries: &[Entry],
    expand: bool,
) -> Result<Vec<Value>, GitFault> {
    let mut described: Vec<Value> = entries
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
                    "pointerSize": pointer.own_size,
                });
            }
            described
        })
        .collect();
    if expand {
        for (described, last) in described
            .iter_mut()
            .zip(content.last_commits(commit, entries)?)
        {
            described["lastCommit"] =
                json!({ "id": last.id.to_string(), "title": last.title, "date": iso(last.date) });
        }
    }
    Ok(described)
}

fn tree_error(fault: GitFault, address: &Address) -> ApiError {
    let text = match &fault {
        GitFault::EntryNotFound { path, .. } => Some(format!(
            "{path} does not exist on \"{}\"",
            address.revision()
        )),
        _ => None,
    };
    let error = ApiError::from(fault);
    match text {
        Some(text) => error.reworded("Entry not found", &text),
        None => error,
    }
}
