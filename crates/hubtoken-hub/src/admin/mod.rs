//! The administration API, under `/-/hubtoken/v1/`: the operations of the Hub's web pages, for
//! programs.
//!
//! It only accepts the admin key, as a bearer token, so no access token can create another. A web
//! page in a browser on the same machine could reach a loopback port, so the `Host` must be the
//! Hub's own (a foreign name that resolves to 127.0.0.1 is rejected), and so must the `Origin`, if
//! there is one. Bodies and responses are JSON; errors are `{"error": "…"}`. Times are ISO 8601 in
//! UTC. Responses with a secret carry `Cache-Control: no-store`.
//!
//! | Method and path | Body | Answer |
//! |---|---|---|
//! | `GET users` | | 200 list of users |
//! | `POST users` | `name`, `fullname`?, `email`?, `password`? | 201 user: `id`, `name`, `fullname`, `email`, `createdAt` |
//! | `PUT users/{user}/password` | `password` | 204; ends all sessions of the user |
//! | `GET administrators` | | 200 list of users |
//! | `GET organizations` | | 200 list of organizations |
//! | `POST organizations` | `name`, `fullname`? | 201 organization: `id`, `name`, `fullname`, `createdAt` |
//! | `GET organizations/{name}/members` | | 200 list of `user`, `role` |
//! | `PUT organizations/{name}/members/{user}` | `role` | 204 |
//! | `DELETE organizations/{name}/members/{user}` | | 204 |
//! | `GET organizations/{name}/policy` | | 200 `policy` |
//! | `PUT organizations/{name}/policy` | `policy` (`allow-all`, `fine-grained-only`, `require-approval`) | 200 `policy` |
//! | `GET organizations/{name}/approvals` | | 200 list of approvals |
//! | `POST organizations/{name}/approvals/{token}/approve`, `…/deny`, `…/revoke` | | 200 approval |
//! | `GET audit?user=&organization=&act=&since=&before=&limit=` | | 200 `entries`, newest first, and `next`, the `before` of the next page or null |
//! | `GET users/{user}/tokens` | | 200 list of tokens |
//! | `POST users/{user}/tokens` | `name`, `role` (`read`, `write`, `fineGrained`), `scopes`?, `global`?, `canReadGatedRepos`?, `expiresAt`? | 201 `token` (the value), `info` (a token) |
//! | `PATCH users/{user}/tokens/{token}` | `name` | 200 token |
//! | `PUT users/{user}/tokens/{token}/permissions` | `role`, `scopes`?, `global`?, `canReadGatedRepos`? | 200 token |
//! | `POST users/{user}/tokens/{token}/refresh` | | 200 `token`, `info` |
//! | `DELETE users/{user}/tokens/{token}` | | 204 |
//! | `POST logins/approve` | `userCode`, `user` | 200 `clientId`, `client`, `scopes`, `address`, `createdAt` of the program that is logged in as the user |
//! | `POST logins/deny` | `userCode` | 200 the same of the program that is refused |
//! | `GET users/{user}/logins` | | 200 list of `id`, `clientId`, `client`, `scopes`, `createdAt`, `lastUsedAt`, `expiresAt` |
//! | `DELETE users/{user}/logins/{id}` | | 204; ends the login |
//! | `GET signing-keys` | | 200 list of `id`, `createdAt`, `signsUntil`, `servedUntil`, newest first |
//! | `POST signing-keys/rotate` | `withdraw`? (whether the earlier keys are served no longer) | 200 the new key |
//! | `GET publishers?resource=` | | 200 list of trusted publishers |
//! | `POST publishers` | `resource`, `issuer`, `claims`, `user`?, `keys`? | 201 publisher |
//! | `DELETE publishers/{id}` | | 204 |
//! | `GET repositories` | | 200 list of repositories |
//! | `POST repositories` | `type`, `id`, `private`?, `gated`? | 201 repository |
//! | `PATCH repositories/{type}/{namespace}/{name}` | `private`?, `gated`? (`auto`, `manual`, `false`), `disabled`? | 200 repository |
//! | `DELETE repositories/{type}/{namespace}/{name}` | | 204 |
//! | `GET repositories/{type}/{namespace}/{name}/grants` | | 200 list of user names |
//! | `PUT repositories/{type}/{namespace}/{name}/grants/{user}` | | 204 |
//! | `DELETE repositories/{type}/{namespace}/{name}/grants/{user}` | | 204 |
//!
//! A `{token}` is an id or a name; if several tokens have the name, the response is 409. A token is
//! `id`, `name`, `role`, `last4`, `createdAt`, `lastUsedAt`, `expiresAt`, `inferenceRequests`, and
//! for a fine-grained one `fineGrained`, as whoami shows it. A scope is `entity` and `permissions`.
//! An approval is `user`, the token's `id`, `name`, `role`, `last4`, `createdAt`, `lastUsedAt` and
//! `scoped` (for this organization only), `status`, `askedAt`, `decidedAt`, `decidedBy`; there a
//! token is named by its id, or by its name among those that requested approval. An audit entry is
//! `id`, `at`, `act`, `actor`, and where applicable `actorName`, `actorToken`, `address`, `user`,
//! `organization`, `tokenId`, `tokenName`, `last4`, `repository`, `detail`. `{type}` is `model`,
//! `dataset` or `space`. A publisher is `id`, `resource`, `user`, `issuer`, `claims`, `hasKeys`,
//! `createdAt`, `lastUsedAt`; `keys` is a JWK set.

