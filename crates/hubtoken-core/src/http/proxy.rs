//! Reads the proxy that the environment names, and the hosts that bypass it.
//!
//! An unreadable proxy setting must never mean "no proxy": the token would take a route that its
//! owner has closed. So the URL is parsed here completely, and the HTTP library receives one
//! rebuilt from its parts, in a form that it is known to read. `NO_PROXY` is parsed here as well,
//! since the library does not support ports in it.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::env::{self, Environment};
use crate::error::Error;
use crate::strict_url::{UrlProblem, check_proxy};

/// The schemes, as the library spells them, and their default ports.
const SCHEMES: [(&str, &str, u16); 7] = [
    ("http", "http", 80),
    ("https", "https", 443),
    // Without a version, the scheme does not say who resolves names. They are left to the proxy, so
    // that no DNS query bypasses it.
    ("socks", "socks5h", 1080),
    ("socks5", "socks5", 1080),
    ("socks5h", "socks5h", 1080),
    ("socks4", "socks4", 1080),
    ("socks4a", "socks4a", 1080),
];

/// The value of a variable, not yet parsed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ProxyVariable {
    variable: &'static str,
    /// `None` if it is not text. May hold a password.
    value: Option<Zeroizing<String>>,
}

impl ProxyVariable {
    /// The first variable that is set and not blank.
    pub(super) fn read(environment: &dyn Environment) -> Option<Self> {
        env::HTTPS_PROXY
            .into_iter()
            .chain(env::ALL_PROXY)
            .find_map(|variable| {
                let value = environment.get(variable)?.into_string();
                match value {
                    Ok(text) if text.trim().is_empty() => None,
                    Ok(text) => Some(Self {
                        variable,
                        value: Some(Zeroizing::new(text)),
                    }),
                    Err(bytes) => {
                        drop(Zeroizing::new(OsString::into_encoded_bytes(bytes)));
                        Some(Self {
                            variable,
                            value: None,
                        })
                    }
                }
            })
    }

    /// The raw value. May hold a password.
    pub(super) fn spelled(&self) -> &str {
        self.value.as_ref().map_or("", |value| value.as_str())
    }

    /// Parses the URL.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], or [`Error::UntrustedEndpoint`] for a URL that programs read
    /// differently. Both name the variable and never its value.
    pub(super) fn parse(&self) -> Result<ProxyServer, Error> {
        let refused = |problem: &str| {
            Error::Configuration(format!(
                "{} does not name a proxy: {problem}. Write it like http://proxy.example:3128 or \
                 socks5h://proxy.example:1080, or unset it; nothing was sent",
                self.variable
            ))
        };
        let text = self
            .value
            .as_ref()
            .ok_or_else(|| refused("it is not text"))?;
        let text = text.trim();
        let untrusted = |problem: &str| {
            Error::UntrustedEndpoint(format!(
                "{} names a proxy whose address {problem}; nothing was sent",
                self.variable
            ))
        };
        if splits_user_info(text) {
            return Err(untrusted(
                "has a user or a password with / ? or # in it. Write them %2F, %3F and %23",
            ));
        }
        match check_proxy(text) {
            // Reported better below, where the proxy schemes are known.
            Ok(()) | Err(UrlProblem::NotAUrl | UrlProblem::Scheme | UrlProblem::NoHost) => {}
            Err(UrlProblem::UserInfo) => {
                return Err(untrusted(
                    "has two @. One in a user or a password has to be written %40",
                ));
            }
            Err(problem) => return Err(untrusted(&problem.to_string())),
        }
        ProxyServer::parse(text, self.variable).map_err(refused)
    }
}

/// A parsed proxy.
pub(super) struct ProxyServer {
    /// In the form that the library reads. May hold a password.
    pub(super) address: Zeroizing<String>,
    /// For messages.
    pub(super) name: ProxyName,
}

/// A proxy's URL without user name and password, and the variable that named it.
#[derive(Clone, Debug)]
pub struct ProxyName {
    text: Arc<str>,
    /// Whether a user name or a password is sent to it.
    pub(super) has_user: bool,
}

impl fmt::Display for ProxyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl ProxyServer {
    fn parse(text: &str, variable: &'static str) -> Result<Self, &'static str> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            // As curl and requests read it.
            None => ("http".to_owned(), text),
        };
        let Some((_, scheme, default_port)) =
            SCHEMES.into_iter().find(|(name, ..)| *name == scheme)
        else {
            return Err("its scheme is not http, https, socks4, socks4a, socks5 or socks5h");
        };
        if rest
            .chars()
            .any(|letter| letter.is_whitespace() || letter.is_control() || letter == '\\')
        {
            return Err("it holds white space, a control character or a backslash");
        }
        if rest.is_empty() || rest.starts_with('/') {
            return Err("it has no host");
        }
        // A scheme that URL parsers treat like a Hub's, so that host and port can be read in only
        // one way.
        let url = Zeroizing::new(format!("http://{rest}"));
        let url = Url::parse(&url).map_err(|_| "its host or port cannot be read")?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("it has a path, a query or a fragment");
        }
        let host = url.host().ok_or("it has no host")?.to_string();
        let port = match url.port() {
            Some(0) => return Err("its port is 0"),
            Some(port) => port,
            // A URL parser drops an explicit port 80.
            None if writes_port(rest) => 80,
            None => default_port,
        };
        let mut user = Zeroizing::new(String::new());
        if !url.username().is_empty() || url.password().is_some() {
            if scheme.starts_with("socks4") {
                return Err("a user or a password cannot be sent over SOCKS 4; use socks5h");
            }
            user.push_str(&spelled(url.username()));
            if let Some(password) = url.password() {
                user.push(':');
                user.push_str(&spelled(password));
            }
            user.push('@');
        }
        Ok(Self {
            address: Zeroizing::new(format!("{scheme}://{}{host}:{port}", user.as_str())),
            name: ProxyName {
                text: format!("{host}:{port} ({variable})").into(),
                has_user: !user.is_empty(),
            },
        })
    }
}

