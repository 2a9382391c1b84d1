//! Branches, tags and the log: `…/refs`, `…/commits/{revision}`, `…/branch/{name}`, `…/tag/{name}`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderName;
use axum::http::header::LINK;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Action;
use crate::answers::{Answer, ApiError, header_text, json_answer, ok};
use crate::authentication::Caller;
use crate::clock::iso;
use crate::extract::body::{JsonBody, parameter};
use crate::extract::repository::Address;
use crate::repository::Reference;
use crate::state::HubState;

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
/// Commits on one page of the log.
const PAGE: usize = 50;

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
    address: Address,
) -> Answer {
    let repository = address.open(&state, &caller, Action::See).await?;
    let (branches, tags) = state
        .on_content(&repository, |content| {
            Ok((content.references(BRANCHES)?, content.references(TAGS)?))
        })
        .await?;
    json_answer(&json!({
        "branches": described(&branches),
        "tags": described(&tags),
        "converts": [],
        "pullRequests": [],
    }))
}

pub(super) async fn log(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    RawQuery(query): RawQuery,
) -> Answer {
    let repository = address.open(&state, &caller, Action::See).await?;
    let query = query.unwrap_or_default();
    let number = |name: &str| parameter(&query, name).and_then(|value| value.parse::<usize>().ok());
    let page = number("p").unwrap_or(0).min(1_000_000);
    let limit = number("limit").unwrap_or(PAGE).clamp(1, 1000);
    let revision = address.revision();
    let (commits, total) = state
        .on_content(&repository, move |content| {
            content.log(content.resolve(&revision)?, page * limit, limit)
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
    let mut response = json_answer(&listed)?;
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
            encode(&address.revision()),
            page + 1,
        );
        headers.insert(LINK, header_text(&next));
    }
    Ok(response)
}

pub(super) async fn create_branch(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    JsonBody(body): JsonBody<NewBranch>,
) -> Answer {
    let from = body
        .starting_point
        .unwrap_or_else(|| crate::repository::DEFAULT_BRANCH.to_owned());
    create(
        &state,
        &caller,
        &address,
        (BRANCHES, address.revision(), from),
    )
    .await
}

pub(super) async fn create_tag(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    JsonBody(body): JsonBody<NewTag>,
) -> Answer {
    create(
        &state,
        &caller,
        &address,
        (TAGS, body.tag, address.revision()),
    )
    .await
}

async fn create(
    state: &Arc<HubState>,
    caller: &Caller,
    address: &Address,
    (prefix, name, from): (&'static str, String, String),
) -> Answer {
    let repository = address
        .open(state, caller, Action::Write)
        .await
        .map_err(ApiError::without_pull_request)?;
    state
        .on_content(&repository, move |content| {
            content.create_reference(prefix, &name, &from)
        })
        .await?;
    Ok(ok())
}

pub(super) async fn delete_branch(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
) -> Answer {
    delete(&state, &caller, &address, BRANCHES).await
}

pub(super) async fn delete_tag(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
) -> Answer {
    delete(&state, &caller, &address, TAGS).await
}

async fn delete(
    state: &Arc<HubState>,
    caller: &Caller,
    address: &Address,
    prefix: &'static str,
) -> Answer {
    let repository = address
        .open(state, caller, Action::Write)
        .await
        .map_err(ApiError::without_pull_request)?;
    let name = address.revision();
    state
        .on_content(&repository, move |content| {
            content.delete_reference(prefix, &name)
        })
        .await?;
    Ok(ok())
}

fn described(references: &[Reference]) -> Vec<Value> {
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
