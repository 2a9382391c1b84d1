//! The web pages: sign-in, access tokens, logins of programs, organization settings, and the audit
//! log.
//!
//! They are used in a browser, so they are protected against what browsers can be made to do. Each
//! rule is enforced in one place for all pages:
//!
//! - [`guard`]: the `Host` must be the Hub's own, and requests that change something must come from
//!   the Hub's own pages. Every response carries a policy that allows no foreign script and no
//!   framing, and no response may be stored.
//! - [`visitor`]: a cookie identifies the session. An `Authorization` header is ignored, so no
//!   access token can create another. Pages that require a session take
//!   [`SignedIn`](visitor::SignedIn), so none can forget the check.
//! - [`form`]: forms are only read through [`Form`](form::Form), which verifies that the form was
//!   served to this visitor.
//! - [`view`]: templates are compiled in and escape everything.
//!
//! A change is a `POST` that is answered with a redirect, so that a reload repeats nothing. The two
//! changes that show a value once cannot redirect: they respond with the page itself, because a
//! value must be neither in a URL nor in the database, and their forms carry a single-use key.
//!
//! Everything works without JavaScript. The only script adds the button that copies a value.

mod assets;
pub(super) mod attempt_limiter;
mod audit;
mod cookie;
mod device_login;
mod display_time;
pub(super) mod error;
mod form;
pub(super) mod guard;
mod login_scopes;
mod logins;
mod organization;
mod password;
mod permissions;
mod publishers;
mod redirect;
mod sign_in;
pub(super) mod sign_in_limiter;
mod tokens;
mod view;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use self::assets::asset_routes;
use self::view::see_other;
use super::state::HubState;

pub(crate) fn routes() -> Router<Arc<HubState>> {
    const TOKEN: &str = "/settings/tokens/{id}";
    const SETTINGS: &str = "/organizations/{organization}/settings";
    let organization = |rest: &str| format!("{SETTINGS}/{rest}");
    let token = |rest: &str| format!("{TOKEN}/{rest}");
    Router::new()
        .route("/", get(sign_in::home))
        .route("/login", get(sign_in::form).post(sign_in::sign_in))
        .route(
            "/login/device",
            get(device_login::form).post(device_login::submit),
        )
        .route("/login/device/done", get(device_login::done))
        .route("/logout", post(sign_in::sign_out))
        .route("/settings", get(|| async { see_other("/settings/tokens") }))
        .route(
            "/settings/password",
            get(password::form).post(password::change),
        )
        .route("/settings/tokens", get(tokens::list::list))
        .route(
            "/settings/tokens/new",
            get(tokens::new::form).post(tokens::new::create),
        )
        .route(TOKEN, get(tokens::manage::overview))
        .route(
            &token("rename"),
            get(tokens::manage::rename_form).post(tokens::manage::rename),
        )
        .route(
            &token("permissions"),
            get(tokens::change::form).post(tokens::change::change),
        )
        .route(
            &token("refresh"),
            get(tokens::manage::refresh_form).post(tokens::manage::refresh),
        )
        .route(
            &token("delete"),
            get(tokens::manage::delete_form).post(tokens::manage::delete),
        )
        .route("/settings/logins", get(logins::list))
        .route(
            "/settings/logins/{id}/end",
            get(logins::end_form).post(logins::end),
        )
        .route("/settings/publishers", get(publishers::list))
        .route(
            "/settings/publishers/new",
            get(publishers::form).post(publishers::create),
        )
        .route(
            "/settings/publishers/{id}/delete",
            get(publishers::delete_form).post(publishers::delete),
        )
        .route("/settings/audit-log", get(audit::own))
        .route("/settings/audit-log/hub", get(audit::whole))
        .route(SETTINGS, get(organization::index))
        .route(
            &organization("members"),
            get(organization::members::list).post(organization::members::set),
        )
        .route(
            &organization("members/{user}/remove"),
            get(organization::members::remove_form).post(organization::members::remove),
        )
        .route(
            &organization("tokens"),
            get(organization::tokens::list).post(organization::tokens::set),
        )
        .route(
            &organization("tokens/{id}/{decision}"),
            get(organization::decision::form).post(organization::decision::decide),
        )
        .route(&organization("audit-log"), get(audit::of_organization))
}