/// Whether a character that ends the host comes before an `@`, as in a password that is not
/// encoded.
fn splits_user_info(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split_once(['/', '?', '#'])
        .is_some_and(|(_, behind)| behind.contains('@'))
}

/// Whether the part of a URL after its scheme ends in a port.
fn writes_port(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A user name or a password with every character that could have a meaning percent-encoded.
fn spelled(encoded: &str) -> Zeroizing<String> {
    let bytes = Zeroizing::new(percent_decode_str(encoded).collect::<Vec<u8>>());
    Zeroizing::new(percent_encode(&bytes, NON_ALPHANUMERIC).to_string())
}

/// Whether `NO_PROXY` exempts a URL from the proxy.
///
/// Entries are separated by commas or white space, as for curl. `*` matches every host. A name
/// matches that host and its subdomains, with or without a leading dot (or `*.`). An address
/// matches itself, or a network if a prefix length follows. An entry with a port matches only that
/// port, as for requests.
pub(super) fn is_exempt(list: &str, url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return false;
    };
    let host = match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_ascii_lowercase()),
        Host::Ipv4(address) => Host::Ipv4(address),
        Host::Ipv6(address) => Host::Ipv6(address),
    };
    list.split(|letter: char| letter == ',' || letter.is_whitespace())
        .filter(|entry| !entry.is_empty())
        .any(|entry| covers(entry, &host, port))
}

fn covers(entry: &str, host: &Host<String>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let address = match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    };
    if let Ok(network) = entry.parse::<IpNet>() {
        return address.is_some_and(|address| network.contains(&address));
    }
    let (name, wanted) = without_port(entry);
    if wanted.is_some_and(|wanted| wanted.parse() != Ok(port)) {
        return false;
    }
    let name = name.trim_matches(['[', ']']);
    match (name.parse::<IpAddr>(), host) {
        (Ok(known), _) => address == Some(known),
        (Err(_), Host::Domain(host)) => {
            let name = name.strip_prefix("*.").unwrap_or(name);
            let name = name.trim_start_matches('.').trim_end_matches('.');
            // Normalized as in URLs, like the host.
            let Ok(Host::Domain(name)) = Host::parse(name) else {
                return false;
            };
            host.strip_suffix(name.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('.'))
        }
        (Err(_), _) => false,
    }
}

