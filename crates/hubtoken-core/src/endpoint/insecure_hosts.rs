//! The hosts that tokens may be sent to over plain http, because the user named them.
//!
//! Plain http shows a token to everyone on the network path. That can be right, as in a CI job whose
//! Hub runs in another container, but only the person who runs the program knows. So a host counts
//! only if the environment or the user's own configuration names it, exactly: no pattern, no
//! subdomain, and no host of Hugging Face, all of which speak https.

use std::fmt;

use url::Host;

use super::is_hugging_face;
use crate::strict_url::{Origin, UrlProblem};

/// Hosts, each with an optional port.
///
/// ```
/// use hubtoken_core::endpoint::InsecureHosts;
/// use hubtoken_core::strict_url::Origin;
///
/// let hosts = InsecureHosts::parse(["hub", "registry:8080"]).map_err(|problem| problem.to_string())?;
/// let names = |url| Origin::of(url).is_ok_and(|origin| hosts.names(&origin));
/// assert!(names("http://hub:1234") && names("http://registry:8080"));
/// assert!(!names("http://registry") && !names("http://a.hub"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InsecureHosts(Vec<(Host<String>, Option<u16>)>);

/// Why an entry is not a host, without its text, which may be a secret in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryProblem {
    /// The entry's position, from 1.
    pub position: usize,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Url(UrlProblem),
    NoHost,
    HuggingFace,
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "entry {} ", self.position)?;
        match self.reason {
            Reason::Url(problem) => formatter.write_str(&problem.of_server()),
            Reason::NoHost => formatter
                .write_str("is not a host; write hub or hub:8080, without a scheme or a path"),
            Reason::HuggingFace => formatter.write_str(
                "is a host of Hugging Face, which speaks https; write its https address",
            ),
        }
    }
}

impl InsecureHosts {
    /// Parses entries such as `hub` and `hub:8080`. Blank ones are skipped.
    ///
    /// # Errors
    ///
    /// [`EntryProblem`] for one that is not exactly a host with an optional port, or that is a host
    /// of Hugging Face.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, EntryProblem> {
        let mut hosts = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let entry = entry.trim();
            if entry.is_empty() {
                continue;
            }
            let problem = |reason| EntryProblem {
                position: index + 1,
                reason,
            };
            if entry.contains(['/', '?', '#', '@', '*']) {
                return Err(problem(Reason::NoHost));
            }
            let origin = Origin::of(&format!("http://{entry}"))
                .map_err(|error| problem(Reason::Url(error)))?;
            if is_hugging_face(&origin) {
                return Err(problem(Reason::HuggingFace));
            }
            let after_address = entry.rfind(']').map_or(0, |end| end + 1);
            let port = entry[after_address..].contains(':').then(|| origin.port());
            hosts.push((origin.host().clone(), port));
        }
        Ok(Self(hosts))
    }

    /// Whether an origin's host is one of these, on its port or on any.
    #[must_use]
    pub fn names(&self, origin: &Origin) -> bool {
        self.0.iter().any(|(host, port)| {
            host == origin.host() && port.is_none_or(|port| port == origin.port())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_hosts_with_an_optional_port() {
        let hosts = InsecureHosts::parse([" Hub ", "", "a.b:8080", "10.0.0.5", "[fd00::1]:81"]);
        let names = |url: &str| {
            let origin = Origin::of(url).ok();
            origin.is_some_and(|origin| hosts.as_ref().is_ok_and(|hosts| hosts.names(&origin)))
        };
        for named in [
            "http://hub",
            "http://HUB:8080/x",
            "http://a.b:8080",
            "http://10.0.0.5:1",
            "http://[fd00:0::1]:81",
        ] {
            assert!(names(named), "{named}");
        }
        for other in [
            "http://hub2",
            "http://x.hub",
            "http://hub.x",
            "http://a.b",
            "http://b:8080",
            "http://10.0.0.50",
            "http://[fd00::1]",
        ] {
            assert!(!names(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_host_is_an_error_that_quotes_nothing() {
        for bad in [
            "*",
            "*.internal",
            "http://hub",
            "hub/secret",
            "user:secret@hub",
            "hub:0",
            "hub:http",
            "hub.",
            "hub secret",
            "secret\u{ff0e}hub",
            "10.1",
            "0x7f.1",
            "[::1",
            "huggingface.co",
            "HuggingFace.co:80",
            "hub-ci.huggingface.co",
            "hf.co",
            "x.hf.space",
            "huggingface.cloud",
        ] {
            let Err(problem) = InsecureHosts::parse(["", bad]) else {
                unreachable!("{bad} was accepted");
            };
            let text = problem.to_string();
            assert!(
                text.starts_with("entry 2 ") && !text.contains("secret"),
                "{bad}: {text}"
            );
        }
    }
}
