//! The inference API: the token is checked here, and a server that the operator chose does the work.
//!
//! A model is named by the path (`/models/{namespace}/{name}`) or by the body (`/v1/chat/completions` and the like).
//! Who asks must show a token that may call inference, and may read the model's repository if this Hub has one of that
//! name. Then the request goes to the upstream that is configured for the model, and its answer comes back piece by
//! piece:
//!
//! ```text
//! request ─► admission ─► incoming (bounded, watched by json) ─► forward ─► upstream
//!            token, limit,   which model, and no other one           │
//!            repository                                    answer ◄──┘ as it comes, cut if the upstream breaks off
//! ```
//!
//! Nothing that a client sends decides where a request goes: upstreams are configured, and of the paths below them only
//! those in [`call`] are reached. The body is forwarded as it came, so the model that it names is looked at on the way:
//! otherwise a request for one model could have another one answer that its sender may not use.

mod admission;
mod answer;
mod call;
mod forward;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod incoming;
mod json;
mod listing;
pub(super) mod options;
mod outgoing;
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
        .route("/v1/chat/completions", post(call::by_body))
        .route("/v1/completions", post(call::by_body))
        .route("/v1/embeddings", post(call::by_body))
        .route("/models/{*path}", post(call::by_path))
}
