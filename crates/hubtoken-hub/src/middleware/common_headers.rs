//! The headers that every answer has.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use crate::rate_limit::RateLimitStatus;
use crate::response::header_text;
use crate::route_family::RateLimitWindow;
use crate::state::HubState;

const EXPOSED_HEADERS: &str = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,\
                       Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";

/// The headers that are the same on every response.
const CONSTANT_HEADERS: [(HeaderName, HeaderValue); 6] = [
    named("x-powered-by", "huggingface-moon"),
    named("access-control-expose-headers", EXPOSED_HEADERS),
    named("cross-origin-opener-policy", "same-origin"),
    named("referrer-policy", "strict-origin-when-cross-origin"),
    named("x-content-type-options", "nosniff"),
    named("vary", "Origin"),
];
const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const fn named(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    )
}

pub(super) fn add_headers(
    state: &HubState,
    response: &mut Response,
    window: RateLimitWindow,
    logged_in: bool,
    id: HeaderValue,
) {
    let (rate_limit, policy) = match response.extensions().get::<RateLimitStatus>() {
        Some(rate_limit) => (
            header_text(&rate_limit.remaining_header()),
            header_text(&rate_limit.policy_header()),
        ),
        None => full_window(window, logged_in),
    };
    let headers = response.headers_mut();
    headers.reserve(CONSTANT_HEADERS.len() + 4);
    for (name, value) in CONSTANT_HEADERS {
        headers.insert(name, value);
    }
    // Constant, never a copy of the request's `Origin`, so that no web page of another site can
    // read a response.
    headers.insert(ALLOW_ORIGIN, state.listeners.host_policy.endpoint.clone());
    headers.insert(RATE_LIMIT, rate_limit);
    headers.insert(RATE_LIMIT_POLICY, policy);
    headers.insert(REQUEST_ID, id);
}

/// The rate-limit status of a request that is not counted: a full quota, with the real Hub's
/// numbers.
fn full_window(window: RateLimitWindow, logged_in: bool) -> (HeaderValue, HeaderValue) {
    let (rate_limit, policy) = match (window, logged_in) {
        (RateLimitWindow::Resolvers, true) => (
            "\"resolvers\";r=4999;t=300",
            "\"fixed window\";\"resolvers\";q=5000;w=300",
        ),
        (RateLimitWindow::Resolvers, false) => (
            "\"resolvers\";r=2999;t=300",
            "\"fixed window\";\"resolvers\";q=3000;w=300",
        ),
        (RateLimitWindow::Api, true) => (
            "\"api\";r=999;t=300",
            "\"fixed window\";\"api\";q=1000;w=300",
        ),
        (RateLimitWindow::Api, false) => (
            "\"api\";r=499;t=300",
            "\"fixed window\";\"api\";q=500;w=300",
        ),
    };
    (
        HeaderValue::from_static(rate_limit),
        HeaderValue::from_static(policy),
    )
}
