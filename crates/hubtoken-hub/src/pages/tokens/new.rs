//! `/settings/tokens/new`: the form, which a link may prefill, and the new value, which is shown
//! once.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use time::OffsetDateTime;

use super::picker::Picker;
use super::value_page;
use super::wish::{Wish, is_own_place};
use crate::error::HubError;
use crate::names;
use crate::pages::error::{Page, PageError, sentence};
use crate::pages::form::Form;
use crate::pages::moment::{end_of, field};
use crate::pages::view::{Frame, Mistakes, html};
use crate::pages::visitor::SignedIn;
use crate::registry::NewToken;
use crate::secret::Secret;
use crate::state::HubState;

#[derive(Template)]
#[template(path = "token_new.html")]
struct NewPage {
    frame: Frame,
    name: String,
    expires: String,
    today: String,
    picker: Picker,
    mistakes: Mistakes,
    /// The single-use key of this form.
    once: String,
    focus_more: bool,
}

pub(in crate::pages) async fn form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    RawQuery(query): RawQuery,
) -> Page {
    let wish = Wish::from_query(query.as_deref().unwrap_or_default());
    let mut mistakes = Mistakes::default();
    for place in wish.places.keys() {
        if !is_own_place(place, signed_in.session(), None) {
            let message = format!("The link asks for “{place}”, of which you are not a member.");
            mistakes.add("places", message);
        }
    }
    page(&state, &signed_in, &wish, mistakes, StatusCode::OK, false).await
}

pub(in crate::pages) async fn create(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    form: Form,
) -> Page {
    let wish = Wish::from_form(&form);
    if form.one("step") == "more" {
        return page(
            &state,
            &signed_in,
            &wish,
            Mistakes::default(),
            StatusCode::OK,
            true,
        )
        .await;
    }
    let mut mistakes = Mistakes::default();
    check_name(&wish.name, &mut mistakes);
    let expires_at = check_expiry(&wish.expires, state.clock.now(), &mut mistakes);
    let role = wish
        .check_role(&state, signed_in.session(), None, &mut mistakes)
        .await?;
    let (Some(role), true) = (role, mistakes.0.is_empty()) else {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return page(&state, &signed_in, &wish, mistakes, status, false).await;
    };
    signed_in.once(&state, form.one("once")).await?;
    let new = NewToken {
        name: wish.name,
        role,
        expires_at,
    };
    let created = state
        .registry
        .create_token(signed_in.user(), new, &signed_in.origin(&state))
        .await?;
    let frame = signed_in.frame(&state, "tokens").await?;
    Ok(value_page(
        frame,
        "Your new access token",
        &created,
        StatusCode::CREATED,
    ))
}

pub(super) fn check_name(name: &str, mistakes: &mut Mistakes) {
    match names::check_token(name) {
        Ok(()) => (),
        Err(HubError::InvalidName { .. }) if name.is_empty() => {
            mistakes.add("name", "Give the token a name.");
        }
        Err(HubError::InvalidName { reason, .. }) => {
            mistakes.add("name", format!("The name cannot be used: {reason}."));
        }
        Err(error) => mistakes.add("name", sentence(&error.to_string())),
    }
}

fn check_expiry(
    expires: &str,
    now: OffsetDateTime,
    mistakes: &mut Mistakes,
) -> Option<OffsetDateTime> {
    if expires.is_empty() {
        return None;
    }
    let end = end_of(expires);
    match end {
        None => mistakes.add(
            "expires",
            "Write the day as year-month-day, such as 2030-01-31.",
        ),
        Some(end) if end <= now => mistakes.add("expires", "This day is over. Choose a later one."),
        Some(_) => (),
    }
    end
}

async fn page(
    state: &HubState,
    signed_in: &SignedIn,
    wish: &Wish,
    mistakes: Mistakes,
    status: StatusCode,
    more: bool,
) -> Result<Response, PageError> {
    let picker = Picker::new(state, signed_in.session(), wish, None, &mistakes, more).await?;
    let page = NewPage {
        frame: signed_in.frame(state, "tokens").await?,
        name: wish.name.clone(),
        expires: wish.expires.clone(),
        today: field(state.clock.now().date()),
        picker,
        mistakes,
        once: Secret::random_id()?.reveal().to_owned(),
        focus_more: more,
    };
    Ok(html(status, &page))
}
