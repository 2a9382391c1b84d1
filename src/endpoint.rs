//! Which Hub a token belongs to, and the one place that decides which host may see a token.
//!
//! An [`Endpoint`] is a scheme, a host and a port, with an optional path for Hubs behind a
//! prefix. It can only be made for https, or for plain http to this machine, so code that holds
//! one may send a token there. It never holds a user name or a password and is safe to print.

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use url::{Host, Url};

use crate::error::Error;

/// The public Hub.
pub const DEFAULT: &str = "https://huggingface.co";
/// The Hub's staging system, which `HUGGINGFACE_CO_STAGING` selects.
pub const STAGING: &str = "https://hub-ci.huggingface.co";

thread_local! {
    /// What this thread read last, which is nearly always what it reads next: a server names the
    /// same Hub with each question. Not shared, so that a fork finds no lock.
    static LAST: RefCell<Option<(Box<str>, Endpoint)>> = const { RefCell::new(None) };
}

/// A Hub: scheme, host, port and perhaps a path.
///
/// ```
/// use hubtoken::endpoint::Endpoint;
///
/// assert_eq!(Endpoint::parse("https://huggingface.co/")?.as_str(), "https://huggingface.co");
/// assert!(Endpoint::parse("http://127.0.0.1:8080").is_ok());
/// assert!(Endpoint::parse("http://hub.example").is_err());
/// # Ok::<(), hubtoken::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Without a trailing slash.
    text: Arc<str>,
    loopback: bool,
    secure: bool,
}

/// By the text, from which the rest follows.
impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Endpoint {
    /// Reads an endpoint.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`] for text that is not a URL, has a user name, query or
    /// fragment, or would send a token over plain http to another machine.
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
        let text = text.trim();
        let Ok(url) = Url::parse(text) else {
            return Err(Error::UntrustedEndpoint(
                "the endpoint is not a URL; write it like https://huggingface.co".to_owned(),
            ));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::UntrustedEndpoint(
                "the endpoint holds a user name or a password; write the address alone".to_owned(),
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Error::UntrustedEndpoint(
                "the endpoint has a query or a fragment; write the address alone".to_owned(),
            ));
        }
        let Some(host) = url.host() else {
            return Err(Error::UntrustedEndpoint(
                "the endpoint has no host; write it like https://huggingface.co".to_owned(),
            ));
        };
        let loopback = is_loopback(&host);
        let secure = match url.scheme() {
            "https" => true,
            "http" if loopback => false,
            "http" => {
                return Err(Error::UntrustedEndpoint(format!(
                    "a token is not sent over plain http to {host}: anybody on the way could read \
                     it. Use https; plain http is for this machine only (127.0.0.1, ::1, \
                     localhost)"
                )));
            }
            other => {
                return Err(Error::UntrustedEndpoint(format!(
                    "`{other}` is no scheme for a Hub; use https"
                )));
            }
        };
        Ok(Self {
            text: url.as_str().trim_end_matches('/').into(),
            loopback,
            secure,
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

    /// Whether it is on this machine. Such an endpoint is never asked through a proxy.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether it is asked over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is the public Hub.
    #[must_use]
    pub fn is_default(&self) -> bool {
        &*self.text == DEFAULT
    }

    /// The URL of a path on this Hub; `path` starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether a URL has this endpoint's scheme, host and port, so that the token may go there.
    ///
    /// The path does not count: a Hub serves files beside its API. A URL that cannot be read, or
    /// that carries a user name, is never the endpoint's.
    #[must_use]
    pub fn owns(&self, url: &str) -> bool {
        let (Ok(own), Ok(other)) = (Url::parse(&self.text), Url::parse(url)) else {
            return false;
        };
        own.origin() == other.origin() && other.username().is_empty() && other.password().is_none()
    }
}

/// Loopback by the literal: 127/8, `::1` and `localhost`. No name is looked up, since a name's
/// answer can change between the check and the connection.
fn is_loopback(host: &Host<&str>) -> bool {
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
    }
}
