//! Identifies the Hub that a token belongs to, and decides which hosts may receive the token.
//!
//! An [`Endpoint`] is a scheme, a host and a port, with an optional path for Hubs behind a prefix.
//! It can only be created for https, or for plain http to this machine, so code that holds one may
//! send a token there. It never contains a user name or a password and is safe to print.

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use url::{Host, Url};

use crate::error::Error;
use crate::strict_url::{Origin, UrlProblem};

/// The public Hub.
pub const DEFAULT: &str = "https://huggingface.co";
/// The Hub's staging system, which `HUGGINGFACE_CO_STAGING` selects.
pub const STAGING: &str = "https://hub-ci.huggingface.co";

/// Hosts of Hugging Face that also accept a token of huggingface.co, and run only Hugging Face's
/// code.
///
/// Excludes the containers of inference endpoints (`*.endpoints.huggingface.cloud`) and Spaces
/// (`*.hf.space`), which run their users' code.
const SIBLING_HOSTS: [&str; 4] = [
    "api-inference.huggingface.co",
    "api.endpoints.huggingface.cloud",
    "datasets-server.huggingface.co",
    "router.huggingface.co",
];
/// Domains of Hugging Face. They receive only values that begin like a Hub token.
const OWN_DOMAINS: [&str; 4] = ["huggingface.co", "huggingface.cloud", "hf.co", "hf.space"];

thread_local! {
    /// The last endpoint that this thread parsed, which is nearly always the next one as well: a
    /// server names the same Hub with every request. Thread-local, so that a fork never finds a
    /// held lock.
    static LAST: RefCell<Option<(Box<str>, Endpoint)>> = const { RefCell::new(None) };
}

/// The owner of a URL, as seen from an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The endpoint itself: same scheme, host and port.
    Own,
    /// One of the hosts that huggingface.co itself uses, over https and the default port.
    Sibling,
    /// Another server, which never receives a token of the endpoint.
    Foreign(Origin),
}

/// A Hub: scheme, host, port and optional path.
///
/// ```
/// use hubtoken_core::endpoint::Endpoint;
///
/// assert_eq!(Endpoint::parse("https://huggingface.co/")?.as_str(), "https://huggingface.co");
/// assert!(Endpoint::parse("http://127.0.0.1:8080").is_ok());
/// assert!(Endpoint::parse("http://hub.example").is_err());
/// # Ok::<(), hubtoken_core::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Without a trailing slash.
    text: Arc<str>,
    loopback: bool,
    secure: bool,
}

/// Hashes only the text, which determines the other fields.
impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Endpoint {
    /// Parses an endpoint.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`] for text that is not a URL, that some parser could read
    /// differently ([`crate::strict_url`]), that has a user name, query or fragment, or that would
    /// send a token over plain http to another machine.
    pub fn parse(text: &str) -> Result<Self, Error> {
        LAST.with_borrow_mut(|last| match last {
            Some((known, endpoint)) if **known == *text => Ok(endpoint.clone()),
            _ => {
                let endpoint = Self::read(text)?;
                *last = Some((text.into(), endpoint.clone()));
                Ok(endpoint)
            }
        })
    }

    fn read(text: &str) -> Result<Self, Error> {
        let untrusted =
            |problem: UrlProblem| Error::UntrustedEndpoint(format!("the endpoint {problem}"));
        let origin = Origin::of(text).map_err(untrusted)?;
        // The check above has succeeded; this parse provides the normalized text.
        let url = Url::parse(text).map_err(|_| untrusted(UrlProblem::NotAUrl))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Error::UntrustedEndpoint(
                "the endpoint has a query or a fragment; write the address alone".to_owned(),
            ));
        }
        let loopback = is_loopback(origin.host());
        if !origin.is_secure() && !loopback {
            return Err(Error::UntrustedEndpoint(format!(
                "a token is not sent over plain http to {}: anyone on the network could read it. \
                 Use https; plain http is for this machine only (127.0.0.1, ::1, localhost)",
                origin.host()
            )));
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').into(),
            loopback,
            secure: origin.is_secure(),
        })
    }

    /// The public Hub, `https://huggingface.co`.
    #[must_use]
    pub fn default_hub() -> Self {
        static HUB: OnceLock<Endpoint> = OnceLock::new();
        HUB.get_or_init(|| Self {
            text: DEFAULT.into(),
            loopback: false,
            secure: true,
        })
        .clone()
    }

    /// The endpoint as text, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is on this machine. Such an endpoint is never reached through a proxy.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether requests use TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is the public Hub.
    #[must_use]
    pub fn is_default(&self) -> bool {
        &*self.text == DEFAULT
    }

    /// Whether it is a host of Hugging Face: the public Hub, its staging system, or another of
    /// their services. Other Hubs may have tokens of any form.
    #[must_use]
    pub fn is_hugging_face(&self) -> bool {
        let Ok(origin) = Origin::of(&self.text) else {
            return false;
        };
        let Host::Domain(host) = origin.host() else {
            return false;
        };
        OWN_DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// The URL of a path on this Hub. `path` starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether a URL has this endpoint's scheme, host and port, so that the token may be sent
    /// there.
    ///
    /// The path does not matter: a Hub also serves files outside its API. A URL that parsers may
    /// read differently never belongs to the endpoint.
    #[must_use]
    pub fn owns(&self, url: &str) -> bool {
        matches!(self.recipient(url), Ok(Recipient::Own))
    }

    /// Decides whether a token of this endpoint may be sent to a URL. All such decisions are made
    /// here.
    ///
    /// # Errors
    ///
    /// [`UrlProblem`] for a URL that parsers may read differently.
    ///
    /// ```
    /// use hubtoken_core::endpoint::{Endpoint, Recipient};
    ///
    /// let hub = Endpoint::default_hub();
    /// assert_eq!(hub.recipient("https://huggingface.co/api"), Ok(Recipient::Own));
    /// assert_eq!(hub.recipient("https://router.huggingface.co/v1"), Ok(Recipient::Sibling));
    /// assert!(matches!(hub.recipient("https://x.hf.space"), Ok(Recipient::Foreign(_))));
    /// assert!(hub.recipient(r"https://huggingface.co\@evil.example").is_err());
    /// ```
    pub fn recipient(&self, url: &str) -> Result<Recipient, UrlProblem> {
        let other = Origin::of(url)?;
        let is_sibling = || {
            self.is_default()
                && other.is_secure()
                && other.port() == 443
                && matches!(other.host(), Host::Domain(host) if SIBLING_HOSTS.contains(&&**host))
        };
        Ok(if Origin::of(&self.text)? == other {
            Recipient::Own
        } else if is_sibling() {
            Recipient::Sibling
        } else {
            Recipient::Foreign(other)
        })
    }
}

