//! The stylesheet, the script and the icon: compiled in, and addressed by content.
//!
//! The URL of each contains part of its digest, so that browsers may cache it forever but never
//! combine a new page with an old stylesheet.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use crate::state::HubState;
use hubtoken_core::hexadecimal;

const STYLE: (&str, &str) = (
    "/static/hubtoken.css",
    include_str!("../../templates/hubtoken.css"),
);
const SCRIPT: (&str, &str) = ("/static/copy.js", include_str!("../../templates/copy.js"));
const ICON: (&str, &str) = ("/static/icon.svg", include_str!("../../templates/icon.svg"));

/// The URLs that pages link to.
#[derive(Debug)]
pub(super) struct Links {
    pub style: String,
    pub script: String,
    pub icon: String,
}

pub(super) static LINKS: LazyLock<Links> = LazyLock::new(|| {
    let link = |(path, content): (&str, &str)| {
        let digest = hexadecimal::encode(&Sha256::digest(content.as_bytes()));
        format!("{path}?{}", &digest[..12])
    };
    Links {
        style: link(STYLE),
        script: link(SCRIPT),
        icon: link(ICON),
    }
});

pub(crate) fn asset_routes() -> Router<Arc<HubState>> {
    Router::new()
        .route(
            STYLE.0,
            get(|| async { asset_response("text/css; charset=utf-8", STYLE.1) }),
        )
        .route(
            SCRIPT.0,
            get(|| async { asset_response("text/javascript; charset=utf-8", SCRIPT.1) }),
        )
        .route(
            ICON.0,
            get(|| async { asset_response("image/svg+xml", ICON.1) }),
        )
}

fn asset_response(content_type: &'static str, content: &'static str) -> Response {
    (
        [
            (CONTENT_TYPE, content_type),
            (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ],
        content,
    )
        .into_response()
}
