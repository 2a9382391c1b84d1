//! `/settings/publishers`: the trusted publishers of the repositories that a user may write to, and
//! those that read in the user's own name.

mod new;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

pub(super) use self::new::{create, form};
use super::display_time::{DisplayTime, minute};
use super::error::{PageError, PageResult};
use super::form::Form;
use super::view::{Frame, html, see_other};
use super::visitor::SignedIn;
use crate::auth::access::user_can_write;
use crate::error::HubError;
use crate::registry::{KNOWN_ISSUERS, Publisher, Repository};
use crate::state::HubState;

const LIST: &str = "/settings/publishers";

#[derive(Template)]
#[template(path = "publishers.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    providers: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "publisher_delete.html")]
struct DeletePage {
    frame: Frame,
    publisher: Row,
}

struct Row {
    id: String,
    resource: String,
    /// Whether it is for reading in the user's name, and not for a repository.
    is_user: bool,
    provider: String,
    claims: Vec<(String, String)>,
    user: String,
    last_used: Option<DisplayTime>,
}

impl From<Publisher> for Row {
    fn from(publisher: Publisher) -> Self {
        let known = KNOWN_ISSUERS
            .iter()
            .find(|known| known.issuer == publisher.issuer);
        Self {
            id: publisher.id,
            is_user: !publisher.resource.contains('/'),
            resource: publisher.resource,
            provider: known.map_or(publisher.issuer, |known| known.name.to_owned()),
            claims: publisher.claims.into_iter().collect(),
            user: publisher.user,
            last_used: publisher.last_used_at.map(minute),
        }
    }
}

/// The repositories that the user may write to, by the path of their page.
async fn own_repositories(
    state: &HubState,
    signed_in: &SignedIn,
) -> Result<Vec<Repository>, HubError> {
    let session = signed_in.session();
    let mut repositories = state.registry.repositories().await?;
    repositories.retain(|each| user_can_write(&session.user, &session.memberships, each));
    repositories.sort_by_key(Repository::page);
    Ok(repositories)
}

async fn own_publishers(
    state: &HubState,
    signed_in: &SignedIn,
) -> Result<Vec<Publisher>, HubError> {
    let repositories = own_repositories(state, signed_in).await?;
    let mut publishers = state.registry.publishers().await?;
    publishers.retain(|publisher| {
        publisher.resource == signed_in.user()
            || repositories
                .binary_search_by(|each| each.page().cmp(&publisher.resource))
                .is_ok()
    });
    Ok(publishers)
}

async fn find(state: &HubState, signed_in: &SignedIn, id: &str) -> Result<Publisher, PageError> {
    let publishers = own_publishers(state, signed_in).await?;
    publishers
        .into_iter()
        .find(|publisher| publisher.id == id)
        .ok_or_else(PageError::not_found)
}

pub(super) async fn list(State(state): State<Arc<HubState>>, signed_in: SignedIn) -> PageResult {
    let publishers = own_publishers(&state, &signed_in).await?;
    let page = ListPage {
        frame: signed_in.frame(&state, "publishers").await?,
        rows: publishers.into_iter().map(Row::from).collect(),
        providers: KNOWN_ISSUERS
            .iter()
            .map(|known| (known.slug, known.name))
            .chain([("other", "Another provider")])
            .collect(),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(super) async fn delete_form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> PageResult {
    let publisher = find(&state, &signed_in, &id).await?.into();
    let frame = signed_in.frame(&state, "publishers").await?;
    Ok(html(StatusCode::OK, &DeletePage { frame, publisher }))
}

pub(super) async fn delete(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    _form: Form,
) -> PageResult {
    let publisher = find(&state, &signed_in, &id).await?;
    let context = signed_in.audit_context(&state);
    state.registry.delete_publisher(&id, &context).await?;
    let notice = format!(
        "{} no longer trusts this publisher. Tokens that were issued for it no longer work.",
        publisher.resource
    );
    signed_in.set_notice(&state, &notice).await?;
    Ok(see_other(LIST))
}