mod audit;
pub(super) mod guard;
mod logins;
mod organizations;
mod publishers;
mod repositories;
mod signing_keys;
mod tokens;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, patch, post, put};

use super::state::HubState;

pub(crate) fn routes() -> Router<Arc<HubState>> {
    let path = |rest: &str| format!("/-/hubtoken/v1/{rest}");
    Router::new()
        .route(&path("users"), get(users::list).post(users::create))
        .route(&path("administrators"), get(users::administrators))
        .route(&path("users/{user}/password"), put(users::set_password))
        .route(
            &path("users/{user}/tokens"),
            get(tokens::list).post(tokens::create),
        )
        .route(
            &path("users/{user}/tokens/{token}"),
            patch(tokens::rename).delete(tokens::delete),
        )
        .route(
            &path("users/{user}/tokens/{token}/refresh"),
            post(tokens::refresh),
        )
        .route(
            &path("users/{user}/tokens/{token}/permissions"),
            put(tokens::change),
        )
        .route(&path("users/{user}/logins"), get(logins::list))
        .route(&path("users/{user}/logins/{login}"), delete(logins::end))
        .route(&path("logins/approve"), post(logins::approve))
        .route(&path("logins/deny"), post(logins::deny))
        .route(&path("signing-keys"), get(signing_keys::list))
        .route(&path("signing-keys/rotate"), post(signing_keys::rotate))
        .route(&path("audit"), get(audit::list))
        .route(
            &path("organizations/{organization}/policy"),
            get(organizations::policy).put(organizations::set_policy),
        )
        .route(
            &path("organizations/{organization}/approvals"),
            get(organizations::approvals),
        )
        .route(
            &path("organizations/{organization}/approvals/{token}/{decision}"),
            post(organizations::decide),
        )
        .route(
            &path("organizations"),
            get(organizations::list).post(organizations::create),
        )
        .route(
            &path("organizations/{organization}/members"),
            get(organizations::members),
        )
        .route(
            &path("organizations/{organization}/members/{user}"),
            put(organizations::set_member).delete(organizations::remove_member),
        )
        .route(
            &path("publishers"),
            get(publishers::list).post(publishers::create),
        )
        .route(&path("publishers/{id}"), delete(publishers::delete))
        .route(
            &path("repositories"),
            get(repositories::list).post(repositories::create),
        )
        .route(
            &path("repositories/{kind}/{namespace}/{name}"),
            patch(repositories::change).delete(repositories::delete),
        )
        .route(
            &path("repositories/{kind}/{namespace}/{name}/grants"),
            get(repositories::grants),
        )
        .route(
            &path("repositories/{kind}/{namespace}/{name}/grants/{user}"),
            put(repositories::grant).delete(repositories::revoke),
        )
}
