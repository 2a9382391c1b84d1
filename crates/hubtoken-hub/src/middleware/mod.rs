//! The middleware around every request: authenticates it, adds the Hub's headers to the response,
//! counts it and logs it.
//!
//! This is done in one place so that it applies to every path, including unknown ones. What differs
//! between routes is a property of their family.

mod authenticate;
mod common_headers;
mod rate_limit;
mod real_ip;
mod record;
pub(crate) mod request_id;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use self::authenticate::authenticate_request;
use self::common_headers::add_headers;
use self::real_ip::apply_forwarded_for;
use self::record::{RequestInfo, record};
use super::api::fallback::resembled_family;
use super::auth::authentication::Caller;
use super::extract::body::drain;
use super::git::push_errors::with_password_hint;
use super::pages;
use super::response::{ApiError, render};
use super::route_family::RouteFamily;
use super::server::peer::Peer;
use super::state::HubState;

/// One family of routes, as the middleware sees it.
#[derive(Clone)]
pub(crate) struct RouteGroup {
    pub state: Arc<HubState>,
    /// `None` for the paths that no route takes.
    pub family: Option<RouteFamily>,
}

pub(crate) async fn handle(
    State(RouteGroup { state, family }): State<RouteGroup>,
    mut request: Request,
    next: Next,
) -> Response {
    state.telemetry.request_counter.record(request.uri().path());
    if state.listeners.behind_proxy {
        apply_forwarded_for(&mut request);
    }
    let mut info = RequestInfo {
        started: Instant::now(),
        method: request.method().clone(),
        route: family.and_then(|_| request.extensions().get::<MatchedPath>().cloned()),
        caller: None,
        peer: request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.address.to_canonical()),
        id: state
            .telemetry
            .request_ids
            .next(state.clock.now().unix_timestamp()),
    };
    let (guard, errors, window) =
        match family.unwrap_or_else(|| resembled_family(request.uri().path())) {
            RouteFamily::Api {
                guard,
                errors,
                window,
            } => (guard, errors, window),
            RouteFamily::Pages { needs_visitor } => {
                let id = info.id.clone();
                // Boxed, because a request's future is as large as the largest future it may await.
                let page = Box::pin(pages::guard::middleware(
                    Arc::clone(&state),
                    id,
                    needs_visitor,
                    request,
                    next,
                ));
                let response = page.await;
                let cause = response.extensions().get::<pages::error::LogCause>();
                let cause = cause.map(|cause| cause.0.as_str());
                record(&state, &info, response.status(), cause);
                return response;
            }
        };
    let (response, logged_in) = match authenticate_request(&state, guard, &mut request).await {
        Ok(logged_in) => {
            info.caller = request.extensions().get::<Caller>().cloned();
            (next.run(request).await, logged_in)
        }
        Err(mut error) => {
            if errors.is_for_git() {
                error = with_password_hint(error, request.headers());
            }
            Box::pin(drain(request.into_body())).await;
            (error.into_response(), false)
        }
    };
    let error = response.extensions().get::<ApiError>();
    record(
        &state,
        &info,
        response.status(),
        error.map(ApiError::message),
    );
    let mut response = match error {
        Some(error) => render(error, errors),
        None => response,
    };
    add_headers(&state, &mut response, window, logged_in, info.id);
    response
}
