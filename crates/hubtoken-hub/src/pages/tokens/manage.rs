//! `/settings/tokens/{id}` and its actions: rename, refresh, delete. Each has a confirmation page.

use askama::Template;
use axum::http::StatusCode;

use super::list::Row;
use super::new::check_name;
use super::{ManagedToken, value_page};
use crate::pages::error::PageResult;
use crate::pages::form::Form;
use crate::pages::view::{FormErrors, Frame, html};
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
    errors: FormErrors,
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

pub(in crate::pages) async fn overview(managed: ManagedToken) -> PageResult {
    let page = OverviewPage {
        frame: managed.frame().await?,
        token: Row::new(&managed.token, managed.state.clock.now()),
        lines: managed.token_form().lines(managed.user()),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn rename_form(managed: ManagedToken) -> PageResult {
    let view = (StatusCode::OK, FormErrors::default());
    rename_page(&managed, &managed.token.name, view).await
}

pub(in crate::pages) async fn rename(managed: ManagedToken, form: Form) -> PageResult {
    let name = form.field("name").trim();
    let mut errors = FormErrors::default();
    check_name(name, &mut errors);
    if !errors.0.is_empty() {
        let view = (StatusCode::UNPROCESSABLE_ENTITY, errors);
        return rename_page(&managed, name, view).await;
    }
    let registry = &managed.state.registry;
    registry
        .rename_token(
            managed.user(),
            &managed.token.id,
            name,
            &managed.audit_context(),
        )
        .await?;
    let notice = format!("“{}” is called “{name}” now.", managed.token.name);
    managed.redirect_with_notice(&notice).await
}

pub(in crate::pages) async fn refresh_form(managed: ManagedToken) -> PageResult {
    let once = Secret::random_id()?;
    let page = RefreshPage {
        frame: managed.frame().await?,
        token: &managed.token,
        once: once.reveal(),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn refresh(managed: ManagedToken, form: Form) -> PageResult {
    let (state, token) = (&managed.state, &managed.token);
    managed
        .signed_in
        .use_form_once(state, form.field("once"))
        .await?;
    let created = state
        .registry
        .refresh_token(managed.user(), &token.id, &managed.audit_context())
        .await?;
    let title = "The token has a new value";
    let frame = managed.frame().await?;
    Ok(value_page(frame, title, &created, StatusCode::OK))
}

pub(in crate::pages) async fn delete_form(managed: ManagedToken) -> PageResult {
    let page = DeletePage {
        frame: managed.frame().await?,
        token: &managed.token,
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn delete(managed: ManagedToken, _form: Form) -> PageResult {
    let registry = &managed.state.registry;
    registry
        .delete_token(managed.user(), &managed.token.id, &managed.audit_context())
        .await?;
    let name = &managed.token.name;
    let notice = format!("“{name}” was deleted and no longer works.");
    managed.redirect_to("/settings/tokens", &notice).await
}

async fn rename_page(
    managed: &ManagedToken,
    name: &str,
    (status, errors): (StatusCode, FormErrors),
) -> PageResult {
    let page = RenamePage {
        frame: managed.frame().await?,
        token: &managed.token,
        name,
        errors,
    };
    Ok(html(status, &page))
}
