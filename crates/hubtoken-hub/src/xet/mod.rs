//! Xet: large files as chunks, of which a client sends and fetches only those that it lacks.
//!
//! A client trades its access token for one of Xet's (`tokens`), which is for one repository and one
//! right. With that it uploads *xorbs*, packs of chunks, and then a *shard*, which says what files
//! consist of (`uploads`), or asks for the reconstruction of a file (`reconstructions`) and fetches
//! runs of chunks by signed links (`xorbs`). What is stored is `repository::xet`.
//!
//! This is version 1 of the protocol, and of version 2 the reconstructions, in which huggingface.js
//! asks for them. For the rest, clients try version 2 first, and take a 404 as the answer.
//!
//! The address of the store names the repository, and its id: a client remembers what it has uploaded
//! to an address, and must not count on it in another repository, or in one that was created again.

pub(crate) mod access_token;
mod caller;
pub(crate) mod issue;
mod reconstructions;
mod tokens;
mod uploads;
mod xorbs;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, head, post};

use super::repository::xet::MAX_SHARD_BYTES;
use super::response::ApiError;
use super::state::HubState;

/// Routes whose requests carry an access token.
pub(crate) fn token_routes() -> Router<Arc<HubState>> {
    let of = |right: &str| {
        format!("/api/{{kind}}/{{namespace}}/{{name}}/xet-{right}-token/{{revision}}")
    };
    Router::new()
        .route(&of("read"), get(tokens::read))
        .route(&of("write"), get(tokens::write))
}

/// Routes whose requests carry one of Xet's tokens, or a signed link.
pub(crate) fn routes() -> Router<Arc<HubState>> {
    const STORE: &str = "/api/xet/{kind}/{namespace}/{name}/{id}";
    let under = |rest: &str| format!("{STORE}/v1{rest}");
    // Their requests carry a token of Xet as well.
    let unknown = || any(|| async { ApiError::page_not_found() });
    Router::new()
        .route(&format!("{STORE}/v1/{{*rest}}"), unknown())
        .route(&format!("{STORE}/v2/{{*rest}}"), unknown())
        .route(
            &format!("{STORE}/v2/reconstructions/{{hash}}"),
            get(reconstructions::one_of_version_2),
        )
        .route(&under("/reconstructions"), get(reconstructions::batch))
        .route(&under("/reconstructions/{hash}"), get(reconstructions::one))
        .route(&under("/files/{hash}"), head(reconstructions::head))
        .route(&under("/chunks/{prefix}/{hash}"), get(uploads::chunk))
        .route(
            &under("/xorbs/{prefix}/{hash}"),
            get(xorbs::fetch)
                .post(uploads::xorb)
                .layer(DefaultBodyLimit::disable()),
        )
        .route(
            &under("/shards"),
            post(uploads::shard).layer(DefaultBodyLimit::max(MAX_SHARD_BYTES)),
        )
        .route(&under("/telemetry"), post(uploads::telemetry))
}
