//! Explains in one sentence why a request has no response.
//!
//! The libraries below report errors for programmers: a TLS error in its `Debug` form, a proxy's
//! failure as one of the Hub. The actual cause is looked up in the chain of sources, and each kind
//! has its own sentence that says which side failed and what to do. None of them says anything
//! about a token.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, CertificateError};

use super::proxy::ProxyName;
use super::{TransportError, tls};

/// The connection library's text for a failed name lookup.
const DNS: &str = "dns error";
/// How a proxy's errors begin.
const TUNNEL: &str = "tunnel error: ";
const SOCKS: &str = "SOCKS error: ";
/// The text for a name that this side of a SOCKS proxy could not resolve.
const SOCKS_DNS: &str = "error resolving for socks proxy";

/// Explains why there is no response.
pub(super) fn classify(error: &reqwest::Error, proxy: Option<&ProxyName>) -> TransportError {
    let causes = causes(error);
    let unreachable = if error.is_connect() {
        TransportError::Unconnected
    } else {
        TransportError::Unreachable
    };
    if let Some(proxy) = proxy
        && let Some(text) = proxy_failure(&causes, proxy)
    {
        return unreachable(text);
    }
    if let Some(error) = find::<rustls::Error>(&causes) {
        return unreachable(tls_failure("the Hub", error));
    }
    let text = innermost_cause(&causes);
    unreachable(if error.is_timeout() && error.is_connect() {
        match proxy {
            Some(proxy) => format!("no connection in time through the proxy {proxy}"),
            None => "the Hub cannot be reached: no connection in time".to_owned(),
        }
    } else if error.is_connect() {
        match (io_error(&causes).map(io::Error::kind), proxy) {
            (
                Some(
                    ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe,
                ),
                Some(proxy),
            ) => {
                format!("the connection through the proxy {proxy} was closed before it was secure")
            }
            (Some(ErrorKind::UnexpectedEof), None) => {
                "the Hub closed the connection before it was secure; does its port speak https?"
                    .to_owned()
            }
            (_, Some(proxy)) => {
                format!("the Hub cannot be reached through the proxy {proxy}: {text}")
            }
            (_, None) => format!("the Hub cannot be reached: {text}"),
        }
    } else if has_text(&causes, "invalid HTTP version") {
        "the server does not speak http; is it a port for https?".to_owned()
    } else if error.is_body() || error.is_decode() {
        format!("the answer was cut off: {text}")
    } else if text.contains("closed") {
        "the Hub closed the connection without an answer".to_owned()
    } else {
        format!("the Hub gave no answer: {text}")
    })
}

/// The cause of an error in a few words, without a URL and without a library's `Debug` output.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let causes = causes(error);
    match find::<rustls::Error>(&causes) {
        Some(error) => tls_failure("the server", error),
        None => innermost_cause(&causes),
    }
}

/// An error's causes, outermost first. The error itself is left out, since its text contains the
/// URL.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    std::iter::successors(below(error), |cause| below(*cause)).collect()
}

/// The cause of an error. `source()` of an I/O error skips its inner error, so that one is taken
/// directly.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn find<'a, T: Error + 'static>(causes: &[&'a (dyn Error + 'static)]) -> Option<&'a T> {
    causes.iter().find_map(|cause| cause.downcast_ref())
}

