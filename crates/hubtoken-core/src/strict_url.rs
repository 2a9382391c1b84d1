//! URLs that every parser reads alike.
//!
//! Who sees a token is decided on one reading of a URL, and the request goes out by another: the
//! decision is made here, the connection by requests, httpx, `http.client`, curl or git. Parsers
//! differ on purpose (WHATWG's, which browsers and the `url` crate follow, repairs what RFC 3986
//! forbids), so a URL can name one host to the judge and another to the client: `\` is a slash to
//! some, `@` ends a password to others, `0x7f.1` is a name or an address, a tab vanishes or does
//! not. Instead of guessing which client will read it, a URL that leaves room for a second reading
//! is refused, on its text, before any parser has repaired it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What keeps a URL from being read alike, to follow "the endpoint" or "the address". Never a part
/// of the URL: its path and query may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// It has no scheme, or not exactly two slashes behind it.
    #[error("is not a URL; write it like https://huggingface.co")]
    NotAUrl,
    /// Its scheme is neither https nor http.
    #[error("has another scheme than https or http")]
    Scheme,
    /// There is no host in it.
    #[error("has no host; write it like https://huggingface.co")]
    NoHost,
    /// It holds a user name or a password.
    #[error("holds a user name or a password; write the address alone")]
    UserInfo,
    /// It holds a backslash.
    #[error("holds a backslash, which some programs read as a slash and others do not")]
    Backslash,
    /// It holds white space or control characters.
    #[error("holds white space or control characters, which some programs drop and others do not")]
    WhiteSpace,
    /// Its host is encoded, not ASCII, or has characters that no host has.
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
    /// The problem of an address that a server wrote: without advice, which its user cannot follow.
    #[must_use]
    pub fn of_server(self) -> String {
        match self {
            Self::NotAUrl => "is not a whole URL".to_owned(),
            problem => {
                let text = problem.to_string();
                let end = text.find("; write").unwrap_or(text.len());
                text[..end].to_owned()
            }
        }
    }
}

/// Where a request goes: scheme, host and port, the same to every parser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// Reads the origin of a URL that every parser reads alike.
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
        let origin = Self {
            secure,
            host: read_host(host)?,
            port: port.unwrap_or(if secure { 443 } else { 80 }),
        };
        // Our own requests take this reading, which is stricter about international names.
        let read = Url::parse(text).map_err(|_| UrlProblem::Host)?;
        let same_host = read.host().map(|host| host.to_owned()) == Some(origin.host.clone());
        if same_host && read.port_or_known_default() == Some(origin.port) {
            Ok(origin)
        } else {
            Err(UrlProblem::Host)
        }
    }

    /// Whether it is asked over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, in lower case.
    #[must_use]
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port, also when the URL does not name it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Without the port where it is the scheme's own.
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

/// Whether a proxy's address is read alike by all. It may hold a user name and a password, and any
/// scheme or none: which of them can be used is for the HTTP client to say.
///
/// # Errors
///
/// [`UrlProblem`], which repeats nothing of the address.
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
            // A second `@` would have to be encoded: the two ends are not told apart alike.
            if user.contains('@') {
                Err(UrlProblem::UserInfo)
            } else {
                Ok(host)
            }
        })?;
    let (host, _) = split_port(host)?;
    read_host(host).map(|_| ())
}

/// Whether the target of a redirect is read alike by all: a whole URL, or what stands for its path.
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

/// What no parser may meet anywhere in a URL.
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

/// What stands before the path, the query and the fragment.
fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The host and the port, if there is one.
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
    // To some parsers such a host is an IPv4 address (WHATWG URL, "ends in a number"; inet_aton).
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
    // An empty label is a dot at either end, or two in a row.
    if host.split('.').any(str::is_empty) || host.starts_with('-') {
        return Err(UrlProblem::Host);
    }
    Ok(Host::Domain(host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
