//! Checks that a request is addressed to one of this Hub's own hosts.
//!
//! A browser can be made to send a request to any address, but not to lie about the host name that
//! it used. A public Hub therefore accepts only its own host, and administration is served only on
//! loopback, under loopback's own names. A foreign name that resolves to this machine (DNS
//! rebinding) is rejected.
//!
//! A public Hub has two listeners. The public one answers for the base URL's host. The admin one
//! is bound to loopback and serves administration and metrics. The listener that accepted a
//! connection decides what is reachable, not the request's headers, so a misconfigured proxy
//! cannot expose the admin side. The command line finds the admin listener in `hub.json`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};

use crate::response::{ApiError, header_text};

/// The listener that accepted the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// The only listener of a private Hub.
    Single,
    /// The public listener of a public Hub.
    Public,
    /// The admin listener of a public Hub.
    Admin,
}

/// The hosts that one Hub answers for.
#[derive(Clone, Debug)]
pub(crate) struct HostPolicy {
    /// The endpoint, as a header value.
    pub endpoint: HeaderValue,
    /// The host of the endpoint, as browsers send it.
    pub public: CanonicalHost,
    /// The hosts of the admin listener.
    local: Vec<String>,
}

impl HostPolicy {
    /// Takes the endpoint and, for a public Hub, the address of the admin listener.
    pub(crate) fn new(endpoint: &str, local: Option<&str>) -> Self {
        let (_, authority) = split(endpoint);
        let local_authority = local.map_or(authority, |local| split(local).1);
        let port = local_authority
            .rsplit_once(':')
            .map_or("", |(_, port)| port);
        let mut names: Vec<String> = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .map(|host| format!("{host}:{port}"))
            .collect();
        names.push(local_authority.to_owned());
        Self {
            endpoint: header_text(endpoint),
            public: CanonicalHost::of(endpoint),
            local: names,
        }
    }

    /// Whether the request is for this Hub. A private Hub accepts any name: anything that can reach
    /// it can also name it.
    pub(crate) fn check<B>(
        &self,
        listener: Listener,
        request: &Request<B>,
    ) -> Result<(), ApiError> {
        if listener == Listener::Single {
            return Ok(());
        }
        let host = host(request.headers()).ok_or_else(|| {
            ApiError::bad_request("The request must have exactly one `Host` header")
        })?;
        let named = request.uri().authority().map(Authority::as_str);
        let own = |host: &str| match listener {
            Listener::Public => self.public.matches(host),
            Listener::Single | Listener::Admin => self.is_local(host),
        };
        if own(host) && named.is_none_or(own) {
            Ok(())
        } else {
            Err(ApiError::new(
                StatusCode::MISDIRECTED_REQUEST,
                "This Hub does not answer for that host",
            ))
        }
    }

    /// Whether the request came in through a listener that serves administration, under one of
    /// loopback's names.
    pub(crate) fn allows_administration(&self, listener: Listener, headers: &HeaderMap) -> bool {
        listener != Listener::Public && host(headers).is_some_and(|host| self.is_local(host))
    }

    /// Whether every `Origin` is this Hub's own.
    pub(crate) fn is_same_origin(&self, headers: &HeaderMap) -> bool {
        headers.get_all(ORIGIN).iter().all(|origin| {
            origin
                .to_str()
                .ok()
                .and_then(|origin| origin.strip_prefix("http://"))
                .is_some_and(|authority| self.is_local(authority))
        })
    }

    fn is_local(&self, host: &str) -> bool {
        self.local.iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

/// The host of an endpoint, with its port unless that is the scheme's default. A `Host` header may
/// use either case and may include or omit the default port; this is the only place that handles
/// that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CanonicalHost {
    scheme: String,
    canonical: String,
}

impl CanonicalHost {
    pub(crate) fn of(endpoint: &str) -> Self {
        let (scheme, authority) = split(endpoint);
        Self {
            canonical: canonical(scheme, authority),
            scheme: scheme.to_owned(),
        }
    }

    /// The host as browsers send it.
    pub(crate) fn as_str(&self) -> &str {
        &self.canonical
    }

    /// Whether a `Host` header names it.
    pub(crate) fn matches(&self, host: &str) -> bool {
        canonical(&self.scheme, host) == self.canonical
    }

