//! Accepts only URLs that every parser reads in the same way.
//!
//! This module decides which host may receive a token, but requests, httpx, `http.client`, curl or
//! git makes the connection, with its own URL parser. Parsers differ deliberately (WHATWG's, which
//! browsers and the `url` crate follow, repairs what RFC 3986 forbids), so a URL can name one host
//! to the check and another to the client: some read `\` as a slash, others end a password at `@`,
//! `0x7f.1` is a name or an address, a tab is dropped or kept. Instead of guessing which client
//! will read it, this module rejects a URL that allows a second reading, based on its text, before
//! any parser has repaired it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why parsers may read a URL differently, to follow "the endpoint" or "the address". Never
/// contains a part of the URL, whose path and query may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// It has no scheme, or not exactly two slashes after it.
    #[error("is not a URL; write it like https://huggingface.co")]
    NotAUrl,
    /// Its scheme is neither https nor http.
    #[error("has a scheme other than https or http")]
    Scheme,
    /// It has no host.
    #[error("has no host; write it like https://huggingface.co")]
    NoHost,
    /// It contains a user name or a password.
    #[error("holds a user name or a password; write the address alone")]
    UserInfo,
    /// It contains a backslash.
    #[error("holds a backslash, which some programs read as a slash and others do not")]
    Backslash,
    /// It contains white space or control characters.
    #[error("holds white space or control characters, which some programs drop and others do not")]
    WhiteSpace,
    /// Its host is encoded, is not ASCII, or has characters that hosts cannot have.
    #[error(
        "has a host that programs read differently; write it in plain ASCII letters, digits, dots \
         and hyphens (an international name in its xn-- form)"
    )]
    Host,
    /// Its host is an IP address in an unusual form.
    #[error(
        "has an IP address that programs read differently; write four decimal numbers, or an IPv6 \
         address in brackets"
    )]
    Address,
    /// Its port is empty, zero, too large, or has leading zeros.
    #[error("has a port that is not a plain number from 1 to 65535")]
    Port,
}

impl UrlProblem {
    /// The problem with a URL that a server sent, without advice, since the user cannot change it.
    #[must_use]
    pub fn of_server(self) -> String {
        match self {
            Self::NotAUrl => "is not a complete URL".to_owned(),
            problem => {
                let text = problem.to_string();
                let end = text.find("; write").unwrap_or(text.len());
                text[..end].to_owned()
            }
        }
    }
}

/// The origin of a request: scheme, host and port, the same for every parser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// Parses the origin of a URL that every parser reads in the same way.
    ///
    /// # Errors
    ///
    /// [`UrlProblem`].
    ///
    /// ```
    /// use hubtoken_core::strict_url::{Origin, UrlProblem};
    ///
    /// let origin = Origin::of("https://HuggingFace.co:443/api?x=1").map(|origin| origin.to_string());
    /// assert_eq!(origin.as_deref(), Ok("https://huggingface.co"));
    /// assert_eq!(Origin::of(r"https://huggingface.co\@evil.example/"), Err(UrlProblem::Backslash));
    /// ```
    pub fn of(text: &str) -> Result<Self, UrlProblem> {
        check_characters(text)?;
        let (scheme, rest) = text.split_once("://").ok_or(UrlProblem::NotAUrl)?;
        let secure = if scheme.eq_ignore_ascii_case("https") {
            true
        } else if scheme.eq_ignore_ascii_case("http") {
            false
        } else if is_scheme(scheme) {
            return Err(UrlProblem::Scheme);
        } else {
            return Err(UrlProblem::NotAUrl);
        };
        let authority = authority(rest);
        if authority.contains('@') {
            return Err(UrlProblem::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let host = read_host(host)?;
        let origin = Self {
            secure,
            host: host.clone(),
            port: port.unwrap_or(if secure { 443 } else { 80 }),
        };
        // Our own requests use this parser, which is stricter about international names.
        let read = Url::parse(text).map_err(|_| UrlProblem::Host)?;
        let same_host = read.host().map(|host| host.to_owned()) == Some(origin.host.clone());
        if same_host && read.port_or_known_default() == Some(origin.port) {
            Ok(Self {
                host: unmapped(host),
                ..origin
            })
        } else {
            Err(UrlProblem::Host)
        }
    }

    /// Whether requests use TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, in lower case. An IPv6 address that maps a loopback address is that address.
    #[must_use]
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port, even if the URL omits it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Without the scheme's default port.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure {
            ("https", 443)
        } else {
            ("http", 80)
        };
        write!(formatter, "{scheme}://{}", self.host)?;
        if self.port == usual {
            Ok(())
        } else {
            write!(formatter, ":{}", self.port)
        }
    }
}

