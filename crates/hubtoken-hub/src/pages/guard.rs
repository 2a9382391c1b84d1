//! The checks and headers that apply to every page.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::{LogCause, PageError, failure};
use super::visitor::Visitor;
use crate::extract::body::drain;
use crate::response::{ApiError, header_text};
use crate::server::allowed_hosts::{CanonicalHost, host};
use crate::server::peer::Peer;
use crate::state::HubState;

/// Pages only load the Hub's own stylesheet, script and icon, only submit forms to the Hub, and
/// cannot be framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Checks a request before it reaches its page, and makes every response safe for a browser. An
/// asset needs no visitor.
pub(crate) async fn middleware(
    state: Arc<HubState>,
    id: HeaderValue,
    needs_visitor: bool,
    request: Request,
    next: Next,
) -> Response {
    let is_head = request.method() == Method::HEAD;
    let (mut response, visitor) = match check_request(&state, request, needs_visitor).await {
        Ok((request, visitor)) => (next.run(request).await, visitor),
        Err(response) => (response, None),
    };
    // A response that is not from a page comes from the router, or from a part of the API that a
    // path below the pages happens to match; neither is meant for a browser.
    if response.extensions().get::<ApiError>().is_some() {
        response = if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            PageError::method_not_allowed()
        } else {
            PageError::not_found()
        }
        .into_response();
    }
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR
        && let Some(cause) = response.extensions_mut().remove::<LogCause>()
    {
        response = failure(id.to_str().unwrap_or_default(), cause);
    }
    if !response.headers().contains_key(SET_COOKIE)
        && let Some(cookie) = visitor.and_then(|visitor| visitor.new_cookie(&state.endpoint))
        && is_html(response.headers())
        && response.status() == StatusCode::OK
    {
        response
            .headers_mut()
            .insert(SET_COOKIE, header_text(&cookie));
    }
    add_headers(id, response.headers_mut());
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn check_request(
    state: &HubState,
    mut request: Request,
    needs_visitor: bool,
) -> Result<(Request, Option<Visitor>), Response> {
    let own_host = &state.listeners.host_policy.public;
    let rejection = if host(request.headers()).is_some_and(|host| own_host.matches(host)) {
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        (!is_safe && !is_same_origin(request.headers(), own_host))
            .then(|| PageError::forged(request.uri().path()))
    } else {
        Some(PageError::wrong_host(&state.endpoint))
    };
    if let Some(rejection) = rejection {
        drain(request.into_body()).await;
        return Err(rejection.into_response());
    }
    if !needs_visitor {
        return Ok((request, None));
    }
    let peer = request.extensions().get::<Peer>().map(|peer| peer.address);
    match Visitor::find(state, request.headers(), peer).await {
        Ok(visitor) => {
            request.extensions_mut().insert(visitor.clone());
            Ok((request, Some(visitor)))
        }
        Err(error) => {
            drain(request.into_body()).await;
            Err(PageError::from(error).into_response())
        }
    }
}

/// Whether the browser says that one of the Hub's own pages sent this request. Browsers say so in
/// one header or the other, old ones only in `Origin`. If both are present, both must match; if
/// neither is, the client is not a browser.
fn is_same_origin(headers: &HeaderMap, own_host: &CanonicalHost) -> bool {
    let all = |name: HeaderName, is_valid: &dyn Fn(&str) -> bool| {
        headers
            .get_all(name)
            .iter()
            .all(|value| value.to_str().is_ok_and(is_valid))
    };
    let has_origin_headers = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    has_origin_headers
        && all(ORIGIN, &|origin| own_host.matches_origin(origin))
        && all(SEC_FETCH_SITE, &|site| site == "same-origin")
}

fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}

fn add_headers(id: HeaderValue, headers: &mut HeaderMap) {
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        // Not `no-referrer`, which makes browsers send `Origin: null` with the Hub's own forms.
        ("referrer-policy", "same-origin"),
        ("vary", "Cookie"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-request-id"), id);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "http://127.0.0.1:8080";

    fn says(pairs: &[(HeaderName, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        is_same_origin(&headers, &CanonicalHost::of(ENDPOINT))
    }

    #[test]
    fn a_form_comes_from_here_or_not_at_all() {
        assert!(says(&[(ORIGIN, ENDPOINT)]));
        assert!(says(&[(SEC_FETCH_SITE, "same-origin")]));
        assert!(says(&[(ORIGIN, ENDPOINT), (SEC_FETCH_SITE, "same-origin")]));
        for wrong in [
            &[][..],
            &[(ORIGIN, "null")],
            &[(ORIGIN, "http://evil.example")],
            &[(ORIGIN, "http://127.0.0.1:9090")],
            &[(SEC_FETCH_SITE, "same-site")],
            &[(SEC_FETCH_SITE, "cross-site")],
            &[(SEC_FETCH_SITE, "none")],
            &[(ORIGIN, ENDPOINT), (SEC_FETCH_SITE, "cross-site")],
            &[(ORIGIN, "null"), (SEC_FETCH_SITE, "same-origin")],
            &[(ORIGIN, ENDPOINT), (ORIGIN, "http://evil.example")],
        ] {
            assert!(!says(wrong), "{wrong:?}");
        }
    }
}
