//! `/settings/logins`: the programs that are logged in as the user, and the end of each login.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use time::OffsetDateTime;

use super::display_time::{DisplayTime, day, minute};
use super::error::{PageError, PageResult};
use super::form::Form;
use super::login_scopes;
use super::view::{Frame, html, see_other};
use super::visitor::SignedIn;
use crate::registry::Login;
use crate::state::HubState;

const LIST: &str = "/settings/logins";
const NAV_ENTRY: &str = "logins";

#[derive(Template)]
#[template(path = "logins.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "login_end.html")]
struct EndPage {
    frame: Frame,
    login: Row,
}

struct Row {
    id: String,
    client: String,
    is_everything: bool,
    lines: Vec<String>,
    since: DisplayTime,
    last_used: Option<DisplayTime>,
    ends: Option<DisplayTime>,
    has_ended: bool,
}

impl Row {
    fn new(login: Login, now: OffsetDateTime) -> Self {
        Self {
            is_everything: login.scopes.is_everything(),
            lines: login_scopes::lines(&login.scopes),
            id: login.id,
            client: login.client,
            since: day(login.created_at),
            last_used: login.last_used_at.map(minute),
            ends: login.expires_at.map(minute),
            has_ended: login.expires_at.is_some_and(|end| end <= now),
        }
    }
}

async fn rows(state: &HubState, signed_in: &SignedIn) -> Result<Vec<Row>, PageError> {
    let logins = state.registry.logins(signed_in.user()).await?;
    let now = state.clock.now();
    Ok(logins
        .into_iter()
        .map(|login| Row::new(login, now))
        .collect())
}

async fn find(state: &HubState, signed_in: &SignedIn, id: &str) -> Result<Row, PageError> {
    let rows = rows(state, signed_in).await?;
    rows.into_iter()
        .find(|login| login.id == id)
        .ok_or_else(PageError::not_found)
}

pub(super) async fn list(State(state): State<Arc<HubState>>, signed_in: SignedIn) -> PageResult {
    let page = ListPage {
        rows: rows(&state, &signed_in).await?,
        frame: signed_in.frame(&state, NAV_ENTRY).await?,
    };
    Ok(html(StatusCode::OK, &page))
}

pub(super) async fn end_form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> PageResult {
    let login = find(&state, &signed_in, &id).await?;
    let frame = signed_in.frame(&state, NAV_ENTRY).await?;
    Ok(html(StatusCode::OK, &EndPage { frame, login }))
}

pub(super) async fn end(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    _form: Form,
) -> PageResult {
    let login = find(&state, &signed_in, &id).await?;
    let context = signed_in.audit_context(&state);
    state
        .registry
        .end_login(signed_in.user(), &id, &context)
        .await?;
    let notice = format!("{} is no longer logged in.", login.client);
    signed_in.set_notice(&state, &notice).await?;
    Ok(see_other(LIST))
}