/// An entry's host and its optional port. An IPv6 address has a port only after brackets.
fn without_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::StaticEnvironment;

    fn parse(text: &str) -> Result<ProxyServer, Error> {
        ProxyVariable::read(&StaticEnvironment::from([("ALL_PROXY", text)]))
            .unwrap()
            .parse()
    }

    #[test]
    fn an_address_is_built_anew_from_its_parts() {
        for (text, address, name) in [
            (
                "http://proxy.example:3128",
                "http://proxy.example:3128",
                "proxy.example:3128",
            ),
            (
                "http://proxy.example:3128/",
                "http://proxy.example:3128",
                "proxy.example:3128",
            ),
            (
                "HTTP://Proxy.Example",
                "http://proxy.example:80",
                "proxy.example:80",
            ),
            (
                "https://proxy.example",
                "https://proxy.example:443",
                "proxy.example:443",
            ),
            (
                "https://proxy.example:80",
                "https://proxy.example:80",
                "proxy.example:80",
            ),
            (
                "proxy.example:3128",
                "http://proxy.example:3128",
                "proxy.example:3128",
            ),
            (
                " proxy.example ",
                "http://proxy.example:80",
                "proxy.example:80",
            ),
            (
                "u:p@proxy.example:8",
                "http://u:p@proxy.example:8",
                "proxy.example:8",
            ),
            (
                "socks://127.0.0.1:1",
                "socks5h://127.0.0.1:1",
                "127.0.0.1:1",
            ),
            ("socks5h://h", "socks5h://h:1080", "h:1080"),
            ("socks5://h:80", "socks5://h:80", "h:80"),
            ("socks4://h", "socks4://h:1080", "h:1080"),
            ("socks4a://h", "socks4a://h:1080", "h:1080"),
            ("socks5://[::1]:9", "socks5://[::1]:9", "[::1]:9"),
            ("socks5://u%40:p%2Fw@h:9", "socks5://u%40:p%2Fw@h:9", "h:9"),
            (
                "http://u:p%3Aw'|$@h:9",
                "http://u:p%3Aw%27%7C%24@h:9",
                "h:9",
            ),
            ("http://user@h:9", "http://user@h:9", "h:9"),
        ] {
            let proxy = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(proxy.address.as_str(), address, "{text}");
            assert_eq!(
                proxy.name.to_string(),
                format!("{name} (ALL_PROXY)"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_shows_no_value() {
        for text in [
            "ftp://secret.example:1",
            "socks6://secret.example:1",
            "socks5s://secret.example:1",
            "://secret.example",
            "http://",
            "http:///secret",
            "http://:1",
            "http://u:secret@",
            "http://secret.example:port",
            "http://secret.example:99999",
            "http://secret.example:0",
            "http://secret.example:-1",
            "http://secret.example/path",
            "http://secret.example?x",
            "http://secret .example",
            "http://secret\\.example",
            "http://[::1",
            "http://[secret]:1",
            "socks4://secret@h:1",
            "socks4a://u:secret@h:1",
            "direct://",
        ] {
            let Err(error) = parse(text) else {
                panic!("{text} was understood");
            };
            let message = error.to_string();
            assert!(
                matches!(error, Error::Configuration(_) | Error::UntrustedEndpoint(_)),
                "{text}"
            );
            assert!(message.starts_with("ALL_PROXY "), "{text}: {message}");
            assert!(!message.contains("secret"), "{text}: {message}");
        }
    }

    #[test]
    fn what_has_to_be_encoded_in_a_password_is_said() {
        for (text, part) in [
            ("http://u:sec@ret@h:1", "%40"),
            ("http://u:sec/ret@h:1", "%2F"),
            ("http://u:1#sec@h:1", "%23"),
            ("socks5h://u:1?sec@h:1", "%3F"),
        ] {
            let Err(error) = parse(text) else {
                panic!("{text} was understood");
            };
            let message = error.to_string();
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("sec"), "{text}: {message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_text_is_no_missing_proxy() {
        use std::os::unix::ffi::OsStringExt as _;
        let mut environment = StaticEnvironment::default();
        environment.set("HTTPS_PROXY", OsString::from_vec(b"http://\xff:1".to_vec()));
        assert!(ProxyVariable::read(&environment).unwrap().parse().is_err());
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        let environment = StaticEnvironment::from([
            ("https_proxy", " "),
            ("HTTPS_PROXY", "http://a:1"),
            ("all_proxy", "http://b:2"),
        ]);
        let name = ProxyVariable::read(&environment)
            .unwrap()
            .parse()
            .unwrap()
            .name;
        assert_eq!(name.to_string(), "a:1 (HTTPS_PROXY)");
        assert!(ProxyVariable::read(&StaticEnvironment::default()).is_none());
    }

    #[test]
    fn exceptions_are_read_as_curl_and_requests_read_them() {
        let hub = "https://hub.example.com";
        for (list, url, exempt) in [
            ("*", hub, true),
            ("a, *", hub, true),
            ("hub.example.com", hub, true),
            ("HUB.Example.com", hub, true),
            ("hub.example.com.", hub, true),
            ("example.com", hub, true),
            (".example.com", hub, true),
            ("*.example.com", hub, true),
            (".hub.example.com", hub, true),
            ("ample.com", hub, false),
            ("b.example.com", hub, false),
            ("www.hub.example.com", hub, false),
            ("com", hub, true),
            ("other.example,hub.example.com", hub, true),
            ("other.example hub.example.com", hub, true),
            ("", hub, false),
            (",,", hub, false),
            (".", hub, false),
            ("hub.example.com:443", hub, true),
            ("hub.example.com:8443", hub, false),
            ("hub.example.com:8443", "https://hub.example.com:8443", true),
            ("example.com:8443", "https://hub.example.com:8443", true),
            ("hub.example.com", "https://hub.example.com:8443", true),
            ("hub.example.com:", hub, false),
            ("hub.example.com:x", hub, false),
            ("10.1.2.3", "https://10.1.2.3", true),
            ("10.1.2.3:443", "https://10.1.2.3", true),
            ("10.1.2.3:1", "https://10.1.2.3", false),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/16", "https://10.1.2.3", false),
            ("10.0.0.0/8", hub, false),
            ("2.3", "https://10.1.2.3", false),
            ("fd00::1", "https://[fd00::1]", true),
            ("[fd00::1]", "https://[fd00::1]", true),
            ("[fd00::1]:443", "https://[fd00::1]", true),
            ("[fd00::1]:1", "https://[fd00::1]", false),
            ("fd00:0::1", "https://[fd00::1]", true),
            ("fd00::/8", "https://[fd00::1]", true),
            ("fe80::/8", "https://[fd00::1]", false),
            ("bücher.example", "https://xn--bcher-kva.example", true),
        ] {
            assert_eq!(is_exempt(list, url), exempt, "{list} {url}");
        }
    }
}
