//! The Hub as an OAuth issuer: logins of programs, and what they are given.
//!
//! A token that is issued here is a JWT, because clients of the real Hub read the claims of theirs.
//! The Hub does not trust what a token says: it looks the digest up in its registry, like that of
//! any other token, so a token that is revoked or whose user is gone is dead at once.

pub(crate) mod approval;
mod client;
pub(crate) mod crypto;
pub(crate) mod device;
mod discovery;
pub(crate) mod error;
mod exchange;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod id_token;
pub(crate) mod issue;
pub(crate) mod issuer_keys;
pub(crate) mod jwk_set;
pub(crate) mod keys;
pub(crate) mod options;
pub(crate) mod parameters;
pub(crate) mod service;
mod token;
pub(crate) mod user_code;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::state::HubState;

/// The routes of the issuer, which take no access token.
pub(crate) fn routes() -> Router<Arc<HubState>> {
    Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::configuration),
        )
        .route("/oauth/jwks", get(discovery::jwks))
        .route("/oauth/device", get(device::to_page).post(device::request))
        .route("/oauth/token", post(token::exchange))
}
