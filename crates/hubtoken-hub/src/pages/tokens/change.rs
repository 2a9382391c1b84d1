//! `/settings/tokens/{id}/permissions`: changes the permissions of a token, after showing both
//! versions for confirmation.

use askama::Template;
use axum::http::StatusCode;

use super::Managed;
use super::picker::Picker;
use super::wish::Wish;
use crate::pages::error::Page;
use crate::pages::form::Form;
use crate::pages::view::{Frame, Mistakes, html};
use crate::registry::{FineGrained, GrantedRole, TokenInfo};

#[derive(Template)]
#[template(path = "token_permissions.html")]
struct ChangePage<'a> {
    frame: Frame,
    token: &'a TokenInfo,
    picker: Picker,
    mistakes: Mistakes,
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

pub(in crate::pages) async fn form(managed: Managed) -> Page {
    let place = (StatusCode::OK, false);
    page(&managed, &managed.wish(), Mistakes::default(), place).await
}

pub(in crate::pages) async fn change(managed: Managed, form: Form) -> Page {
    let wish = Wish::from_form(&form);
    if form.one("step") == "more" {
        let place = (StatusCode::OK, true);
        return page(&managed, &wish, Mistakes::default(), place).await;
    }
    let (state, session) = (&managed.state, managed.signed_in.session());
    let mut mistakes = Mistakes::default();
    let role = wish
        .check_role(state, session, present(&managed.token), &mut mistakes)
        .await?;
    let Some(role) = role else {
        let place = (StatusCode::UNPROCESSABLE_ENTITY, false);
        return page(&managed, &wish, mistakes, place).await;
    };
    if form.one("step") != "confirm" {
        return review(&managed, &wish, &form).await;
    }
    state
        .registry
        .change_token(managed.user(), &managed.token.id, role, &managed.origin())
        .await?;
    let notice = format!("The permissions of “{}” were changed.", managed.token.name);
    managed.done(&notice).await
}

async fn review(managed: &Managed, wish: &Wish, form: &Form) -> Page {
    let page = ReviewPage {
        frame: managed.frame().await?,
        token: &managed.token,
        before: managed.wish().lines(managed.user()),
        after: wish.lines(managed.user()),
        fields: form
            .pairs()
            .filter(|(name, _)| !matches!(*name, "csrf" | "step"))
            .collect(),
    };
    Ok(html(StatusCode::OK, &page))
}

fn present(token: &TokenInfo) -> Option<&FineGrained> {
    match &token.role {
        GrantedRole::FineGrained(fine) => Some(fine),
        GrantedRole::Read | GrantedRole::Write => None,
    }
}

async fn page(
    managed: &Managed,
    wish: &Wish,
    mistakes: Mistakes,
    (status, more): (StatusCode, bool),
) -> Page {
    let (state, session) = (&managed.state, managed.signed_in.session());
    let present = present(&managed.token);
    let page = ChangePage {
        frame: managed.frame().await?,
        token: &managed.token,
        picker: Picker::new(state, session, wish, present, &mistakes, more).await?,
        mistakes,
        focus_more: more,
    };
    Ok(html(status, &page))
}
