//! `/settings/password`: changes the password, which ends all other sessions of the user.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;

use super::cookie;
use super::error::{Page, PageError};
use super::form::Form;
use super::sign_in::{begin, confirm, insert};
use super::view::{Frame, Mistakes, html, see_other};
use super::visitor::SignedIn;
use crate::password;
use crate::secret::Secret;
use crate::state::HubState;

/// In characters. Guessing is rate-limited, but fewer than eight are too weak regardless.
const SHORTEST: usize = 8;
const LONGEST: usize = 1024;

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    mistakes: Mistakes,
}

pub(super) async fn form(State(state): State<Arc<HubState>>, signed_in: SignedIn) -> Page {
    page(&state, &signed_in, StatusCode::OK, Mistakes::default()).await
}

pub(super) async fn change(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    extensions: Extensions,
    form: Form,
) -> Page {
    let mut mistakes = Mistakes::default();
    let new = form.one("new");
    if !(SHORTEST..=LONGEST).contains(&new.chars().count()) {
        mistakes.add("new", "Use 8 to 1024 characters.");
    } else if new != form.one("again") {
        mistakes.add("again", "The two new passwords differ.");
    }
    if mistakes.0.is_empty()
        && !confirm(&state, &signed_in, &extensions, form.one("current")).await?
    {
        mistakes.add("current", "This is not your current password.");
    }
    if !mistakes.0.is_empty() {
        return page(
            &state,
            &signed_in,
            StatusCode::UNPROCESSABLE_ENTITY,
            mistakes,
        )
        .await;
    }
    let user = &signed_in.session().user;
    let hash = password::hash(Secret::new(new.to_owned())).await?;
    let origin = signed_in.origin(&state);
    state.registry.set_password(user, &hash, &origin).await?;
    // All sessions have ended, including this browser's; it gets a new one under a new id.
    let id = begin(&state, user, &hash, &origin)
        .await?
        .ok_or_else(|| PageError::signed_out("/settings/password"))?;
    let notice = "Your password was changed. All other browsers are signed out.";
    state
        .registry
        .set_notice(&id.digest(), Some(notice))
        .await?;
    let mut response = see_other("/settings/password");
    insert(
        &mut response,
        SET_COOKIE,
        &cookie::set(&state.endpoint, &id),
    );
    Ok(response)
}

async fn page(
    state: &HubState,
    signed_in: &SignedIn,
    status: StatusCode,
    mistakes: Mistakes,
) -> Result<Response, PageError> {
    let page = PasswordPage {
        frame: signed_in.frame(state, "password").await?,
        mistakes,
    };
    Ok(html(status, &page))
}
