//! What happens around every request: it is counted, its sender is found out, and its answer gets the Hub's headers.
//!
//! Done in one place so that it holds for every path, unknown ones included.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::admin;
use super::answers::{ApiError, header_text, render};
use super::api::drain;
use super::authentication::{AdminKey, Caller, address, authenticate};
use super::pages;
use super::rate_limit::Standing;
use super::secret;
use super::state::HubState;

const EXPOSED: &str = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,\
                       Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";

pub(crate) async fn surround(
    State(state): State<Arc<HubState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    state.requests.record(&path);
    if pages::owns(&path) {
        return pages::surround(state, request, next).await;
    }
    let mut logged_in = false;
    let response = match admit(&state, &path, &mut request).await {
        Ok(known) => {
            logged_in = known;
            next.run(request).await
        }
        Err(error) => {
            drain(request.into_body()).await;
            error.into_response()
        }
    };
    let mut response = match response.extensions().get::<ApiError>() {
        Some(error) => render(error, &path),
        None => response,
    };
    add_headers(&state, &mut response, &path, logged_in);
    response
}

/// Lets the request through, or not; says whether somebody is logged in.
async fn admit(state: &Arc<HubState>, path: &str, request: &mut Request) -> Result<bool, ApiError> {
    if path == "/-" || path.starts_with("/-/") {
        admin::guard(state, request)?;
        request.extensions_mut().insert(AdminKey);
        return Ok(true);
    }
    let caller = match authenticate(state, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => {
            // Wrong tokens count as well, by address: guessing must not be free of the limit.
            if path == "/api/whoami-v2" {
                limit_whoami(state, &address(request.extensions()), false)?;
            }
            return Err(error);
        }
    };
    let logged_in = caller.principal().is_some();
    if path == "/api/whoami-v2" {
        let client = caller.client(request.extensions());
        if let Some(standing) = limit_whoami(state, &client, logged_in)? {
            request.extensions_mut().insert(standing);
        }
    }
    request.extensions_mut().insert::<Caller>(caller);
    Ok(logged_in)
}

fn limit_whoami(
    state: &HubState,
    client: &super::rate_limit::Client,
    logged_in: bool,
) -> Result<Option<Standing>, ApiError> {
    let Some(limiter) = &state.whoami_limiter else {
        return Ok(None);
    };
    let standing = limiter.hit(client.clone(), state.clock.now());
    if standing.exceeded {
        Err(ApiError::rate_limited(standing, logged_in))
    } else {
        Ok(Some(standing))
    }
}

fn add_headers(state: &HubState, response: &mut Response, path: &str, logged_in: bool) {
    let standing = response
        .extensions()
        .get::<Standing>()
        .copied()
        .unwrap_or_else(|| {
            if path.contains("/resolve/") || path.contains("/raw/") {
                Standing::unlimited("resolvers", if logged_in { 5000 } else { 3000 })
            } else {
                Standing::unlimited("api", if logged_in { 1000 } else { 500 })
            }
        });
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-powered-by", "huggingface-moon"),
        ("access-control-expose-headers", EXPOSED),
        ("cross-origin-opener-policy", "same-origin"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("x-content-type-options", "nosniff"),
        ("vary", "Origin"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    for (name, value) in [
        // Constant, never a copy of the request's `Origin`: no web page of another site may read an answer.
        ("access-control-allow-origin", state.endpoint.clone()),
        ("ratelimit", standing.state()),
        ("ratelimit-policy", standing.policy()),
        ("x-request-id", request_id(state)),
    ] {
        headers.insert(HeaderName::from_static(name), header_text(&value));
    }
}

pub(crate) fn request_id(state: &HubState) -> String {
    let random = secret::object_id().unwrap_or_else(|_| "0".repeat(24));
    format!("Root=1-{:08x}-{random}", state.clock.now().unix_timestamp())
}
