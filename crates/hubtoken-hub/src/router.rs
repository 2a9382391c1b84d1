//! All routes of a Hub, and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use super::api::fallback;
use super::middleware::{RouteGroup, handle};
use super::monitoring::health;
use super::response::{ApiError, ErrorFormat};
use super::route_family::{Guard, RateLimitWindow, RouteFamily};
use super::state::HubState;
use super::{admin, api, git, inference, lfs, oauth, pages, xet};

/// The largest request body, except for commits. A `preupload` of 256 files is far below it.
const BODY_BYTES: usize = 16 << 20;

/// The HTTP part of a Hub.
pub fn app(state: Arc<HubState>) -> Router {
    use ErrorFormat::{Git, Json, Lfs, Text};
    use Guard::{AdminKey, CountedToken, Metrics, Open, Probe, Token};
    use RateLimitWindow::{Api, Resolvers};

    let group = |routes: Router<Arc<HubState>>, family: Option<RouteFamily>| {
        let state = Arc::clone(&state);
        routes
            .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
            // As one layer, the first one outermost: each layer costs every request a clone of
            // everything below it.
            .layer((
                from_fn_with_state(RouteGroup { state, family }, handle),
                DefaultBodyLimit::max(BODY_BYTES),
            ))
    };
    let api = |routes, guard, errors, window| {
        group(routes, Some(RouteFamily::api(guard, errors, window)))
    };
    let pages = |routes, needs_visitor| group(routes, Some(RouteFamily::Pages { needs_visitor }));
    Router::new()
        .merge(api(api::routes(), Token, Json, Api))
        .merge(api(api::whoami_routes(), CountedToken, Json, Api))
        .merge(api(api::file_routes(), Token, Text, Resolvers))
        .merge(api(git::routes(), Token, Git, Api))
        .merge(api(lfs::routes(), Token, Lfs, Api))
        .merge(api(xet::token_routes(), Token, Json, Api))
        .merge(api(xet::routes(), Open, Json, Resolvers))
        .merge(api(inference::routes(), Token, Json, Api))
        .merge(api(oauth::routes(), Open, Json, Api))
        .merge(api(admin::routes(), AdminKey, Json, Api))
        .merge(api(health::probe_routes(), Probe, Text, Api))
        .merge(api(health::metrics_routes(), Metrics, Text, Api))
        .merge(pages(pages::routes(), true))
        .merge(pages(pages::asset_routes(), false))
        .merge(group(fallback::routes(), None))
        .with_state(state)
}
