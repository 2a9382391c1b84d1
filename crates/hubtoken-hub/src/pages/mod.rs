//! The pages for people: signing in, access tokens, what organizations are set to, and the audit log.
//!
//! They are what a person uses in a browser, so they are guarded against what browsers can be made to do. The rules
//! hold for all of them, in one place each:
//!
//! - [`guard`]: the `Host` must be the Hub's own; what changes something must come from the Hub's own pages; every
//!   answer carries a policy that lets no script but ours run and no other site frame it, and none may be stored.
//! - [`visitor`]: a cookie says who is there. An `Authorization` header says nothing here: no access token can mint
//!   another. A page that needs somebody signed in takes [`SignedIn`](visitor::SignedIn), and cannot forget to ask.
//! - [`form`]: a form is read by [`Form`](form::Form) alone, which checks that it was filled in on a page that this
//!   visitor was given.
//! - [`view`]: templates are compiled in and escape everything.
//!
//! What changes something answers a `POST` with a redirect, so that a reload repeats nothing. The two that show a
//! value once cannot: they answer with the page itself, since a value must be neither in a URL nor in the database, and
//! their form carries a key that works once.
//!
//! Everything works without JavaScript. The one script there is adds the button that copies a value.

mod address;
mod assets;
mod audit;
mod cookie;
pub(super) mod desk;
pub(super) mod error;
mod form;
pub(super) mod guard;
mod moment;
mod organization;
mod password;
mod permissions;
mod sign_in;
mod tokens;
mod view;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use self::view::see_other;
use super::state::HubState;

/// Whether a path belongs to the pages. Everything below them is theirs, so that a mistyped address gets a page too.
pub(crate) fn owns(path: &str) -> bool {
    path == "/"
        || ["/settings", "/organizations", "/login", "/logout"]
            .iter()
            .any(|own| {
                path.strip_prefix(own)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        || assets::owns(path)
}

pub(crate) fn routes() -> Router<Arc<HubState>> {
    const TOKEN: &str = "/settings/tokens/{id}";
    const SETTINGS: &str = "/organizations/{organization}/settings";
    let organization = |rest: &str| format!("{SETTINGS}/{rest}");
    let token = |rest: &str| format!("{TOKEN}/{rest}");
    Router::new()
        .merge(assets::routes())
        .route("/", get(sign_in::home))
        .route("/login", get(sign_in::form).post(sign_in::sign_in))
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
