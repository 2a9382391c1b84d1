//! `/settings/password`: changes the password, which ends all other sessions of the user.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;

use super::cookie;
use super::error::{PageError, PageResult};
use super::form::Form;
use super::sign_in::{begin_session, confirm, insert_header};
use super::view::{FormErrors, Frame, html, see_other};
use super::visitor::SignedIn;
use crate::password;
use crate::secret::Secret;
use crate::state::HubState;

/// In characters. Guessing is rate-limited, but fewer than eight are too weak regardless.
const MIN_LENGTH: usize = 8;
const MAX_LENGTH: usize = 1024;

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    errors: FormErrors,
}

pub(super) async fn form(State(state): State<Arc<HubState>>, signed_in: SignedIn) -> PageResult {
    page(&state, &signed_in, StatusCode::OK, FormErrors::default()).await
}

pub(super) async fn change(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    extensions: Extensions,
    form: Form,
) -> PageResult {
    let mut errors = FormErrors::default();
    let new = form.field("new");
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&new.chars().count()) {
        errors.add("new", "Use 8 to 1024 characters.");
    } else if new != form.field("again") {
        errors.add("again", "The two new passwords differ.");
    }
    if errors.0.is_empty()
        && !confirm(&state, &signed_in, &extensions, form.field("current")).await?
    {
        errors.add("current", "This is not your current password.");
    }
    if !errors.0.is_empty() {
        return page(&state, &signed_in, StatusCode::UNPROCESSABLE_ENTITY, errors).await;
    }
    let user = &signed_in.session().user;
    let hash = password::hash(Secret::new(new.to_owned())).await?;
    let context = signed_in.audit_context(&state);
    state.registry.set_password(user, &hash, &context).await?;
    // All sessions have ended, including this browser's; it gets a new one under a new id.
    let id = begin_session(&state, user, &hash, &context)
        .await?
        .ok_or_else(|| PageError::signed_out("/settings/password"))?;
    let notice = "Your password was changed. All other browsers are signed out.";
    state
        .registry
        .set_notice(&id.digest(), Some(notice))
        .await?;
    let mut response = see_other("/settings/password");
    insert_header(
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
    errors: FormErrors,
) -> Result<Response, PageError> {
    let page = PasswordPage {
        frame: signed_in.frame(state, "password").await?,
        errors,
    };
    Ok(html(status, &page))
}
