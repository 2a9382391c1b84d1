//! The options with which a Hub is started.
//!
//! There are two kinds of Hub. A **private** one listens on loopback over plain http and serves
//! everything through one socket. A **public** one is reached from other machines under its base
//! URL, with TLS of its own or a proxy's. Its administration and metrics are then served on a
//! second, loopback-only socket, so that no mistake in a proxy or firewall can expose them.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use url::{Host, Url};

use super::clock::Clock;
use super::error::HubError;
use super::inference::options::InferenceOptions;
use super::local_url::is_on_this_machine;
use super::monitoring::log::{LogFormat, LogLevel};
use super::oauth::options::OAuthOptions;
use super::rate_limit::RateLimit;
use super::registry::AUDIT_DAYS;
use hubtoken_core::endpoint::is_loopback;
use hubtoken_core::strict_url::Origin;

/// The certificate files, in PEM. They are reloaded when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by the intermediate certificates up to its root.
    pub certificate: PathBuf,
    /// The private key, which only its owner and group may be able to read.
    pub key: PathBuf,
}

/// Limits on what one client can use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once; more wait in the system's queue.
    pub connections: u32,
    /// Connections per address; further ones are closed. 0 means no limit. Loopback has no limit,
    /// since a proxy may be there.
    pub connections_per_address: u32,
    /// How long the head of a request, or the wait for the next request, may take.
    pub header_seconds: u32,
    /// How long a transfer may stall while a body is received or a response is sent.
    pub stall_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            connections_per_address: 64,
            header_seconds: 60,
            stall_seconds: 60,
        }
    }
}

/// The options of a [`Hub`](super::Hub). The default is a temporary Hub on a free port.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// The folder for all persistent data; `None` is a temporary one that is removed at stop.
    pub data: Option<PathBuf>,
    /// Where to listen: `localhost` or a loopback address; any other address needs `tls`.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// How often one user may call `GET /api/whoami-v2`, or one address without a token; no limit
    /// by default.
    pub whoami_limit: Option<RateLimit>,
    /// How many days entries of the audit log are kept; a year by default.
    pub audit_days: u32,
    /// The certificate for serving over TLS; none by default.
    pub tls: Option<TlsFiles>,
    /// The address under which clients reach the Hub, such as `https://hub.example`; by default the
    /// one it listens on.
    pub base_url: Option<String>,
    /// Set this when a proxy on this machine terminates TLS and forwards requests over plain http.
    /// The last address in its `X-Forwarded-For` header is then trusted as the client's.
    pub behind_proxy: bool,
    /// For a public Hub, the port on 127.0.0.1 for administration, health and metrics; 0 takes a
    /// free one.
    pub local_port: u16,
    /// Limits on what one client can use up.
    pub limits: Limits,
    /// How long requests in progress may continue after the stop, in seconds.
    pub grace_seconds: u32,
    /// The servers behind the inference API; none by default.
    pub inference: InferenceOptions,
    /// The format of a log line.
    pub log_format: LogFormat,
    /// What is logged to standard error; nothing by default.
    pub log_level: LogLevel,
    /// The folders to search for the program `git`, in the format of `PATH`; `None` uses this
    /// process's `PATH`.
    pub search_path: Option<OsString>,
    /// How long the tokens of logins last.
    pub oauth: OAuthOptions,
    /// Where the Hub gets the time from.
    pub clock: Clock,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            data: None,
            host: "127.0.0.1".to_owned(),
            port: 0,
            whoami_limit: None,
            audit_days: AUDIT_DAYS,
            tls: None,
            base_url: None,
            behind_proxy: false,
            local_port: 0,
            limits: Limits::default(),
            grace_seconds: 3,
            inference: InferenceOptions::default(),
            log_format: LogFormat::default(),
            log_level: LogLevel::default(),
            search_path: None,
            oauth: OAuthOptions::default(),
            clock: Clock::system(),
        }
    }
}

