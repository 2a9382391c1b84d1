//! Who may use the administration API: the holder of the admin key, from a program on this machine.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};

use crate::hub::answers::ApiError;
use crate::hub::authentication::bearer;
use crate::hub::secret;
use crate::hub::state::HubState;

/// Lets a request to the administration API through, or not.
pub(crate) fn guard(state: &HubState, request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    if !own_host(headers, &state.endpoint) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "The administration API answers under the Hub's own address only",
        ));
    }
    if !own_origin(headers, &state.endpoint) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "The administration API is not for web pages",
        ));
    }
    let key = bearer(headers)
        .ok_or_else(|| unauthorized("The administration API needs the admin key as a bearer"))?;
    if secret::same(&secret::digest(&key), &state.admin_key) {
        Ok(())
    } else {
        Err(unauthorized(
            "This is not the admin key; access tokens have no place here",
        ))
    }
}

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, message)
}

/// The loopback names under which a Hub on this port can be reached.
fn own_authorities(endpoint: &str) -> Vec<String> {
    let authority = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let mut own: Vec<String> = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .map(|host| format!("{host}:{port}"))
        .collect();
    own.push(authority.to_owned());
    own
}

fn own_host(headers: &HeaderMap, endpoint: &str) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    host.to_str().is_ok_and(|host| {
        own_authorities(endpoint)
            .iter()
            .any(|own| own.eq_ignore_ascii_case(host))
    })
}

fn own_origin(headers: &HeaderMap, endpoint: &str) -> bool {
    headers.get_all(ORIGIN).iter().all(|origin| {
        origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|authority| {
                own_authorities(endpoint)
                    .iter()
                    .any(|own| own.eq_ignore_ascii_case(authority))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const ENDPOINT: &str = "http://127.0.0.1:8080";

    fn with(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn hosts() {
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST:8080",
            "[::1]:8080",
        ] {
            assert!(own_host(&with(HOST, host), ENDPOINT), "{host}");
        }
        for host in [
            "evil.example:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:8080.evil.example",
            "",
        ] {
            assert!(!own_host(&with(HOST, host), ENDPOINT), "{host}");
        }
        assert!(!own_host(&HeaderMap::new(), ENDPOINT));
        let mut two = with(HOST, "127.0.0.1:8080");
        two.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(!own_host(&two, ENDPOINT));
    }

    #[test]
    fn origins() {
        assert!(own_origin(&HeaderMap::new(), ENDPOINT));
        assert!(own_origin(&with(ORIGIN, "http://localhost:8080"), ENDPOINT));
        for origin in [
            "null",
            "http://evil.example",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:9090",
        ] {
            assert!(!own_origin(&with(ORIGIN, origin), ENDPOINT), "{origin}");
        }
    }
}
