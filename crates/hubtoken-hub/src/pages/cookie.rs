//! The session cookie.
//!
//! On https its name begins with `__Host-`, so browsers reject it from any other host, path or
//! scheme. On loopback that prefix is not available, and cookies ignore ports, so the name contains
//! the port: two Hubs on one machine must not sign out each other's visitors.
//!
//! A `CookieJar` keeps one cookie of each name, so it would hide that there are two.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

use crate::secret::Secret;
use crate::server::allowed_hosts::CanonicalHost;

/// Hexadecimal digits of 256 bits.
const LENGTH: usize = 64;

pub(super) fn name(endpoint: &str) -> String {
    let host = CanonicalHost::of(endpoint);
    if host.is_https() {
        return "__Host-hubtoken_session".to_owned();
    }
    let port = host
        .as_str()
        .rsplit_once(':')
        .map(|(_, port)| port)
        .filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        .unwrap_or("80");
    format!("hubtoken_session_{port}")
}

/// The id in the request's cookie. If there are two cookies with the name, both are ignored: one of
/// them was planted, and there is no way to tell which.
pub(super) fn read(headers: &HeaderMap, endpoint: &str) -> Option<Secret> {
    let name = name(endpoint);
    let mut values = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let is_id = value.len() == LENGTH
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_id.then(|| Secret::new(value.to_owned()))
}

/// `Set-Cookie` for an id.
pub(super) fn set(endpoint: &str, id: &Secret) -> String {
    let secure = secure(endpoint);
    format!(
        "{}={}; Path=/; HttpOnly; SameSite=Lax{secure}",
        name(endpoint),
        id.reveal()
    )
}

/// `Set-Cookie` that deletes the cookie.
pub(super) fn clear(endpoint: &str) -> String {
    let secure = secure(endpoint);
    format!(
        "{}=; Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age=0",
        name(endpoint)
    )
}

fn secure(endpoint: &str) -> &'static str {
    if CanonicalHost::of(endpoint).is_https() {
        "; Secure"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const LOCAL: &str = "http://127.0.0.1:8080";
    const TEAM: &str = "https://hub.example.org";

    fn sent(cookie: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        read(&headers, LOCAL).map(|id| id.reveal().to_owned())
    }

    #[test]
    fn what_is_set_is_read() {
        let id = Secret::random_id().unwrap();
        let header = set(LOCAL, &id);
        let pair = header.split(';').next().unwrap();
        assert_eq!(
            sent(&format!("other=1; {pair}")).as_deref(),
            Some(id.reveal())
        );
        assert!(header.contains("HttpOnly") && header.contains("SameSite=Lax"));
        assert!(!header.contains("Secure"));
        let team = set(TEAM, &id);
        assert!(
            team.starts_with("__Host-") && team.contains("; Path=/") && team.contains("; Secure")
        );
        assert!(!team.contains("Domain"));
    }

    #[test]
    fn what_is_broken_or_doubled_is_nobody() {
        let good = format!("hubtoken_session_8080={}", "a".repeat(64));
        assert!(sent(&good).is_some());
        for cookie in [
            String::new(),
            format!("{good}; {good}"),
            format!("hubtoken_session_8081={}", "a".repeat(64)),
            format!("hubtoken_session_8080={}", "a".repeat(63)),
            format!("hubtoken_session_8080={}", "A".repeat(64)),
            "hubtoken_session_8080=<script>".to_owned(),
            "hubtoken_session_8080".to_owned(),
            "=;==;;".to_owned(),
        ] {
            assert_eq!(sent(&cookie), None, "{cookie}");
        }
    }
}
