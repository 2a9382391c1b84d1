//! `/settings/tokens/{id}` and what is done there: rename, refresh, delete. Each has a page that asks first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::list::Row;
use super::new::check_name;
use super::wish::Wish;
use super::{own_token, value_page};
use crate::hub::pages::error::PageError;
use crate::hub::pages::form::Form;
use crate::hub::pages::view::{Frame, Mistakes, html};
use crate::hub::pages::visitor::SignedIn;
use crate::hub::pages::{Page, see_other};
use crate::hub::registry::TokenInfo;
use crate::hub::secret::Secret;
use crate::hub::state::HubState;

#[derive(Template)]
#[template(path = "token.html")]
struct OverviewPage {
    frame: Frame,
    token: Row,
    lines: Vec<String>,
}

#[derive(Template)]
#[template(path = "token_rename.html")]
struct RenamePage<'a> {
    frame: Frame,
    token: &'a TokenInfo,
    name: &'a str,
    mistakes: Mistakes,
}

#[derive(Template)]
#[template(path = "token_refresh.html")]
struct RefreshPage<'a> {
    frame: Frame,
    token: &'a TokenInfo,
    once: &'a str,
}

#[derive(Template)]
#[template(path = "token_delete.html")]
struct DeletePage<'a> {
    frame: Frame,
    token: &'a TokenInfo,
}

pub(in crate::hub::pages) async fn overview(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Page {
    let token = own_token(&state, &signed_in, &id).await?;
    let wish = Wish::from_token(&token, &signed_in.session().user.id);
    let page = OverviewPage {
        frame: signed_in.frame(&state, "tokens").await?,
        token: Row::new(&token, state.clock.now()),
        lines: wish.lines(signed_in.user()),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::hub::pages) async fn rename_form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Page {
    let token = own_token(&state, &signed_in, &id).await?;
    let place = (StatusCode::OK, Mistakes::default());
    rename_page(&state, &signed_in, &token, &token.name, place).await
}

pub(in crate::hub::pages) async fn rename(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    form: Form,
) -> Page {
    let token = own_token(&state, &signed_in, &id).await?;
    let name = form.one("name").trim();
    let mut mistakes = Mistakes::default();
    check_name(name, &mut mistakes);
    if !mistakes.0.is_empty() {
        let place = (StatusCode::UNPROCESSABLE_ENTITY, mistakes);
        return rename_page(&state, &signed_in, &token, name, place).await;
    }
    state
        .registry
        .rename_token(signed_in.user(), &token.id, name, &signed_in.origin(&state))
        .await?;
    let notice = format!("“{}” is called “{name}” now.", token.name);
    signed_in.say(&state, &notice).await?;
    Ok(see_other(&format!("/settings/tokens/{}", token.id)))
}

pub(in crate::hub::pages) async fn refresh_form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Page {
    let once = Secret::random_id()?;
    let page = RefreshPage {
        frame: signed_in.frame(&state, "tokens").await?,
        token: &own_token(&state, &signed_in, &id).await?,
        once: once.reveal(),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::hub::pages) async fn refresh(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    form: Form,
) -> Page {
    let token = own_token(&state, &signed_in, &id).await?;
    signed_in.once(&state, form.one("once")).await?;
    let created = state
        .registry
        .refresh_token(signed_in.user(), &token.id, &signed_in.origin(&state))
        .await?;
    let frame = signed_in.frame(&state, "tokens").await?;
    let title = "The token has a new value";
    Ok(value_page(frame, title, &created, StatusCode::OK))
}

pub(in crate::hub::pages) async fn delete_form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Page {
    let page = DeletePage {
        frame: signed_in.frame(&state, "tokens").await?,
        token: &own_token(&state, &signed_in, &id).await?,
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::hub::pages) async fn delete(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    _form: Form,
) -> Page {
    let token = own_token(&state, &signed_in, &id).await?;
    state
        .registry
        .delete_token(signed_in.user(), &token.id, &signed_in.origin(&state))
        .await?;
    let notice = format!("“{}” was deleted and does not work any more.", token.name);
    signed_in.say(&state, &notice).await?;
    Ok(see_other("/settings/tokens"))
}

async fn rename_page(
    state: &HubState,
    signed_in: &SignedIn,
    token: &TokenInfo,
    name: &str,
    (status, mistakes): (StatusCode, Mistakes),
) -> Result<Response, PageError> {
    let page = RenamePage {
        frame: signed_in.frame(state, "tokens").await?,
        token,
        name,
        mistakes,
    };
    Ok(html(status, &page))
}
