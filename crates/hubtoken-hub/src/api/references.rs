//! Branches, tags and the log: `…/refs`, `…/commits/{revision}`, `…/branch/{name}`, `…/tag/{name}`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderName;
use axum::http::header::LINK;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::access::Action;
use crate::auth::authentication::Caller;
use crate::clock::iso;
use crate::extract::body::{JsonBody, parameter};
use crate::extract::repository::RepositoryRef;
use crate::repository::Reference;
use crate::response::{ApiError, ApiResult, header_text, json_response, ok};
use crate::state::HubState;

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
/// Commits on one page of the log.
const DEFAULT_LIMIT: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewBranch {
    starting_point: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NewTag {
    tag: String,
}

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
) -> ApiResult {
    let repository = target.open(&state, &caller, Action::See).await?;
    let (branches, tags) = state
        .with_repository(&repository, |repo| {
            Ok((repo.references(BRANCHES)?, repo.references(TAGS)?))
        })
        .await?;
    json_response(&json!({
        "branches": references_json(&branches),
        "tags": references_json(&tags),
        "converts": [],
        "pullRequests": [],
    }))
}

pub(super) async fn log(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let repository = target.open(&state, &caller, Action::See).await?;
    let query = query.unwrap_or_default();
    let number = |name: &str| parameter(&query, name).and_then(|value| value.parse::<usize>().ok());
    let page = number("p").unwrap_or(0).min(1_000_000);
    let limit = number("limit").unwrap_or(DEFAULT_LIMIT).clamp(1, 1000);
    let revision = target.revision();
    let (commits, total) = state
        .with_repository(&repository, move |repo| {
            repo.log(repo.resolve(&revision)?, page * limit, limit)
        })
        .await?;
    let listed: Vec<Value> = commits
        .iter()
        .map(|commit| {
            json!({
                "id": commit.id.to_string(),
                "title": commit.title,
                "message": commit.message,
                "authors": [{ "user": commit.author, "avatar": "" }],
                "date": iso(commit.date),
                "formatted": { "title": commit.title, "message": commit.message },
            })
        })
        .collect();
    let mut response = json_response(&listed)?;
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static("x-total-count"),
        header_text(&total.to_string()),
    );
    if (page + 1) * limit < total {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let next = format!(
            "<{}/api/{}/{}/commits/{}?p={}&limit={limit}>; rel=\"next\"",
            state.endpoint,
            repository.kind.plural(),
            repository.full_name(),
            encode(&target.revision()),
            page + 1,
        );
        headers.insert(LINK, header_text(&next));
    }
    Ok(response)
}

pub(super) async fn create_branch(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    JsonBody(body): JsonBody<NewBranch>,
) -> ApiResult {
    let from = body
        .starting_point
        .unwrap_or_else(|| crate::repository::DEFAULT_BRANCH.to_owned());
    create(
        &state,
        &caller,
        &target,
        (BRANCHES, target.revision(), from),
    )
    .await
}

pub(super) async fn create_tag(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    JsonBody(body): JsonBody<NewTag>,
) -> ApiResult {
    create(
        &state,
        &caller,
        &target,
        (TAGS, body.tag, target.revision()),
    )
    .await
}

async fn create(
    state: &Arc<HubState>,
    caller: &Caller,
    target: &RepositoryRef,
    (prefix, name, from): (&'static str, String, String),
) -> ApiResult {
    let repository = target
        .open(state, caller, Action::Write)
        .await
        .map_err(ApiError::without_pull_request)?;
    state
        .with_repository(&repository, move |repo| {
            repo.create_reference(prefix, &name, &from)
        })
        .await?;
    Ok(ok())
}

pub(super) async fn delete_branch(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
) -> ApiResult {
    delete(&state, &caller, &target, BRANCHES).await
}

pub(super) async fn delete_tag(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
) -> ApiResult {
    delete(&state, &caller, &target, TAGS).await
}

async fn delete(
    state: &Arc<HubState>,
    caller: &Caller,
    target: &RepositoryRef,
    prefix: &'static str,
) -> ApiResult {
    let repository = target
        .open(state, caller, Action::Write)
        .await
        .map_err(ApiError::without_pull_request)?;
    let name = target.revision();
    state
        .with_repository(&repository, move |repo| {
            repo.delete_reference(prefix, &name)
        })
        .await?;
    Ok(ok())
}

fn references_json(references: &[Reference]) -> Vec<Value> {
    references
        .iter()
        .map(|reference| {
            json!({
                "name": reference.name,
                "ref": reference.full_name,
                "targetCommit": reference.target.to_string(),
            })
        })
        .collect()
}
