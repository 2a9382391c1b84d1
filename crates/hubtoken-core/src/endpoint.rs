//! Identifies the Hub that a token belongs to, and decides which hosts may receive the token.
//!
//! An [`Endpoint`] is a scheme, a host and a port, with an optional path for Hubs behind a prefix.
//! It can only be created for https, for plain http to this machine, or for plain http to a host
//! that the user named, so code that holds one may send a token there. It never contains a user
//! name or a password and is safe to print.
//!
//! This machine has names besides its addresses: `localhost`, `localhost.`, and every name that
//! ends in `.localhost` (RFC 6761, section 6.3). hubtoken connects to them without looking them up.
//! Other programs ask a name server for all of them but `localhost`, and it may send them anywhere.
//! Over plain http, a token for such a name is therefore sent by hubtoken itself and handed to no
//! other program.

mod insecure_hosts;

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};

use crate::error::Error;
use crate::strict_url::{Origin, UrlProblem};
pub use insecure_hosts::{EntryProblem, InsecureHosts};

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
    /// The endpoint itself, by a name of this machine that other programs look up. Over plain http,
    /// only hubtoken's own requests may carry the token there.
    LookedUp,
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
#[derive(Clone)]
pub struct Endpoint {
    /// Without a trailing slash.
    text: Arc<str>,
    loopback: bool,
    secure: bool,
    /// Whether it is plain http to a name of this machine that other programs look up.
    looked_up: bool,
}

/// Compares only the text: the other fields follow from it and from what the user named.
impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Endpoint {}

