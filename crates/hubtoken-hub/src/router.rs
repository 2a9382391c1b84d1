//! All routes of a Hub, and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use super::api::fallback::fallback;
use super::middleware::{RouteGroup, handle};
use super::monitoring::health;
use super::response::{ApiError, ErrorFormat};
use super::state::HubState;
use super::{admin, api, git, inference, lfs, pages};

/// The largest request body, except for commits. A `preupload` of 256 files is far below it.
const BODY_BYTES: usize = 16 << 20;

/// The HTTP part of a Hub.
pub fn app(state: Arc<HubState>) -> Router {
    let group = |routes: Router<Arc<HubState>>, errors: Option<ErrorFormat>| {
        let state = Arc::clone(&state);
        routes
            .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
            // As one layer, the first one outermost: each layer costs every request a clone of
            // everything below it.
            .layer((
                from_fn_with_state(RouteGroup { state, errors }, handle),
                DefaultBodyLimit::max(BODY_BYTES),
            ))
    };
    Router::new()
        .merge(group(api::routes(), Some(ErrorFormat::Json)))
        .merge(group(api::files(), Some(ErrorFormat::Text)))
        .merge(group(git::routes(), Some(ErrorFormat::Git)))
        .merge(group(lfs::routes(), Some(ErrorFormat::Lfs)))
        .merge(group(inference::routes(), Some(ErrorFormat::Json)))
        .merge(group(admin::routes(), Some(ErrorFormat::Json)))
        // Pages write their errors themselves; see `pages::guard`.
        .merge(group(pages::routes(), Some(ErrorFormat::Text)))
        .merge(group(health::routes(), Some(ErrorFormat::Text)))
        .merge(group(Router::new().fallback(fallback), None))
        .with_state(state)
}
