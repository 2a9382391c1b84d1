//! Git LFS: large files stored outside git, which holds pointers to them.
//!
//! A client asks in batches (`batch`) which files exist, and receives a link for each file
//! (`capability`), which it follows without credentials (`transfer`). The files themselves, and the
//! pointers to them in commits, are part of the repository: see `repository::lfs`.
//!
//! `git lfs` and huggingface.js use the batch endpoint. A client that can send by Xet, and says so
//! there, is told to; `huggingface_hub` does so without asking. See `xet`.

mod batch;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod signed_url;
mod transfer;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::state::HubState;

pub(crate) fn routes() -> Router<Arc<HubState>> {
    let mut router = Router::new();
    for prefix in ["", "/datasets", "/spaces"] {
        let objects = format!("{prefix}/{{namespace}}/{{name}}/info/lfs/objects");
        router = router
            .route(&format!("{objects}/batch"), post(batch::batch))
            .route(&format!("{objects}/verify"), post(batch::verify))
            .route(
                &format!("{objects}/{{oid}}"),
                get(transfer::download)
                    .put(transfer::upload)
                    .layer(DefaultBodyLimit::disable()),
            );
    }
    router
}