/// Whether the host is a loopback literal: 127/8, `::1` or `localhost`. Names are not resolved,
/// since the result can change between the check and the connection.
fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_https_and_loopback_may_see_a_token() {
        for good in [
            "https://huggingface.co",
            "https://hub.example:8443/prefix/",
            "http://localhost:1",
            "http://127.1.2.3:80",
            "http://[::1]:8080",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "huggingface.co",
            "http://hub.example",
            "http://0.0.0.0:80",
            "http://localhost.evil.example",
            "http://10.0.0.1",
            "ftp://huggingface.co",
            "https://",
            "https://huggingface.co?x=1",
            "file:///etc/passwd",
            " https://huggingface.co",
            "https://huggingface.co\n",
            r"https://huggingface.co\@evil.example",
            "https://huggingface.co:0443",
            "http://127.1:80",
            "http://2130706433",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_read_last_is_no_answer_to_another_text() {
        for text in [
            "https://a.example/",
            "https://b.example",
            "https://a.example/",
        ] {
            for _ in 0..2 {
                let endpoint = Endpoint::parse(text).unwrap();
                assert_eq!(endpoint.as_str(), text.trim_end_matches('/'));
                assert!(Endpoint::parse("http://hub.example").is_err());
            }
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_refused_and_not_shown() {
        let error = Endpoint::parse("https://user:hunter2@huggingface.co").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn the_origin_decides_who_owns_a_url() {
        let endpoint = Endpoint::parse("https://huggingface.co").unwrap();
        assert!(endpoint.owns("https://huggingface.co/api/whoami-v2"));
        assert!(endpoint.owns("https://HUGGINGFACE.co:443/x"));
        for other in [
            r"https://huggingface.co\@evil.example/",
            "https://huggingface.co:/x",
            " https://huggingface.co/x",
            "http://huggingface.co/x",
            "https://huggingface.co:8443/x",
            "https://huggingface.co.evil.example/x",
            "https://huggingface.co@evil.example/x",
            "https://cdn.huggingface.co/x",
            "not a url",
        ] {
            assert!(!endpoint.owns(other), "{other}");
        }
        let local = Endpoint::parse("http://127.0.0.1:8080").unwrap();
        assert!(!local.owns("http://localhost:8080/"));
        assert!(
            local
                .recipient(r"http://127.0.0.1:8080\@localhost:1/f")
                .is_err()
        );
    }

    #[test]
    fn the_public_hub_has_hosts_beside_it_where_no_code_of_others_runs() {
        let endpoint = Endpoint::default_hub();
        for host in SIBLING_HOSTS {
            let url = format!("https://{host}/v1/chat/completions");
            assert_eq!(endpoint.recipient(&url), Ok(Recipient::Sibling));
            let staging = Endpoint::parse(STAGING).unwrap();
            for (endpoint, url) in [
                (&endpoint, format!("http://{host}/v1")),
                (&endpoint, format!("https://{host}:8443/v1")),
                (&endpoint, format!("https://x.{host}/v1")),
                (&endpoint, format!("https://{host}.evil.example/v1")),
                (&staging, url),
            ] {
                let recipient = endpoint.recipient(&url).unwrap();
                assert!(matches!(recipient, Recipient::Foreign(_)), "{url}");
            }
        }
        for url in [
            "https://alice-space.hf.space/",
            "https://abc.us-east-1.aws.endpoints.huggingface.cloud/",
            "https://cdn-lfs.huggingface.co/",
            "https://huggingface.cloud/",
        ] {
            let recipient = endpoint.recipient(url).unwrap();
            assert!(matches!(recipient, Recipient::Foreign(_)), "{url}");
        }
    }
}
