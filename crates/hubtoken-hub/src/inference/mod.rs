//! The inference API checks the token and forwards the request to a model server that the operator
//! configured.
//!
//! A model is named in the path (`/models/{namespace}/{name}`) or in the body
//! (`/v1/chat/completions` and the like). The caller's token must be allowed to call inference, and
//! to read the model's repository if this Hub has one with that name. The request then goes to the
//! model's upstream, and the response is streamed back, or aborted if the upstream breaks off:
//!
//! ```text
//! request ─► admission ─► incoming (bounded, scanned by json) ─► forward ─► upstream
//!            token, limit,   which model, and no other one          │
//!            repository             response, streamed ◄─ answer ◄──┘
//! ```
//!
//! Nothing that a client sends determines where a request goes: upstreams are configured, and only
//! the upstream paths listed in [`routes`] can be reached. The body is forwarded unchanged, so the
//! model that it names is checked on the way. Otherwise, a request for one model could reach
//! another that its sender may not use.

mod admission;
mod forward;
mod forward_body;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod listing;
mod model_scanner;
pub(super) mod options;
mod request_body;
mod response;
mod routes;
pub(super) mod service;
mod upstream;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::state::HubState;

pub(crate) fn routes() -> Router<Arc<HubState>> {
    Router::new()
        .route("/v1/models", get(listing::list))
        .route("/v1/chat/completions", post(routes::by_body))
        .route("/v1/completions", post(routes::by_body))
        .route("/v1/embeddings", post(routes::by_body))
        .route("/models/{*path}", post(routes::by_path))
}