    /// Whether an `Origin` header names it, scheme included.
    pub(crate) fn matches_origin(&self, origin: &str) -> bool {
        origin
            .split_once("://")
            .is_some_and(|(scheme, host)| scheme == self.scheme && self.matches(host))
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

/// Splits an endpoint into scheme and authority.
fn split(endpoint: &str) -> (&str, &str) {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    (scheme, rest.split('/').next().unwrap_or_default())
}

/// An authority in lower case, without the scheme's default port.
fn canonical(scheme: &str, authority: &str) -> String {
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.to_ascii_lowercase();
    match authority.strip_suffix(own_port) {
        Some(bare) => bare.to_owned(),
        None => authority,
    }
}

/// The `Host` of a request, if there is exactly one.
pub(crate) fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().uri("/x");
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_private_hub_serves_its_owner_under_the_names_of_loopback() {
        let policy = HostPolicy::new("http://127.0.0.1:8080", None);
        let owner =
            |hosts: &[&str]| policy.allows_administration(Listener::Single, with(hosts).headers());
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST:8080",
            "[::1]:8080",
        ] {
            assert!(owner(&[host]), "{host}");
        }
        for host in [
            "evil.example:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:8080.evil.example",
            "",
        ] {
            assert!(!owner(&[host]), "{host}");
        }
        assert!(!owner(&[]));
        assert!(!owner(&["127.0.0.1:8080", "evil.example"]));
        assert!(policy.check(Listener::Single, &with(&["x"])).is_ok());
    }

    #[test]
    fn a_public_hub_answers_for_its_own_host() {
        let policy = HostPolicy::new("https://hub.example", Some("http://127.0.0.1:9000"));
        let answered = |hosts: &[&str]| policy.check(Listener::Public, &with(hosts)).is_ok();
        for host in ["hub.example", "HUB.example", "hub.example:443"] {
            assert!(answered(&[host]), "{host}");
        }
        for hosts in [
            &[][..],
            &["hub.example", "hub.example"],
            &["hub.example:80"],
            &["hub.example."],
            &["evil.example"],
            &["127.0.0.1:9000"],
            &["hub.example@evil.example"],
        ] {
            assert!(!answered(hosts), "{hosts:?}");
        }
        let absolute = |uri: &str| {
            let request = Request::builder().uri(uri).header(HOST, "hub.example");
            policy
                .check(Listener::Public, &request.body(()).unwrap())
                .is_ok()
        };
        assert!(absolute("https://hub.example/x"));
        assert!(!absolute("https://evil.example/x"));
    }

    #[test]
    fn its_owner_comes_through_another_door() {
        let policy = HostPolicy::new("https://hub.example", Some("http://127.0.0.1:9000"));
        let owner =
            |listener, host| policy.allows_administration(listener, with(&[host]).headers());
        assert!(owner(Listener::Admin, "127.0.0.1:9000"));
        assert!(!owner(Listener::Admin, "hub.example"));
        assert!(!owner(Listener::Public, "127.0.0.1:9000"));
        assert!(!owner(Listener::Public, "hub.example"));
        assert!(
            policy
                .check(Listener::Admin, &with(&["hub.example"]))
                .is_err()
        );
        let other_port = HostPolicy::new("https://hub.example:8443", None);
        assert!(
            other_port
                .check(Listener::Public, &with(&["hub.example:8443"]))
                .is_ok()
        );
        assert!(
            other_port
                .check(Listener::Public, &with(&["hub.example"]))
                .is_err()
        );
    }

    #[test]
    fn the_own_host_in_every_spelling() {
        let own = CanonicalHost::of("http://127.0.0.1:8080");
        assert!(own.matches("127.0.0.1:8080") && !own.is_https());
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "evil.example",
            "",
        ] {
            assert!(!own.matches(host), "{host}");
        }
        let team = CanonicalHost::of("https://Hub.example.org");
        for host in ["hub.example.org", "HUB.EXAMPLE.ORG:443"] {
            assert!(team.matches(host), "{host}");
        }
        assert!(team.is_https() && !team.matches("hub.example.org:80"));
        assert!(!team.matches("hub.example.org.evil.example"));
    }

    #[test]
    fn the_own_origin_has_the_own_scheme() {
        let own = CanonicalHost::of("http://127.0.0.1:8080");
        assert!(own.matches_origin("http://127.0.0.1:8080"));
        assert!(
            CanonicalHost::of("https://hub.example.org").matches_origin("https://hub.example.org")
        );
        for origin in [
            "https://127.0.0.1:8080",
            "null",
            "",
            "http://evil.example",
            "127.0.0.1:8080",
        ] {
            assert!(!own.matches_origin(origin), "{origin}");
        }
    }

    #[test]
    fn origins() {
        let policy = HostPolicy::new("http://127.0.0.1:8080", None);
        let own = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            policy.is_same_origin(&headers)
        };
        assert!(own(None));
        assert!(own(Some("http://localhost:8080")));
        for origin in [
            "null",
            "http://evil.example",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:9090",
        ] {
            assert!(!own(Some(origin)), "{origin}");
        }
    }
}
