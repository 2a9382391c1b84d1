//! `/login` and `/logout`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{Extensions, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::address::next_page;
use super::cookie;
use super::error::{Page, PageError};
use super::form::Form;
use super::view::{Frame, Mistakes, html, see_other};
use super::visitor::{SignedIn, Visitor};
use crate::answers::header_text;
use crate::authentication::address;
use crate::password;
use crate::registry::{Act, Actor, Origin, Subject, User};
use crate::secret::Secret;
use crate::state::HubState;

const HOME: &str = "/settings/tokens";

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    frame: Frame,
    next: &'a str,
    username: &'a str,
    mistakes: Mistakes,
}

/// `/`: goes to the user's tokens, or to the sign-in page.
pub(super) async fn home(visitor: Visitor) -> Page {
    Ok(see_other(if visitor.session().is_some() {
        HOME
    } else {
        "/login"
    }))
}

pub(super) async fn form(visitor: Visitor, Query(wish): Query<Wish>) -> Page {
    let next = next_page(&wish.next).unwrap_or_default();
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
) -> Page {
    let next = next_page(form.one("next")).unwrap_or_default();
    let name = form.one("username").trim();
    let password = form.one("password");
    let again = |status, message: &str| page(&visitor, status, next, name, Some(message));
    if name.is_empty() || password.is_empty() {
        let message = "Enter your user name and your password.";
        return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    let now = state.clock.now();
    if let Err(seconds) = state.desk.count(name, address(&extensions), now) {
        let minutes = seconds.div_ceil(60);
        let message = format!(
            "There were too many attempts to sign in. Wait {minutes} {}, then try again.",
            if minutes == 1 { "minute" } else { "minutes" }
        );
        let mut response = again(StatusCode::TOO_MANY_REQUESTS, &message);
        insert(&mut response, RETRY_AFTER, &seconds.to_string());
        return Ok(response);
    }
    let Some(id) = check_in(&state, &visitor, name, password).await? else {
        // The name is only logged if there is such a user: users sometimes type their password here
        // by mistake.
        let origin = visitor.origin(&state);
        let attempt = Subject::user(name);
        state
            .registry
            .record(Act::LoginFailed, attempt, &origin)
            .await?;
        // The message does not say which of the two is wrong, so that it does not reveal which
        // accounts exist.
        let message = "User name or password is wrong.";
        let mut response = again(StatusCode::UNAUTHORIZED, message);
        insert(
            &mut response,
            WWW_AUTHENTICATE,
            "Form realm=\"the sign-in page\"",
        );
        return Ok(response);
    };
    state.desk.forget(name);
    // End the session that this browser had before.
    if let Some(old) = visitor.session() {
        let origin = visitor.origin(&state);
        state.registry.end_session(old, &origin).await?;
    }
    let mut response = see_other(if next.is_empty() { HOME } else { next });
    insert(
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
) -> Page {
    if let Some(session) = visitor.session() {
        let origin = visitor.origin(&state);
        state.registry.end_session(session, &origin).await?;
    }
    let mut response = see_other("/login");
    insert(&mut response, SET_COOKIE, &cookie::clear(&state.endpoint));
    Ok(response)
}

/// Starts a session if the password is correct, under a new id.
async fn check_in(
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
            let origin = visitor.origin_of(actor, state);
            begin(state, &user, &hash, &origin).await
        }
        _ => Ok(None),
    }
}

/// Starts a session for a user whose password, with this hash, has been verified.
pub(super) async fn begin(
    state: &HubState,
    user: &User,
    hash: &str,
    origin: &Origin,
) -> Result<Option<Secret>, PageError> {
    let id = Secret::random_id()?;
    let began = state
        .registry
        .begin_session(&id.digest(), user, hash, state.desk.lifetimes(), origin)
        .await?;
    Ok(began.then_some(id))
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
        .desk
        .count(name, address(extensions), now)
        .map_err(PageError::too_many_attempts)?;
    let found = state.registry.find_password(name).await?;
    let stored = found.and_then(|(_, hash)| hash);
    let is_right = password::verify(Secret::new(password.to_owned()), stored).await?;
    if is_right {
        state.desk.forget(name);
    }
    Ok(is_right)
}

fn page(
    visitor: &Visitor,
    status: StatusCode,
    next: &str,
    username: &str,
    mistake: Option<&str>,
) -> Response {
    let mut mistakes = Mistakes::default();
    if let Some(message) = mistake {
        mistakes.add("username", message);
    }
    let page = SignInPage {
        frame: visitor.frame(),
        next,
        username,
        mistakes,
    };
    html(status, &page)
}

pub(super) fn insert(response: &mut Response, name: HeaderName, value: &str) {
    let value: HeaderValue = header_text(value);
    response.headers_mut().insert(name, value);
}
