//! `/settings/tokens/{id}/permissions`: changes the permissions of a token, after showing both
//! versions for confirmation.

use askama::Template;
use axum::http::StatusCode;

use super::ManagedToken;
use super::form::TokenForm;
use super::picker::Picker;
use crate::pages::error::PageResult;
use crate::pages::form::Form;
use crate::pages::view::{FormErrors, Frame, html};
use crate::registry::{FineGrained, GrantedRole, TokenInfo};

#[derive(Template)]
#[template(path = "token_permissions.html")]
struct ChangePage<'a> {
    frame: Frame,
    token: &'a TokenInfo,
    picker: Picker,
    errors: FormErrors,
    focus_more: bool,
}

#[derive(Template)]
#[template(path = "token_permissions_confirm.html")]
struct ReviewPage<'a> {
    frame: Frame,
    token: &'a TokenInfo,
    before: Vec<String>,
    after: Vec<String>,
    /// The confirmed form, carried along.
    fields: Vec<(&'a str, &'a str)>,
}

pub(in crate::pages) async fn form(managed: ManagedToken) -> PageResult {
    let view = (StatusCode::OK, false);
    page(&managed, &managed.token_form(), FormErrors::default(), view).await
}

pub(in crate::pages) async fn change(managed: ManagedToken, form: Form) -> PageResult {
    let token_form = TokenForm::from_form(&form);
    if form.field("step") == "more" {
        let view = (StatusCode::OK, true);
        return page(&managed, &token_form, FormErrors::default(), view).await;
    }
    let (state, session) = (&managed.state, managed.signed_in.session());
    let mut errors = FormErrors::default();
    let role = token_form
        .check_role(state, session, current(&managed.token), &mut errors)
        .await?;
    let Some(role) = role else {
        let view = (StatusCode::UNPROCESSABLE_ENTITY, false);
        return page(&managed, &token_form, errors, view).await;
    };
    if form.field("step") != "confirm" {
        return review(&managed, &token_form, &form).await;
    }
    state
        .registry
        .change_token(
            managed.user(),
            &managed.token.id,
            role,
            &managed.audit_context(),
        )
        .await?;
    let notice = format!("The permissions of “{}” were changed.", managed.token.name);
    managed.redirect_with_notice(&notice).await
}

async fn review(managed: &ManagedToken, token_form: &TokenForm, form: &Form) -> PageResult {
    let page = ReviewPage {
        frame: managed.frame().await?,
        token: &managed.token,
        before: managed.token_form().lines(managed.user()),
        after: token_form.lines(managed.user()),
        fields: form
            .pairs()
            .filter(|(name, _)| !matches!(*name, "csrf" | "step"))
            .collect(),
    };
    Ok(html(StatusCode::OK, &page))
}

fn current(token: &TokenInfo) -> Option<&FineGrained> {
    match &token.role {
        GrantedRole::FineGrained(fine) => Some(fine),
        GrantedRole::Read
        | GrantedRole::Write
        | GrantedRole::Login(_)
        | GrantedRole::Repository(_) => None,
    }
}

async fn page(
    managed: &ManagedToken,
    token_form: &TokenForm,
    errors: FormErrors,
    (status, more): (StatusCode, bool),
) -> PageResult {
    let (state, session) = (&managed.state, managed.signed_in.session());
    let current = current(&managed.token);
    let page = ChangePage {
        frame: managed.frame().await?,
        token: &managed.token,
        picker: Picker::new(state, session, token_form, current, &errors, more).await?,
        errors,
        focus_more: more,
    };
    Ok(html(status, &page))
}
