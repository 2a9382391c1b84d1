//! `/settings/tokens/new`: the form, which a link may prefill, and the new value, which is shown
//! once.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use time::OffsetDateTime;

use super::form::{TokenForm, is_own_namespace};
use super::picker::Picker;
use super::value_page;
use crate::error::HubError;
use crate::names;
use crate::pages::display_time::{end_of, input_value};
use crate::pages::error::{PageError, PageResult, sentence};
use crate::pages::form::Form;
use crate::pages::view::{FormErrors, Frame, html};
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
    errors: FormErrors,
    /// The single-use key of this form.
    once: String,
    focus_more: bool,
}

pub(in crate::pages) async fn form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    RawQuery(query): RawQuery,
) -> PageResult {
    let token_form = TokenForm::from_query(query.as_deref().unwrap_or_default());
    let mut errors = FormErrors::default();
    for namespace in token_form.namespaces.keys() {
        if !is_own_namespace(namespace, signed_in.session(), None) {
            let message =
                format!("The link asks for “{namespace}”, of which you are not a member.");
            errors.add("places", message);
        }
    }
    page(
        &state,
        &signed_in,
        &token_form,
        errors,
        StatusCode::OK,
        false,
    )
    .await
}

pub(in crate::pages) async fn create(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    form: Form,
) -> PageResult {
    let token_form = TokenForm::from_form(&form);
    if form.field("step") == "more" {
        return page(
            &state,
            &signed_in,
            &token_form,
            FormErrors::default(),
            StatusCode::OK,
            true,
        )
        .await;
    }
    let mut errors = FormErrors::default();
    check_name(&token_form.name, &mut errors);
    let expires_at = check_expiry(&token_form.expires, state.clock.now(), &mut errors);
    let role = token_form
        .check_role(&state, signed_in.session(), None, &mut errors)
        .await?;
    let (Some(role), true) = (role, errors.0.is_empty()) else {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return page(&state, &signed_in, &token_form, errors, status, false).await;
    };
    signed_in.use_form_once(&state, form.field("once")).await?;
    let new = NewToken {
        name: token_form.name,
        role,
        expires_at,
    };
    let created = state
        .registry
        .create_token(signed_in.user(), new, &signed_in.audit_context(&state))
        .await?;
    let frame = signed_in.frame(&state, "tokens").await?;
    Ok(value_page(
        frame,
        "Your new access token",
        &created,
        StatusCode::CREATED,
    ))
}

pub(super) fn check_name(name: &str, errors: &mut FormErrors) {
    match names::check_token(name) {
        Ok(()) => (),
        Err(HubError::InvalidName { .. }) if name.is_empty() => {
            errors.add("name", "Give the token a name.");
        }
        Err(HubError::InvalidName { reason, .. }) => {
            errors.add("name", format!("The name cannot be used: {reason}."));
        }
        Err(error) => errors.add("name", sentence(&error.to_string())),
    }
}

fn check_expiry(
    expires: &str,
    now: OffsetDateTime,
    errors: &mut FormErrors,
) -> Option<OffsetDateTime> {
    if expires.is_empty() {
        return None;
    }
    let end = end_of(expires);
    match end {
        None => errors.add(
            "expires",
            "Write the day as year-month-day, such as 2030-01-31.",
        ),
        Some(end) if end <= now => errors.add("expires", "This day is over. Choose a later one."),
        Some(_) => (),
    }
    end
}

async fn page(
    state: &HubState,
    signed_in: &SignedIn,
    token_form: &TokenForm,
    errors: FormErrors,
    status: StatusCode,
    more: bool,
) -> Result<Response, PageError> {
    let picker = Picker::new(state, signed_in.session(), token_form, None, &errors, more).await?;
    let page = NewPage {
        frame: signed_in.frame(state, "tokens").await?,
        name: token_form.name.clone(),
        expires: token_form.expires.clone(),
        today: input_value(state.clock.now().date()),
        picker,
        errors,
        once: Secret::random_id()?.reveal().to_owned(),
        focus_more: more,
    };
    Ok(html(status, &page))
}