/// Hashes only the text, as equality does.
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

    /// Parses an endpoint that may also be plain http to another host, if `is_named` says that the
    /// user named that host. It is asked for plain http alone: never about `localhost` and loopback
    /// addresses, which need no permission, nor about Hugging Face's hosts, which get none.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::parse`], and whatever `is_named` fails with.
    pub fn parse_with(
        text: &str,
        is_named: impl FnOnce(&Origin) -> Result<bool, Error>,
    ) -> Result<Self, Error> {
        match Self::parse(text) {
            // Other programs may be given the token if the user named even this host.
            Ok(endpoint) if endpoint.looked_up => Ok(Self {
                looked_up: !is_named(&origin(&endpoint.text)?)?,
                ..endpoint
            }),
            Ok(endpoint) => Ok(endpoint),
            Err(_) => Self::read_with(text, is_named),
        }
    }

    /// Parses an endpoint that was recorded earlier, when its host may have been named. Before its
    /// token is used, [`Endpoint::is_insecure`] has to be checked against what is named now.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::parse`], except for plain http to another host.
    pub fn parse_recorded(text: &str) -> Result<Self, Error> {
        Self::read_with(text, |_| Ok(true)).map(|endpoint| Self {
            looked_up: !endpoint.secure && endpoint.is_looked_up_by_others(),
            ..endpoint
        })
    }

    fn read(text: &str) -> Result<Self, Error> {
        Self::read_with(text, |_| Ok(false))
    }

    fn read_with(
        text: &str,
        is_named: impl FnOnce(&Origin) -> Result<bool, Error>,
    ) -> Result<Self, Error> {
        let origin = origin(text)?;
        // The check above has succeeded; this parse provides the normalized text.
        let mut url = Url::parse(text).map_err(|_| untrusted(UrlProblem::NotAUrl))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Error::UntrustedEndpoint(
                "the endpoint has a query or a fragment; write the address alone".to_owned(),
            ));
        }
        if let Host::Ipv4(address) = origin.host() {
            // A mapped IPv6 address is written as the IPv4 address that it is.
            url.set_ip_host((*address).into())
                .map_err(|()| untrusted(UrlProblem::Address))?;
        }
        let loopback = is_loopback(origin.host());
        if !origin.is_secure() && !loopback && (is_hugging_face(&origin) || !is_named(&origin)?) {
            return Err(Error::UntrustedEndpoint(format!(
                "a token is not sent over plain http to {}: anyone on the network could read it. \
                 Use https; plain http is for this machine (127.0.0.1, ::1, localhost){}",
                origin.host(),
                if is_hugging_face(&origin) {
                    ""
                } else {
                    " and for hosts that you name in HUBTOKEN_INSECURE_HOSTS"
                }
            )));
        }
        let mut endpoint = Self {
            text: url.as_str().trim_end_matches('/').into(),
            loopback,
            secure: origin.is_secure(),
            looked_up: false,
        };
        endpoint.looked_up = !endpoint.secure && endpoint.is_looked_up_by_others();
        Ok(endpoint)
    }

    /// Whether it has a name of this machine other than `localhost` itself.
    fn is_looked_up_by_others(&self) -> bool {
        self.loopback
            && origin(&self.text).is_ok_and(
                |origin| matches!(origin.host(), Host::Domain(name) if name != "localhost"),
            )
    }

    /// The public Hub, `https://huggingface.co`.
    #[must_use]
    pub fn default_hub() -> Self {
        static HUB: OnceLock<Endpoint> = OnceLock::new();
        HUB.get_or_init(|| Self {
            text: DEFAULT.into(),
            loopback: false,
            secure: true,
            looked_up: false,
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

    /// Whether it is plain http to another machine, which the user has to have named.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        !self.secure && !self.loopback
    }

    /// What the user is told, once, about an endpoint that shows tokens to the network; `None` for
    /// every other one.
    #[must_use]
    pub fn insecure_warning(&self) -> Option<String> {
        self.is_insecure().then(|| {
            format!(
                "tokens are sent to {self} unencrypted, because its host is named as insecure: \
                 anyone on the network in between can read them"
            )
        })
    }

    /// Rejects an endpoint whose token must not be handed to other programs, because they might
    /// connect to another machine.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`].
    pub fn check_other_programs(&self) -> Result<(), Error> {
        if self.looked_up {
            return Err(Error::UntrustedEndpoint(format!(
                "{self} is this machine for hubtoken, but other programs look up that name and may \
                 be sent elsewhere, so they are not given its token over plain http. Use \
                 http://localhost or http://127.0.0.1 instead, or name the host in \
                 HUBTOKEN_INSECURE_HOSTS"
            )));
        }
        Ok(())
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
        Origin::of(&self.text).is_ok_and(|origin| is_hugging_face(&origin))
    }

    /// The URL of a path on this Hub. `path` starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether a URL has this endpoint's scheme, host and port, so that hubtoken's own requests may
    /// carry the token there.
    ///
    /// The path does not matter: a Hub also serves files outside its API. A URL that parsers may
    /// read differently never belongs to the endpoint.
    #[must_use]
    pub fn owns(&self, url: &str) -> bool {
        matches!(
            self.recipient(url),
            Ok(Recipient::Own | Recipient::LookedUp)
        )
    }

    /// Decides whether another program may send a token of this endpoint to a URL. All such
    /// decisions are made here.
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
            if self.looked_up {
                Recipient::LookedUp
            } else {
                Recipient::Own
            }
        } else if is_sibling() {
            Recipient::Sibling
        } else {
            Recipient::Foreign(other)
        })
    }
}

/// Whether the host is this machine: 127/8, `::1`, or a name of its own (RFC 6761, section 6.3).
/// Names are not resolved, since the result can change between the check and the connection.
///
/// ```
/// use hubtoken_core::endpoint::is_loopback;
/// use url::Host;
///
/// assert!(is_loopback(&Host::Domain("hub.localhost")) && is_loopback(&Host::Domain("localhost.")));
/// assert!(!is_loopback(&Host::Domain("localhost.example")));
/// ```
pub fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref().to_ascii_lowercase();
            let name = name.strip_suffix('.').unwrap_or(&name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_canonical().is_loopback(),
    }
}

fn origin(text: &str) -> Result<Origin, Error> {
    Origin::of(text).map_err(untrusted)
}

fn untrusted(problem: UrlProblem) -> Error {
    Error::UntrustedEndpoint(format!("the endpoint {problem}"))
}

fn is_hugging_face(origin: &Origin) -> bool {
    let Host::Domain(host) = origin.host() else {
        return false;
    };
    OWN_DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({})", self.text)
    }
}

#[cfg(test)]
mod tests;
