//! Decides on the route to a Hub, and identifies it.
//!
//! Processes and threads share what the Hub said about a token. A missing response is shared only
//! within a route: a proxy that is down does not matter to callers with another proxy, or with
//! none.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::{Settings, proxy};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::token::Digest;

/// How a Hub is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// Plain HTTP on this machine, independent of all settings.
    Local,
    /// TLS on this machine.
    LocalTls,
    /// Plain HTTP to a host that the user named, independent of all settings.
    Plain,
    /// Without a proxy.
    Direct,
    /// Through the proxy that the environment names.
    Proxied,
}

impl Route {
    pub(super) fn of(endpoint: &Endpoint, settings: &Settings) -> Self {
        let exceptions = settings.no_proxy.as_deref().unwrap_or_default();
        if endpoint.is_loopback() {
            if endpoint.is_secure() {
                Self::LocalTls
            } else {
                Self::Local
            }
        } else if !endpoint.is_secure() {
            Self::Plain
        } else if settings.proxy.is_none() || proxy::is_exempt(exceptions, endpoint.as_str()) {
            Self::Direct
        } else {
            Self::Proxied
        }
    }

    /// Whether it uses TLS, and therefore certificates.
    pub(super) fn is_secure(self) -> bool {
        !matches!(self, Self::Local | Self::Plain)
    }

    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::Local | Self::LocalTls)
    }
}

/// A route to a Hub, for comparison. Reveals no password: it is a digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RouteId(Digest);

impl RouteId {
    /// The form in which other processes on this machine see it. Derived with the token, so that a
    /// proxy password cannot be guessed from it without knowing the token.
    #[must_use]
    pub fn salted_hex(&self, credential: &Credential) -> String {
        let text = format!("{}\n{}", credential.token.expose(), self.0.hex());
        Digest::of(&Zeroizing::new(text)).hex()
    }
}

impl Settings {
    /// The route to an endpoint.
    #[must_use]
    pub fn route_id(&self, endpoint: &Endpoint) -> RouteId {
        let route = Route::of(endpoint, self);
        let mut text = Zeroizing::new(String::new());
        if route.is_secure() {
            // Cannot fail.
            let _ = writeln!(text, "{:?}", self.certificates);
        }
        if let (Route::Proxied, Some(named)) = (route, &self.proxy) {
            text.push_str(named.spelled());
        }
        RouteId(Digest::of(&text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::StaticEnvironment;

    fn route_id(hub: &str, pairs: [(&str, &str); 3]) -> RouteId {
        let endpoint = Endpoint::parse(hub).unwrap();
        Settings::read(&StaticEnvironment::from(pairs)).route_id(&endpoint)
    }

    #[test]
    fn what_makes_a_difference_to_an_endpoint_is_its_route() {
        let hub = "https://hub.example";
        let proxy = ("ALL_PROXY", "http://u:p@proxy.example:1");
        let other = ("ALL_PROXY", "http://u:q@proxy.example:1");
        let [none, no_proxy, bundle] = [
            ("HF_TOKEN", "x"),
            ("NO_PROXY", "hub.example"),
            ("SSL_CERT_FILE", "/a.pem"),
        ];
        let direct = route_id(hub, [none; 3]);
        let proxied = route_id(hub, [proxy, none, none]);
        assert!(direct == route_id(hub, [none; 3]));
        assert!(proxied == route_id(hub, [proxy, none, none]));
        assert!(direct != proxied);
        assert!(proxied != route_id(hub, [other, none, none]));
        assert!(proxied != route_id(hub, [proxy, bundle, none]));
        assert!(direct == route_id(hub, [proxy, no_proxy, none]));
        // The user trusts the network up to this host, not one behind a proxy.
        let named = Endpoint::parse_with("http://hub:8080", |_| Ok(true)).unwrap();
        let plain = |pairs: [(&str, &str); 3]| {
            Settings::read(&StaticEnvironment::from(pairs)).route_id(&named)
        };
        assert!(plain([none; 3]) == plain([proxy, bundle, none]));
        let secure = "https://hub.localhost";
        assert!(route_id(secure, [none; 3]) == route_id(secure, [proxy, none, none]));
        let local = "http://127.0.0.1:1";
        assert!(route_id(local, [none; 3]) == route_id(local, [proxy, bundle, none]));
    }
}