impl HubOptions {
    /// The address to listen on: without TLS, one that other machines cannot reach.
    pub(crate) fn address(&self) -> Result<SocketAddr, HubError> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let address = if self.is_localhost() {
            // Not resolved: whatever the hosts file says, this Hub must not leave this machine.
            Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
        } else {
            host.parse::<IpAddr>()
                .ok()
                // A mapped IPv6 address is listened on as the IPv4 address that it is.
                .map(|address| address.to_canonical())
                .filter(|address| address.is_loopback() || self.tls.is_some())
        };
        address
            .map(|address| SocketAddr::new(address, self.port))
            .ok_or_else(|| HubError::NotLoopback {
                host: self.host.clone(),
            })
    }

    /// Whether the host is a name of this machine, all of which are served as `localhost`: the
    /// others are looked up by clients.
    pub(crate) fn is_localhost(&self) -> bool {
        is_loopback(&Host::Domain(self.host.as_str()))
    }

    /// Whether programs on other machines are served.
    pub(crate) fn is_public(&self) -> bool {
        self.tls.is_some() || self.behind_proxy
    }

    /// The base URL, or `http://host:port` with the actual port.
    pub(crate) fn endpoint(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        if let Some(base) = self
            .base_url
            .as_deref()
            .and_then(|text| Url::parse(text).ok())
        {
            base.as_str().trim_end_matches('/').to_owned()
        } else if self.is_localhost() {
            format!("{scheme}://localhost:{}", bound.port())
        } else {
            format!("{scheme}://{bound}")
        }
    }

    pub(crate) fn check(&self) -> Result<(), HubError> {
        if self.audit_days == 0 {
            return Err(invalid(
                "the number of days that the audit log is kept",
                "it must be at least 1",
            ));
        }
        if let Some(limit) = self.whoami_limit
            && (limit.quota == 0 || limit.window_seconds == 0)
        {
            return Err(invalid(
                "the whoami limit",
                "quota and window must be at least 1",
            ));
        }
        self.oauth.check()?;
        let limits = &self.limits;
        if limits.connections == 0 || limits.header_seconds == 0 || limits.stall_seconds == 0 {
            return Err(invalid(
                "a limit of connections or seconds",
                "it must be at least 1",
            ));
        }
        let address = self.address()?;
        if self.behind_proxy {
            if self.tls.is_some() || !address.ip().is_loopback() {
                return Err(invalid(
                    "behind_proxy",
                    "it is for a proxy on this machine that terminates TLS for the Hub: listen on loopback, without a \
                     certificate",
                ));
            }
            if self.base_url.is_none() {
                return Err(invalid(
                    "behind_proxy",
                    "behind a proxy, the Hub cannot know the address that clients use: set base_url",
                ));
            }
        }
        match &self.base_url {
            Some(text) => self.check_base_url(text),
            None if address.ip().is_unspecified() => Err(invalid(
                "the host",
                "when listening on all addresses, set base_url to the address that clients use",
            )),
            None => Ok(()),
        }
    }

    fn check_base_url(&self, text: &str) -> Result<(), HubError> {
        let invalid_base_url = |reason: &str| invalid("base_url", reason);
        let base = Url::parse(text).map_err(|_| {
            invalid_base_url("it is not a valid URL; write it like https://hub.example")
        })?;
        let is_bare = base.path() == "/"
            && base.query().is_none()
            && base.fragment().is_none()
            && base.username().is_empty()
            && base.password().is_none();
        if !base.has_host() {
            return Err(invalid_base_url("it has no host"));
        }
        if !is_bare {
            return Err(invalid_base_url(
                "it may only have a scheme, a host and a port",
            ));
        }
        // Clients parse it with their own parsers and send tokens there.
        Origin::of(text).map_err(|problem| invalid_base_url(&format!("it {problem}")))?;
        match base.scheme() {
            "https" if self.is_public() => Ok(()),
            "https" => Err(invalid_base_url(
                "the Hub does not serve https: give a certificate, or set behind_proxy if a proxy terminates TLS",
            )),
            "http" if is_on_this_machine(&base) && !self.is_public() => Ok(()),
            _ => Err(invalid_base_url(
                "clients send tokens there, so it must be https; plain http is only for this machine",
            )),
        }
    }
}