/// Checks that every parser reads a proxy's URL in the same way. It may contain a user name and a
/// password, and any scheme or none: the HTTP client decides which schemes it supports.
///
/// # Errors
///
/// [`UrlProblem`], which repeats nothing of the URL.
///
/// ```
/// use hubtoken_core::strict_url::{UrlProblem, check_proxy};
///
/// assert_eq!(check_proxy("socks5h://user:secret@proxy.example:1080"), Ok(()));
/// assert_eq!(check_proxy("http://proxy.example:80:80"), Err(UrlProblem::Port));
/// ```
pub fn check_proxy(text: &str) -> Result<(), UrlProblem> {
    check_characters(text)?;
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        Some(_) => return Err(UrlProblem::NotAUrl),
        None => text,
    };
    let authority = authority(rest);
    let host = authority
        .rsplit_once('@')
        .map_or(Ok(authority), |(user, host)| {
            // Parsers disagree on which of two `@` ends the user info, so one inside it must be
            // encoded.
            if user.contains('@') {
                Err(UrlProblem::UserInfo)
            } else {
                Ok(host)
            }
        })?;
    let (host, _) = split_port(host)?;
    read_host(host).map(|_| ())
}

/// Checks that every parser reads the target of a redirect in the same way: a full URL, or a
/// relative reference.
///
/// # Errors
///
/// [`UrlProblem`].
pub fn check_reference(text: &str) -> Result<(), UrlProblem> {
    check_characters(text)?;
    let names_scheme = text
        .split_once(':')
        .is_some_and(|(scheme, _)| is_scheme(scheme));
    if names_scheme {
        Origin::of(text).map(|_| ())
    } else if text.starts_with("//") {
        Origin::of(&format!("https:{text}")).map(|_| ())
    } else {
        Ok(())
    }
}

/// Rejects characters that must not occur anywhere in a URL.
fn check_characters(text: &str) -> Result<(), UrlProblem> {
    if text.is_empty() {
        return Err(UrlProblem::NotAUrl);
    }
    if text.contains('\\') {
        return Err(UrlProblem::Backslash);
    }
    if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(UrlProblem::WhiteSpace);
    }
    Ok(())
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The part before the path, the query and the fragment.
fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The host and the optional port.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), UrlProblem> {
    // A colon inside brackets belongs to the address.
    let after_address = match authority.rfind(']') {
        Some(end) => end + 1,
        None if authority.starts_with('[') => return Err(UrlProblem::Address),
        None => 0,
    };
    let Some(colon) = authority[after_address..].find(':') else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(after_address + colon);
    let digits = &port[1..];
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    match digits.parse() {
        Ok(port) if is_plain => Ok((host, Some(port))),
        _ => Err(UrlProblem::Port),
    }
}

fn read_host(host: &str) -> Result<Host<String>, UrlProblem> {
    if host.is_empty() {
        return Err(UrlProblem::NoHost);
    }
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.strip_suffix(']').ok_or(UrlProblem::Address)?;
        return address
            .parse::<Ipv6Addr>()
            .map(Host::Ipv6)
            .map_err(|_| UrlProblem::Address);
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !host.bytes().all(is_plain) {
        return Err(UrlProblem::Host);
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    // Some parsers treat such a host as an IPv4 address (WHATWG URL, "ends in a number";
    // inet_aton).
    let hexadecimal = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit()) && !last.is_empty() {
        return host
            .parse::<Ipv4Addr>()
            .map(Host::Ipv4)
            .map_err(|_| UrlProblem::Address);
    }
    let name = host.to_ascii_lowercase();
    // An empty label means a leading or trailing dot, or two dots in a row. Only the name of this
    // machine may end in one (RFC 6761): others would be different names to some programs.
    let relative = name.strip_suffix('.').unwrap_or(&name);
    let is_local = relative == "localhost" || relative.ends_with(".localhost");
    let labels = if is_local { relative } else { &name };
    if labels.split('.').any(str::is_empty) || name.starts_with('-') {
        return Err(UrlProblem::Host);
    }
    Ok(Host::Domain(name))
}

/// Replaces an IPv6 address that maps a loopback address by that address: every program connects to
/// the same server.
fn unmapped(host: Host<String>) -> Host<String> {
    match host {
        Host::Ipv6(address) => match address.to_ipv4_mapped() {
            Some(mapped) if mapped.is_loopback() => Host::Ipv4(mapped),
            _ => Host::Ipv6(address),
        },
        host => host,
    }
}

#[cfg(test)]
mod tests;
