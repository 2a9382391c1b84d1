//! All routes of a Hub, and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use super::answers::{ApiError, ErrorFormat};
use super::api::unknown::unknown;
use super::middleware::{Family, surround};
use super::state::HubState;
use super::{admin, api, git, health, inference, lfs, pages};

/// The largest request body, except for commits. A `preupload` of 256 files is far below it.
const BODY_BYTES: usize = 16 << 20;

/// The HTTP part of a Hub.
pub fn app(state: Arc<HubState>) -> Router {
    let family = |routes: Router<Arc<HubState>>, errors: Option<ErrorFormat>| {
        let state = Arc::clone(&state);
        routes
            .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
            // As one layer, the first one outermost: each layer costs every request a clone of
            // everything below it.
            .layer((
                from_fn_with_state(Family { state, errors }, surround),
                DefaultBodyLimit::max(BODY_BYTES),
            ))
    };
    Router::new()
        .merge(family(api::routes(), Some(ErrorFormat::Json)))
        .merge(family(api::files(), Some(ErrorFormat::Text)))
        .merge(family(git::routes(), Some(ErrorFormat::Git)))
        .merge(family(lfs::routes(), Some(ErrorFormat::Lfs)))
        .merge(family(inference::routes(), Some(ErrorFormat::Json)))
        .merge(family(admin::routes(), Some(ErrorFormat::Json)))
        // Pages write their errors themselves; see `pages::guard`.
        .merge(family(pages::routes(), Some(ErrorFormat::Text)))
        .merge(family(health::routes(), Some(ErrorFormat::Text)))
        .merge(family(Router::new().fallback(unknown), None))
        .with_state(state)
}
