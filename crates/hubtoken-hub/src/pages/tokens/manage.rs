//! `/settings/tokens/{id}` and its actions: rename, refresh, delete. Each has a confirmation page.

use askama::Template;
use axum::http::StatusCode;

use super::list::Row;
use super::new::check_name;
use super::{Managed, value_page};
use crate::pages::error::Page;
use crate::pages::form::Form;
use crate::pages::view::{Frame, Mistakes, html};
use crate::registry::TokenInfo;
use crate::secret::Secret;

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

pub(in crate::pages) async fn overview(managed: Managed) -> Page {
    let page = OverviewPage {
        frame: managed.frame().await?,
        token: Row::new(&managed.token, managed.state.clock.now()),
        lines: managed.wish().lines(managed.user()),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn rename_form(managed: Managed) -> Page {
    let place = (StatusCode::OK, Mistakes::default());
    rename_page(&managed, &managed.token.name, place).await
}

pub(in crate::pages) async fn rename(managed: Managed, form: Form) -> Page {
    let name = form.one("name").trim();
    let mut mistakes = Mistakes::default();
    check_name(name, &mut mistakes);
    if !mistakes.0.is_empty() {
        let place = (StatusCode::UNPROCESSABLE_ENTITY, mistakes);
        return rename_page(&managed, name, place).await;
    }
    let registry = &managed.state.registry;
    registry
        .rename_token(managed.user(), &managed.token.id, name, &managed.origin())
        .await?;
    let notice = format!("“{}” is called “{name}” now.", managed.token.name);
    managed.done(&notice).await
}

pub(in crate::pages) async fn refresh_form(managed: Managed) -> Page {
    let once = Secret::random_id()?;
    let page = RefreshPage {
        frame: managed.frame().await?,
        token: &managed.token,
        once: once.reveal(),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn refresh(managed: Managed, form: Form) -> Page {
    let (state, token) = (&managed.state, &managed.token);
    managed.signed_in.once(state, form.one("once")).await?;
    let created = state
        .registry
        .refresh_token(managed.user(), &token.id, &managed.origin())
        .await?;
    let title = "The token has a new value";
    let frame = managed.frame().await?;
    Ok(value_page(frame, title, &created, StatusCode::OK))
}

pub(in crate::pages) async fn delete_form(managed: Managed) -> Page {
    let page = DeletePage {
        frame: managed.frame().await?,
        token: &managed.token,
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn delete(managed: Managed, _form: Form) -> Page {
    let registry = &managed.state.registry;
    registry
        .delete_token(managed.user(), &managed.token.id, &managed.origin())
        .await?;
    let name = &managed.token.name;
    let notice = format!("“{name}” was deleted and no longer works.");
    managed.done_at("/settings/tokens", &notice).await
}

async fn rename_page(
    managed: &Managed,
    name: &str,
    (status, mistakes): (StatusCode, Mistakes),
) -> Page {
    let page = RenamePage {
        frame: managed.frame().await?,
        token: &managed.token,
        name,
        mistakes,
    };
    Ok(html(status, &page))
}
