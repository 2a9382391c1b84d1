//! `/settings/tokens/{id}/permissions`: other permissions for a token, shown before and after, then confirmed.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::own_token;
use super::picker::Picker;
use super::wish::Wish;
use crate::hub::pages::error::PageError;
use crate::hub::pages::form::Form;
use crate::hub::pages::view::{Frame, Mistakes, html};
use crate::hub::pages::visitor::SignedIn;
use crate::hub::pages::{Page, see_other};
use crate::hub::registry::{FineGrained, GrantedRole, TokenInfo};
use crate::hub::state::HubState;

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
    /// The form that is confirmed, carried along.
    fields: Vec<(&'a str, &'a str)>,
}

pub(in crate::hub::pages) async fn form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Page {
    let token = own_token(&state, &signed_in, &id).await?;
    let wish = Wish::from_token(&token, &signed_in.session().user.id);
    let place = (StatusCode::OK, false);
    page(
        &state,
        &signed_in,
        &token,
        &wish,
        Mistakes::default(),
        place,
    )
    .await
}

pub(in crate::hub::pages) async fn change(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    form: Form,
) -> Page {
    let token = own_token(&state, &signed_in, &id).await?;
    let wish = Wish::from_form(&form);
    if form.one("step") == "more" {
        let place = (StatusCode::OK, true);
        return page(
            &state,
            &signed_in,
            &token,
            &wish,
            Mistakes::default(),
            place,
        )
        .await;
    }
    let mut mistakes = Mistakes::default();
    let role = wish
        .check_role(&state, signed_in.session(), present(&token), &mut mistakes)
        .await?;
    let Some(role) = role else {
        let place = (StatusCode::UNPROCESSABLE_ENTITY, false);
        return page(&state, &signed_in, &token, &wish, mistakes, place).await;
    };
    if form.one("step") != "confirm" {
        return review(&state, &signed_in, &token, &wish, &form).await;
    }
    state
        .registry
        .change_token(signed_in.user(), &token.id, role, &signed_in.origin(&state))
        .await?;
    let notice = format!("The permissions of “{}” were changed.", token.name);
    signed_in.say(&state, &notice).await?;
    Ok(see_other(&format!("/settings/tokens/{}", token.id)))
}

async fn review(
    state: &HubState,
    signed_in: &SignedIn,
    token: &TokenInfo,
    wish: &Wish,
    form: &Form,
) -> Page {
    let user = signed_in.user();
    let before = Wish::from_token(token, &signed_in.session().user.id).lines(user);
    let page = ReviewPage {
        frame: signed_in.frame(state, "tokens").await?,
        token,
        before,
        after: wish.lines(user),
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
    state: &HubState,
    signed_in: &SignedIn,
    token: &TokenInfo,
    wish: &Wish,
    mistakes: Mistakes,
    (status, more): (StatusCode, bool),
) -> Result<Response, PageError> {
    let session = signed_in.session();
    let picker = Picker::new(state, session, wish, present(token), &mistakes, more).await?;
    let page = ChangePage {
        frame: signed_in.frame(state, "tokens").await?,
        token,
        picker,
        mistakes,
        focus_more: more,
    };
    Ok(html(status, &page))
}
