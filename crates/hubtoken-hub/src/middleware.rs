//! The middleware around every request: authenticates it, adds the Hub's headers to the response,
//! counts it and logs it.
//!
//! This is done in one place so that it applies to every path, including unknown ones.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::address::{Door, is_probe};
use super::answers::{ApiError, ErrorFormat, header_text, render};
use super::api::unknown::error_format;
use super::authentication::{AdminKey, Caller, address, authenticate};
use super::extract::body::drain;
use super::git::refusal::reworded;
use super::journal::LogLevel;
use super::metrics::{Shown, UNKNOWN, method_name};
use super::peer::Peer;
use super::rate_limit::Standing;
use super::state::HubState;
use super::{admin, health, pages};

const EXPOSED: &str = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,\
                       Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";

/// The headers that are the same on every response.
const CONSTANT: [(HeaderName, HeaderValue); 6] = [
    named("x-powered-by", "huggingface-moon"),
    named("access-control-expose-headers", EXPOSED),
    named("cross-origin-opener-policy", "same-origin"),
    named("referrer-policy", "strict-origin-when-cross-origin"),
    named("x-content-type-options", "nosniff"),
    named("vary", "Origin"),
];
const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const fn named(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    )
}

/// What all requests of one family of routes have in common.
#[derive(Clone)]
pub(crate) struct Family {
    pub state: Arc<HubState>,
    /// The error format; `None` for paths that match no route.
    pub errors: Option<ErrorFormat>,
}

/// What is known about a request when its response is ready.
struct Facts {
    begun: Instant,
    method: Method,
    route: Option<MatchedPath>,
    caller: Option<Caller>,
    peer: Option<IpAddr>,
    id: HeaderValue,
}

pub(crate) async fn surround(
    State(Family { state, errors }): State<Family>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    state.requests.record(&path);
    if state.behind_proxy {
        believe_proxy(&mut request);
    }
    let mut facts = Facts {
        begun: Instant::now(),
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        caller: None,
        peer: request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.address.to_canonical()),
        id: state.request_ids.next(state.clock.now().unix_timestamp()),
    };
    if pages::owns(&path) {
        let id = facts.id.clone();
        // Boxed, because a request's future is as large as the largest future it may await.
        let page = Box::pin(pages::guard::surround(
            Arc::clone(&state),
            id,
            request,
            next,
        ));
        let response = page.await;
        let cause = response.extensions().get::<pages::error::Cause>();
        let cause = cause.map(|cause| cause.0.as_str());
        note(&state, &facts, response.status(), cause);
        return response;
    }
    let format = errors.unwrap_or_else(|| error_format(&path));
    let (response, logged_in) = match admit(&state, &path, &mut request).await {
        Ok(logged_in) => {
            facts.caller = request.extensions().get::<Caller>().cloned();
            (next.run(request).await, logged_in)
        }
        Err(mut error) => {
            if format.is_for_git() {
                error = reworded(error, request.headers());
            }
            Box::pin(drain(request.into_body())).await;
            (error.into_response(), false)
        }
    };
    let error = response.extensions().get::<ApiError>();
    note(
        &state,
        &facts,
        response.status(),
        error.map(ApiError::message),
    );
    let mut response = match error {
        Some(error) => render(error, format),
        None => response,
    };
    add_headers(&state, &mut response, &path, logged_in, facts.id);
    response
}

/// Takes the client's address from the local proxy's `X-Forwarded-For`. The proxy appends the
/// address that it saw, so only the last one is trustworthy; everything before it came with the
/// request.
fn believe_proxy(request: &mut Request) {
    let Some(address) = forwarded_for(request.headers()) else {
        return;
    };
    if let Some(peer) = request.extensions_mut().get_mut::<Peer>()
        && peer.door == Door::Public
    {
        peer.address = address;
    }
}

fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Checks whether the request may proceed; returns whether the caller is logged in.
async fn admit(state: &Arc<HubState>, path: &str, request: &mut Request) -> Result<bool, ApiError> {
    let door = request
        .extensions()
        .get::<Peer>()
        .map_or(Door::Only, |peer| peer.door);
    if is_probe(request.uri()) {
        return Ok(false);
    }
    state.addresses.check(door, request).inspect_err(|_| {
        state.metrics.foreign_hosts.fetch_add(1, Ordering::Relaxed);
    })?;
    if path == "/metrics" {
        return health::guard(state, door, request).map(|()| false);
    }
    if path == "/-" || path.starts_with("/-/") {
        let admitted = admin::guard::guard(state, door, request);
        state.metrics.shown(match admitted {
            Ok(()) => Shown::AdminKey,
            Err(_) => Shown::AdminRefused,
        });
        admitted?;
        request.extensions_mut().insert(AdminKey);
        return Ok(true);
    }
    let caller = match authenticate(state, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => {
            if error.status() == StatusCode::UNAUTHORIZED {
                state.metrics.shown(Shown::Refused);
            }
            // Invalid tokens count as well, by address, so that guessing is rate-limited too.
            if path == "/api/whoami-v2" {
                limit_whoami(state, &address(request.extensions()), false)?;
            }
            return Err(error);
        }
    };
    let logged_in = caller.principal().is_some();
    state.metrics.shown(if logged_in {
        Shown::Token
    } else {
        Shown::Nothing
    });
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

/// Counts the response and logs it: without path, query and headers, any of which may contain a
/// token.
fn note(state: &HubState, facts: &Facts, status: StatusCode, error: Option<&str>) {
    let took = facts.begun.elapsed();
    let route = facts.route.as_ref().map_or(UNKNOWN, MatchedPath::as_str);
    state.metrics.answered(route, &facts.method, status, took);
    if status == StatusCode::TOO_MANY_REQUESTS {
        state.metrics.rate_limited.fetch_add(1, Ordering::Relaxed);
    }
    let (level, message) = if status.is_server_error() {
        (LogLevel::Error, "request failed")
    } else if status == StatusCode::MISDIRECTED_REQUEST {
        (LogLevel::Warn, "request for a foreign host")
    } else {
        (LogLevel::Info, "request")
    };
    if !state.journal.keeps(level) {
        return;
    }
    let principal = facts.caller.as_ref().and_then(Caller::principal);
    let cause = error.filter(|_| status.is_server_error());
    state.journal.write(
        level,
        message,
        &[
            ("method", method_name(&facts.method).into()),
            ("route", route.into()),
            ("status", status.as_u16().into()),
            ("duration_ms", milliseconds(took)),
            ("request_id", facts.id.to_str().unwrap_or_default().into()),
            ("address", json!(facts.peer.map(|peer| peer.to_string()))),
            ("user", json!(principal.map(|known| &known.user.name))),
            ("token", json!(principal.map(|known| &known.token.id))),
            ("cause", json!(cause)),
        ],
    );
}

/// In milliseconds, with three decimal places.
fn milliseconds(duration: Duration) -> Value {
    let microseconds = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    json!(f64::from(microseconds) / 1000.0)
}

fn add_headers(
    state: &HubState,
    response: &mut Response,
    path: &str,
    logged_in: bool,
    id: HeaderValue,
) {
    let (standing, policy) = match response.extensions().get::<Standing>() {
        Some(standing) => (
            header_text(&standing.state()),
            header_text(&standing.policy()),
        ),
        None => full_window(path, logged_in),
    };
    let headers = response.headers_mut();
    headers.reserve(CONSTANT.len() + 4);
    for (name, value) in CONSTANT {
        headers.insert(name, value);
    }
    // Constant, never a copy of the request's `Origin`, so that no web page of another site can
    // read a response.
    headers.insert(ALLOW_ORIGIN, state.addresses.endpoint.clone());
    headers.insert(RATE_LIMIT, standing);
    headers.insert(RATE_LIMIT_POLICY, policy);
    headers.insert(REQUEST_ID, id);
}

/// The rate-limit status of a request that is not counted: a full quota, with the real Hub's
/// numbers.
fn full_window(path: &str, logged_in: bool) -> (HeaderValue, HeaderValue) {
    let resolves = path.contains("/resolve/") || path.contains("/raw/");
    let (standing, policy) = match (resolves, logged_in) {
        (true, true) => (
            "\"resolvers\";r=4999;t=300",
            "\"fixed window\";\"resolvers\";q=5000;w=300",
        ),
        (true, false) => (
            "\"resolvers\";r=2999;t=300",
            "\"fixed window\";\"resolvers\";q=3000;w=300",
        ),
        (false, true) => (
            "\"api\";r=999;t=300",
            "\"fixed window\";\"api\";q=1000;w=300",
        ),
        (false, false) => (
            "\"api\";r=499;t=300",
            "\"fixed window\";\"api\";q=500;w=300",
        ),
    };
    (
        HeaderValue::from_static(standing),
        HeaderValue::from_static(policy),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_forwarded_the_last_is_the_proxies_word() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
            }
            forwarded_for(&headers).map(|address| address.to_string())
        };
        assert_eq!(of(&["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(of(&["127.0.0.1, 192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            of(&["127.0.0.1", "2001:db8::1"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(of(&["192.0.2.1, unknown"]), None);
        assert_eq!(of(&[]), None);
    }
}