/// The operating system's error. Libraries wrap it in others that add nothing.
fn io_error<'a>(causes: &[&'a (dyn Error + 'static)]) -> Option<&'a io::Error> {
    let mut errors = causes
        .iter()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    let first = errors.clone().next();
    errors
        .find(|error| error.kind() != ErrorKind::Other)
        .or(first)
}

fn has_text(causes: &[&(dyn Error + 'static)], text: &str) -> bool {
    causes.iter().any(|cause| cause.to_string().contains(text))
}

/// The operating system's message, or else that of the innermost cause.
fn innermost_cause(causes: &[&(dyn Error + 'static)]) -> String {
    if has_text(causes, DNS) {
        return "its name cannot be resolved; check the spelling and the network".to_owned();
    }
    match io_error(causes).map(|error| (error.kind(), error)) {
        Some((ErrorKind::ConnectionRefused, _)) => "the connection was refused".to_owned(),
        Some((
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof,
            _,
        )) => "the connection was closed".to_owned(),
        Some((ErrorKind::TimedOut, _)) => "no connection in time".to_owned(),
        Some((ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable, _)) => {
            "there is no route to it from here".to_owned()
        }
        Some((_, error)) if error.get_ref().is_none() => error.to_string(),
        _ => causes
            .last()
            .map_or_else(|| "the request failed".to_owned(), ToString::to_string),
    }
}

/// The explanation if the proxy failed, otherwise `None`.
fn proxy_failure(causes: &[&(dyn Error + 'static)], proxy: &ProxyName) -> Option<String> {
    if has_text(causes, SOCKS_DNS) {
        return Some(format!(
            "the Hub's name cannot be resolved here, and the proxy {proxy} was not asked to \
             resolve it; use socks5h (or socks4a) for that"
        ));
    }
    let after = |start: &str| {
        causes
            .iter()
            .map(ToString::to_string)
            .find_map(|text| Some(text.strip_prefix(start)?.to_owned()))
    };
    let said = after(TUNNEL).or_else(|| after(SOCKS))?;
    if let Some(error) = find::<rustls::Error>(causes) {
        return Some(tls_failure(&format!("the proxy {proxy}"), error));
    }
    Some(match said.as_str() {
        "failed to create underlying connection" => match innermost_cause(causes) {
            text if text.starts_with(SOCKS) => format!("the proxy {proxy} cannot be reached"),
            text => format!("the proxy {proxy} cannot be reached: {text}"),
        },
        "proxy authorization required" => {
            format!("the proxy {proxy} requires a user and a password, or different ones")
        }
        "credentials not accepted" => {
            format!("the proxy {proxy} does not accept the user and the password")
        }
        "server does not support user/pass authentication"
        | "server implements authentication incorrectly" => {
            if proxy.has_user {
                format!("the proxy {proxy} takes no user and password; remove them")
            } else {
                format!("the proxy {proxy} requires a user and a password")
            }
        }
        "unsuccessful" => format!("the proxy {proxy} refuses to connect to the Hub"),
        "failed parsing server response" | "proxy response headers too long" => {
            format!("the proxy {proxy} does not speak the protocol of its scheme")
        }
        "unexpected end of file"
        | "io error during SOCKS handshake"
        | "io error establishing tunnel" => {
            format!("the proxy {proxy} closed the connection")
        }
        said => format!("the proxy {proxy} does not connect to the Hub: {said}"),
    })
}

/// Explains a failed TLS handshake with `who`.
fn tls_failure(who: &str, error: &rustls::Error) -> String {
    if tls::is_authority(error) {
        return format!(
            "{who} presents the certificate of an authority as its own. If it is yours, name that \
             certificate in SSL_CERT_FILE"
        );
    }
    match error {
        rustls::Error::InvalidCertificate(problem) => certificate_failure(who, problem),
        rustls::Error::InvalidMessage(_) => {
            format!("{who} does not speak TLS at this port; is it a port for plain http?")
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::HandshakeFailure => format!(
                "{who} and hubtoken have no TLS version or cipher in common, or it requires client \
                 certificates, which hubtoken does not have"
            ),
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
                format!("{who} and hubtoken have no TLS version or cipher in common")
            }
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied => {
                format!("{who} requires client certificates, which hubtoken does not have")
            }
            AlertDescription::UnrecognisedName => {
                format!("{who} does not recognize the requested host name")
            }
            _ => format!("{who} aborted the TLS handshake"),
        },
        rustls::Error::PeerIncompatible(_) => {
            format!("{who} and hubtoken have no TLS version or cipher in common")
        }
        _ => format!("{who} and hubtoken could not agree on TLS"),
    }
}

fn certificate_failure(who: &str, problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
            "the certificate of {who} has expired; it has to be renewed, unless this machine's clock \
             is wrong"
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {who} is not valid yet; check this machine's clock")
        }
        CertificateError::UnknownIssuer => format!(
            "the certificate of {who} comes from an authority that is not trusted here. If it is \
             yours, name its certificate in SSL_CERT_FILE"
        ),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!(
                "the certificate of {who} names no host in its subjectAltName, which is where names \
                 are looked for"
            )
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate of {who} is for another name")
        }
        CertificateError::Revoked => format!("the certificate of {who} has been revoked"),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("the certificate of {who} is not meant for servers")
        }
        CertificateError::BadSignature => format!(
            "the certificate of {who} does not match its key or the key that signed it, or one of \
             these keys is too weak (RSA below 2048 bits)"
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => format!(
            "the certificate of {who} has a key or a signature of a kind that hubtoken does not \
             support"
        ),
        CertificateError::BadEncoding => {
            format!("the certificate of {who} cannot be read")
        }
        _ => format!("the certificate of {who} cannot be accepted"),
    }
}

#[cfg(test)]
mod tests;
