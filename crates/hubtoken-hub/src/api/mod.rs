//! The public HTTP API: the part of the real Hub's API that its clients use for tokens and
//! repositories.
//!
//! Each file implements one family of endpoints. Paths, bodies and headers are the real Hub's;
//! `docs/differences.md` lists the differences.

mod account_access;
mod account_tokens;
mod auth_check;
mod commit;
mod commit_body;
mod credentials;
pub(super) mod download;
pub(super) mod fallback;
mod files;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod info;
mod organizations;
mod overview;
pub(super) mod range;
mod references;
mod repositories;
mod resolve;
mod service_accounts;
mod stubs;
mod whoami;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post, put};

use super::state::HubState;

pub(super) use self::commit::reject_pull_request;

pub(crate) fn routes() -> Router<Arc<HubState>> {
    const REPOSITORY: &str = "/api/{kind}/{namespace}/{name}";
    const ACCOUNTS: &str = "/api/organizations/{organization}/service-accounts";
    let under = |rest: &str| format!("{REPOSITORY}{rest}");
    let accounts = |rest: &str| format!("{ACCOUNTS}{rest}");
    Router::new()
        .route(
            "/oauth/userinfo",
            get(whoami::userinfo).post(whoami::userinfo),
        )
        .route("/api/credentials/revoke", post(credentials::revoke))
        .route(
            "/api/organizations/{organization}/settings/tokens/revoke",
            post(organizations::revoke_value),
        )
        .route(
            "/api/organizations/{organization}/settings/tokens/{token}/revoke",
            post(organizations::revoke),
        )
        .route(
            ACCOUNTS,
            get(service_accounts::list).post(service_accounts::create),
        )
        .route(
            &accounts("/{account}"),
            get(service_accounts::read).delete(service_accounts::delete),
        )
        .route(&accounts("/{account}/tokens"), post(account_tokens::create))
        .route(
            &accounts("/{account}/tokens/{token}"),
            patch(account_tokens::change).delete(account_tokens::delete),
        )
        .route(
            &accounts("/{account}/tokens/{token}/rotate"),
            post(account_tokens::rotate),
        )
        .route("/api/users/{user}/overview", get(overview::user))
        .route(
            "/api/organizations/{organization}/overview",
            get(overview::organization),
        )
        .route("/api/agent-harnesses", get(stubs::agent_harnesses))
        .route("/api/validate-yaml", post(stubs::validate_yaml))
        .route("/api/repos/create", post(repositories::create))
        .route(
            "/api/repos/delete",
            axum::routing::delete(repositories::delete),
        )
        .route("/api/{kind}", get(info::list))
        .route(REPOSITORY, get(info::info))
        .route(&under("/revision/{revision}"), get(info::info))
        .route(&under("/auth-check"), get(auth_check::read))
        .route(&under("/auth-check/write"), get(auth_check::write))
        .route(&under("/settings"), put(repositories::settings))
        .route(&under("/preupload/{revision}"), post(commit::preupload))
        .route(
            &under("/commit/{revision}"),
            post(commit::commit).layer(DefaultBodyLimit::disable()),
        )
        .route(&under("/tree/{revision}"), get(files::tree))
        .route(&under("/tree/{revision}/{*path}"), get(files::tree))
        .route(&under("/paths-info/{revision}"), post(files::paths_info))
        .route(&under("/refs"), get(references::list))
        .route(&under("/commits/{revision}"), get(references::log))
        .route(
            &under("/branch/{revision}"),
            post(references::create_branch).delete(references::delete_branch),
        )
        .route(
            &under("/tag/{revision}"),
            post(references::create_tag).delete(references::delete_tag),
        )
}

/// `whoami-v2`, whose requests are counted.
pub(crate) fn whoami_routes() -> Router<Arc<HubState>> {
    Router::new().route("/api/whoami-v2", get(whoami::whoami))
}

/// File contents, outside `/api/`.
pub(crate) fn file_routes() -> Router<Arc<HubState>> {
    let mut router = Router::new();
    for prefix in ["", "/datasets", "/spaces"] {
        for word in ["resolve", "raw"] {
            let path = format!("{prefix}/{{namespace}}/{{name}}/{word}/{{revision}}/{{*path}}");
            router = router.route(&path, get(resolve::resolve));
        }
    }
    router
}
