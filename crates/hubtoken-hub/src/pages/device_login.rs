//! `/login/device`: a user enters the code that a program shows, sees who asks for what, and
//! approves or denies it.
//!
//! Nothing is decided by opening an address, and a code in an address is only filled in: somebody
//! else may have sent the link, to be logged in as the reader (RFC 8628, section 5.4). A decision
//! carries a digest of what its page showed, so none is made without that page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;

use super::display_time::{DisplayTime, ago, minute, span};
use super::error::{PageError, PageResult};
use super::form::Form;
use super::login_scopes;
use super::sign_in::insert_header;
use super::view::{FormErrors, Frame, html, see_other};
use super::visitor::SignedIn;
use crate::auth::authentication::address_key;
use crate::error::HubError;
use crate::extract::body::parameter;
use crate::oauth::approval::{self, WaitingLogin};
use crate::oauth::user_code;
use crate::registry::LoginDecision;
use crate::secret;
use crate::state::HubState;
use hubtoken_core::hexadecimal;

const DONE: &str = "/login/device/done";
const NOT_A_CODE: &str =
    "A code has eight letters, such as BCDF-GHJK. Enter it as the program shows it.";
const UNKNOWN: &str = "No login waits for this code: it was mistyped, has expired, or has been decided about. Check it, or \
                       let the program show a new one.";

#[derive(Template)]
#[template(path = "device_code.html")]
struct CodePage<'a> {
    frame: Frame,
    code: &'a str,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "device_decision.html")]
struct DecisionPage<'a> {
    frame: Frame,
    code: &'a str,
    client: &'a str,
    client_id: &'a str,
    user: &'a str,
    requested: DisplayTime,
    ago: String,
    address: &'a str,
    /// Whether that is the address of this browser.
    is_here: bool,
    is_everything: bool,
    lines: Vec<String>,
    /// How long it lasts without being renewed.
    lasts: String,
    seen: String,
}

#[derive(Template)]
#[template(path = "device_done.html")]
struct DonePage {
    frame: Frame,
}

pub(super) async fn form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    RawQuery(query): RawQuery,
) -> PageResult {
    let typed = query.and_then(|query| parameter(&query, "user_code"));
    let code = typed.and_then(|typed| user_code::displayed(&typed));
    let code = code.as_ref().map_or("", |code| code.as_str());
    code_page(&state, &signed_in, code, StatusCode::OK, None).await
}

pub(super) async fn submit(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    extensions: Extensions,
    form: Form,
) -> PageResult {
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    let typed = form.field("user_code");
    let Some(code) = user_code::displayed(typed) else {
        return code_page(&state, &signed_in, typed, invalid, Some(NOT_A_CODE)).await;
    };
    let (limiter, address) = (&state.limiters.user_codes, address_key(&extensions));
    if let Err(seconds) = limiter.count(signed_in.user(), address.clone(), state.clock.now()) {
        return too_many(&state, &signed_in, &code, seconds).await;
    }
    let context = signed_in.audit_context(&state);
    let Some(waiting) = approval::find(&state, &code).await? else {
        approval::record_wrong_code(&state, &context).await?;
        return code_page(&state, &signed_in, &code, invalid, Some(UNKNOWN)).await;
    };
    limiter.take_back(signed_in.user(), address);
    let user = &signed_in.session().user;
    let decision = match form.field("decision") {
        _ if form.field("seen") != fingerprint(&waiting, &code) => None,
        "approve" => Some(LoginDecision::Approve(user)),
        "deny" => Some(LoginDecision::Deny(Some(user))),
        _ => None,
    };
    let Some(decision) = decision else {
        return decision_page(&state, &signed_in, &waiting, &code).await;
    };
    let decided = match approval::decide(&state, &code, decision, &context).await {
        Ok(decided) => decided,
        Err(HubError::UnknownUserCode) => {
            return code_page(&state, &signed_in, &code, invalid, Some(UNKNOWN)).await;
        }
        Err(error) => return Err(error.into()),
    };
    let notice = match decision {
        LoginDecision::Approve(_) => format!("{} is logged in as {}.", decided.client, user.name),
        LoginDecision::Deny(_) => format!("{} was denied, and is not logged in.", decided.client),
    };
    signed_in.set_notice(&state, &notice).await?;
    Ok(see_other(DONE))
}

/// What remains to be done after a decision.
pub(super) async fn done(State(state): State<Arc<HubState>>, signed_in: SignedIn) -> PageResult {
    let frame = signed_in.frame(&state, "").await?;
    Ok(html(StatusCode::OK, &DonePage { frame }))
}

async fn decision_page(
    state: &HubState,
    signed_in: &SignedIn,
    waiting: &WaitingLogin,
    code: &str,
) -> PageResult {
    let request = &waiting.request;
    let here = signed_in.audit_context(state).address;
    let page = DecisionPage {
        frame: signed_in.frame(state, "").await?,
        code,
        client: waiting.client,
        client_id: &request.client_id,
        user: signed_in.user(),
        requested: minute(request.created_at),
        ago: ago(state.clock.now() - request.created_at),
        address: request.address.as_deref().unwrap_or("not known"),
        is_here: here.is_some_and(|here| request.address == Some(here.to_string())),
        is_everything: request.scopes.is_everything(),
        lines: login_scopes::lines(&request.scopes),
        lasts: span(state.services.oauth.options.lifetimes().refresh),
        seen: fingerprint(waiting, code),
    };
    Ok(html(StatusCode::OK, &page))
}

async fn too_many(
    state: &HubState,
    signed_in: &SignedIn,
    code: &str,
    seconds: u32,
) -> Result<Response, PageError> {
    let minutes = seconds.div_ceil(60);
    let message = format!(
        "There were too many wrong codes. Wait {minutes} {}, then try again.",
        if minutes == 1 { "minute" } else { "minutes" }
    );
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut response = code_page(state, signed_in, code, status, Some(&message)).await?;
    insert_header(&mut response, RETRY_AFTER, &seconds.to_string());
    Ok(response)
}

async fn code_page(
    state: &HubState,
    signed_in: &SignedIn,
    code: &str,
    status: StatusCode,
    error: Option<&str>,
) -> PageResult {
    let mut errors = FormErrors::default();
    if let Some(message) = error {
        errors.add("user_code", message);
    }
    let page = CodePage {
        frame: signed_in.frame(state, "").await?,
        code,
        errors,
    };
    Ok(html(status, &page))
}

/// Everything a page shows of a request that matters for the decision.
fn fingerprint(waiting: &WaitingLogin, code: &str) -> String {
    let request = &waiting.request;
    let text = [
        code,
        &request.client_id,
        &request.scopes.names().join(" "),
        request.address.as_deref().unwrap_or_default(),
        &minute(request.created_at).iso,
    ]
    .join("\n");
    hexadecimal::encode(&secret::digest(&text))
}
