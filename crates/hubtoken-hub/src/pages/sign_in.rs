//! `/login` and `/logout`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{Extensions, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::cookie;
use super::error::{PageError, PageResult};
use super::form::Form;
use super::redirect::next_page;
use super::view::{FormErrors, Frame, html, see_other};
use super::visitor::{SignedIn, Visitor};
use crate::auth::authentication::address_key;
use crate::password;
use crate::registry::{Actor, AuditAction, AuditContext, Subject, User};
use crate::response::header_text;
use crate::secret::Secret;
use crate::state::HubState;

const HOME: &str = "/settings/tokens";

#[derive(Deserialize)]
pub(super) struct LoginQuery {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    frame: Frame,
    next: &'a str,
    username: &'a str,
    errors: FormErrors,
}

/// `/`: goes to the user's tokens, or to the sign-in page.
pub(super) async fn home(visitor: Visitor) -> PageResult {
    Ok(see_other(if visitor.session().is_some() {
        HOME
    } else {
        "/login"
    }))
}

pub(super) async fn form(visitor: Visitor, Query(query): Query<LoginQuery>) -> PageResult {
    let next = next_page(&query.next).unwrap_or_default();
    if visitor.session().is_some() {
        return Ok(see_other(if next.is_empty() { HOME } else { next }));
    }
    Ok(page(&visitor, StatusCode::OK, next, "", None))
}

pub(super) async fn sign_in(
    State(state): State<Arc<HubState>>,
    visitor: Visitor,
    extensions: Extensions,
    form: Form,
) -> PageResult {
    let next = next_page(form.field("next")).unwrap_or_default();
    let name = form.field("username").trim();
    let password = form.field("password");
    let retry_page = |status, message: &str| page(&visitor, status, next, name, Some(message));
    if name.is_empty() || password.is_empty() {
        let message = "Enter your user name and your password.";
        return Ok(retry_page(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    let now = state.clock.now();
    if let Err(seconds) = state
        .limiters
        .sign_in
        .count_attempt(name, address_key(&extensions), now)
    {
        let minutes = seconds.div_ceil(60);
        let message = format!(
            "There were too many attempts to sign in. Wait {minutes} {}, then try again.",
            if minutes == 1 { "minute" } else { "minutes" }
        );
        let mut response = retry_page(StatusCode::TOO_MANY_REQUESTS, &message);
        insert_header(&mut response, RETRY_AFTER, &seconds.to_string());
        return Ok(response);
    }
    let Some(id) = authenticate(&state, &visitor, name, password).await? else {
        // The name is only logged if there is such a user: users sometimes type their password here
        // by mistake.
        let context = visitor.audit_context(&state);
        let attempt = Subject::user(name);
        state
            .registry
            .record(AuditAction::LoginFailed, attempt, &context)
            .await?;
        // The message does not say which of the two is wrong, so that it does not reveal which
        // accounts exist.
        let message = "User name or password is wrong.";
        let mut response = retry_page(StatusCode::UNAUTHORIZED, message);
        insert_header(
            &mut response,
            WWW_AUTHENTICATE,
            "Form realm=\"the sign-in page\"",
        );
        return Ok(response);
    };
    state.limiters.sign_in.reset(name);
    // End the session that this browser had before.
    if let Some(old) = visitor.session() {
        let context = visitor.audit_context(&state);
        state.registry.end_session(old, &context).await?;
    }
    let mut response = see_other(if next.is_empty() { HOME } else { next });
    insert_header(
        &mut response,
        SET_COOKIE,
        &cookie::set(&state.endpoint, &id),
    );
    Ok(response)
}

pub(super) async fn sign_out(
    State(state): State<Arc<HubState>>,
    visitor: Visitor,
    _form: Form,
) -> PageResult {
    if let Some(session) = visitor.session() {
        let context = visitor.audit_context(&state);
        state.registry.end_session(session, &context).await?;
    }
    let mut response = see_other("/login");
    insert_header(&mut response, SET_COOKIE, &cookie::clear(&state.endpoint));
    Ok(response)
}

/// Starts a session if the password is correct, under a new id.
async fn authenticate(
    state: &HubState,
    visitor: &Visitor,
    name: &str,
    password: &str,
) -> Result<Option<Secret>, PageError> {
    let found = state.registry.find_password(name).await?;
    let stored = found.as_ref().and_then(|(_, hash)| hash.clone());
    let is_right = password::verify(Secret::new(password.to_owned()), stored).await?;
    match found {
        Some((user, Some(hash))) if is_right => {
            let actor = Actor::User {
                id: user.id.clone(),
                name: user.name.clone(),
                token: None,
            };
            let context = visitor.audit_context_of(actor, state);
            begin_session(state, &user, &hash, &context).await
        }
        _ => Ok(None),
    }
}

/// Starts a session for a user whose password, with this hash, has been verified.
pub(super) async fn begin_session(
    state: &HubState,
    user: &User,
    hash: &str,
    context: &AuditContext,
) -> Result<Option<Secret>, PageError> {
    let id = Secret::random_id()?;
    let inserted = state
        .registry
        .begin_session(
            &id.digest(),
            user,
            hash,
            state.limiters.sign_in.lifetimes(),
            context,
        )
        .await?;
    Ok(inserted.then_some(id))
}

/// Verifies the password of the signed-in user; counts as a sign-in attempt.
pub(super) async fn confirm(
    state: &HubState,
    signed_in: &SignedIn,
    extensions: &Extensions,
    password: &str,
) -> Result<bool, PageError> {
    let (name, now) = (signed_in.user(), state.clock.now());
    state
        .limiters
        .sign_in
        .count_attempt(name, address_key(extensions), now)
        .map_err(PageError::too_many_attempts)?;
    let found = state.registry.find_password(name).await?;
    let stored = found.and_then(|(_, hash)| hash);
    let is_right = password::verify(Secret::new(password.to_owned()), stored).await?;
    if is_right {
        state.limiters.sign_in.reset(name);
    }
    Ok(is_right)
}

fn page(
    visitor: &Visitor,
    status: StatusCode,
    next: &str,
    username: &str,
    error: Option<&str>,
) -> Response {
    let mut errors = FormErrors::default();
    if let Some(message) = error {
        errors.add("username", message);
    }
    let page = SignInPage {
        frame: visitor.frame(),
        next,
        username,
        errors,
    };
    html(status, &page)
}

pub(super) fn insert_header(response: &mut Response, name: HeaderName, value: &str) {
    let value: HeaderValue = header_text(value);
    response.headers_mut().insert(name, value);
}