fn invalid(what: &str, reason: &str) -> HubError {
    HubError::InvalidOption {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(host: &str) -> HubOptions {
        HubOptions {
            host: host.to_owned(),
            port: 80,
            ..HubOptions::default()
        }
    }

    #[test]
    fn loopback_in_every_spelling() {
        for (host, endpoint) in [
            ("127.0.0.1", "http://127.0.0.1:80"),
            ("localhost", "http://localhost:80"),
            ("::1", "http://[::1]:80"),
            ("[::1]", "http://[::1]:80"),
            ("127.0.0.2", "http://127.0.0.2:80"),
            ("localhost.", "http://localhost:80"),
            ("hub.localhost", "http://localhost:80"),
            ("[::ffff:127.0.0.1]", "http://127.0.0.1:80"),
        ] {
            let options = on(host);
            let address = options.address().unwrap();
            assert!(address.ip().is_loopback());
            assert_eq!(options.endpoint(address), endpoint);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for host in [
            "0.0.0.0",
            "::",
            "192.168.1.2",
            "example.org",
            "localhost.example.org",
            "",
            "127.1",
        ] {
            assert!(
                matches!(on(host).address(), Err(HubError::NotLoopback { .. })),
                "{host}"
            );
        }
    }

    #[test]
    fn a_log_of_no_days_is_refused() {
        let options = HubOptions {
            audit_days: 0,
            ..HubOptions::default()
        };
        assert!(matches!(
            options.check(),
            Err(HubError::InvalidOption { .. })
        ));
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let limit = Some(RateLimit {
            quota: 0,
            window_seconds: 1,
        });
        assert!(
            HubOptions {
                whoami_limit: limit,
                ..HubOptions::default()
            }
            .check()
            .is_err()
        );
    }

    #[test]
    fn what_is_public_speaks_https() {
        let files = || {
            Some(TlsFiles {
                certificate: "c.pem".into(),
                key: "k.pem".into(),
            })
        };
        let case = |host: &str, tls: bool, base: Option<&str>, behind_proxy| HubOptions {
            tls: tls.then(files).flatten(),
            base_url: base.map(ToOwned::to_owned),
            behind_proxy,
            ..on(host)
        };
        for good in [
            case("0.0.0.0", true, Some("https://hub.example"), false),
            case("::", true, Some("https://hub.example:8443/"), false),
            case("192.0.2.1", true, None, false),
            case("127.0.0.1", true, None, false),
            case("127.0.0.1", false, Some("https://hub.example"), true),
            case("127.0.0.1", false, Some("http://localhost:8080"), false),
        ] {
            assert!(good.check().is_ok(), "{good:?}");
        }
        for bad in [
            case("0.0.0.0", true, None, false),
            case("0.0.0.0", true, Some("http://hub.example"), false),
            case("0.0.0.0", false, Some("https://hub.example"), false),
            case("0.0.0.0", false, Some("https://hub.example"), true),
            case("hub.example", true, Some("https://hub.example"), false),
            case("127.0.0.1", false, Some("https://hub.example"), false),
            case("127.0.0.1", false, Some("http://hub.example"), true),
            case("127.0.0.1", false, Some("http://hub.example"), false),
            case("127.0.0.1", false, None, true),
            case("127.0.0.1", true, Some("https://hub.example"), true),
            case("127.0.0.1", true, Some("https://hub.example/hub"), false),
            case("127.0.0.1", true, Some("https://a:b@hub.example"), false),
            case("127.0.0.1", true, Some("https://hub.example?x"), false),
            case("127.0.0.1", true, Some("hub.example"), false),
            case("127.0.0.1", true, Some(r"https://hub.example\"), false),
            case("127.0.0.1", true, Some("https://hub.example:"), false),
            case("127.0.0.1", true, Some(" https://hub.example"), false),
            case("127.0.0.1", true, Some("https://hüb.example"), false),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_base_url_is_the_endpoint() {
        let options = HubOptions {
            base_url: Some("https://Hub.Example:443/".to_owned()),
            behind_proxy: true,
            ..on("127.0.0.1")
        };
        let address = options.address().unwrap();
        assert_eq!(options.endpoint(address), "https://hub.example");
    }
}
