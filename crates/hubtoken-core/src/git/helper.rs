//! The credential helper: which token git gets, for which host.
//!
//! git runs it in the folder of the repository, so the ordinary chain gives that folder's token:
//! the profile that its project pins, or whatever else is in use there. The token is told only if
//! git speaks to the token's own Hub; for every other host the helper has nothing to say, and git
//! goes on to its other helpers and to the terminal. So a helper that somebody has set up for all
//! hosts by mistake still tells nobody's secret.
//!
//! Nothing is stored: the tokens have their own place, and git's `store` and `erase` would only
//! repeat, or throw away, what was found there. The Hub is not asked either.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::protocol::Attributes;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::resolve::{Argument, Inputs, Request, Resolver};
use crate::trace::{Answer as TraceAnswer, Trace};

/// The user's name when git has none. The Hub looks at the token alone; `huggingface_hub` writes
/// the same.
pub const USERNAME: &str = "hf_user";

/// What git calls it when a helper may choose the scheme of the `Authorization` header.
const AUTHTYPE: &[u8] = b"authtype";

/// What the helper has to say.
#[derive(Default)]
pub struct Answer {
    /// For git; `None` to say nothing.
    pub attributes: Option<Attributes>,
    /// For the user: sources that were passed over because they are broken.
    pub warnings: Vec<String>,
}

/// Answers git's `get`.
///
/// # Errors
///
/// A source that was asked for by name is broken, or the configuration is; or the value that was
/// found is no token of this Hub, such as a key of another service. That no source has a token is
/// no error: git then asks the user.
pub fn get(asked: &Attributes, inputs: &Inputs<'_>) -> Result<Answer, Error> {
    let Some(place) = place(asked) else {
        return Ok(Answer::default());
    };
    let request = Request {
        argument: Argument::Ambient,
        endpoint: None,
        profile: None,
    };
    let resolver = Resolver::default();
    let (credential, trace) = match resolver.resolve(&request, inputs) {
        Ok(resolution) => (resolution.credential, Arc::new(resolution.trace)),
        Err(Error::TokenNotFound { trace, .. }) if !names_profile(&trace) => (None, trace),
        Err(error) => return Err(error),
    };
    let mut answer = Answer::default();
    match credential {
        Some(credential) if !credential.endpoint.owns(place.as_str()) => {}
        Some(credential) => {
            credential.check_sendable()?;
            answer.attributes = Some(answer_with(asked, &credential, inputs));
            answer.warnings = resolver.warnings(&trace);
        }
        None => answer.warnings = resolver.warnings(&trace),
    }
    Ok(answer)
}

/// Where git is about to go, if a token may go there at all and every parser would go there too.
fn place(asked: &Attributes) -> Option<Endpoint> {
    // `https://evil.example\@huggingface.co/` has such a user to git, and another host to browsers.
    let is_odd = |byte: &u8| *byte == b'\\' || *byte <= b' ' || *byte == 0x7f;
    if asked
        .username
        .as_deref()
        .is_some_and(|user| user.iter().any(is_odd))
    {
        return None;
    }
    let protocol = str::from_utf8(asked.protocol.as_deref()?).ok()?;
    let host = str::from_utf8(asked.host.as_deref()?).ok()?;
    // Everything else has a meaning in a URL, or is another spelling of a host.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if !["https", "http"].contains(&protocol) || !host.bytes().all(is_plain) {
        return None;
    }
    Endpoint::parse(&format!("{protocol}://{host}")).ok()
}

/// Whether a configuration names a profile that is not stored. Such a source was asked for, while
/// all others that have no token were only looked at.
fn names_profile(trace: &Trace) -> bool {
    trace
        .steps
        .iter()
        .any(|step| step.answer == TraceAnswer::Absent && step.source.starts_with("config:"))
}

/// Name and password are what every git and every Hub understands. Where a server wants a bearer
/// token and nothing else, git could do nothing with them, so it gets the token as one, if it has
/// said that it can. There is never a `quit`: a token that the Hub refuses must not keep git from
/// asking elsewhere.
fn answer_with(asked: &Attributes, credential: &Credential, inputs: &Inputs<'_>) -> Attributes {
    let secret = Zeroizing::new(credential.token.expose().into());
    let password_expiry_utc = inputs.stored_expiry(&credential.token);
    if wants_bearer(asked) {
        return Attributes {
            capabilities: vec![AUTHTYPE.to_vec()],
            authtype: Some(b"Bearer".to_vec()),
            credential: Some(secret),
            password_expiry_utc,
            ..Attributes::default()
        };
    }
    let username = asked
        .username
        .clone()
        .filter(|username| !username.is_empty())
        .unwrap_or_else(|| USERNAME.into());
    Attributes {
        username: Some(username),
        password: Some(secret),
        password_expiry_utc,
        ..Attributes::default()
    }
}

/// Whether the server's challenges name `Bearer` and not `Basic`, and git can send the former.
fn wants_bearer(asked: &Attributes) -> bool {
    // A header may hold several challenges. A comma in a quoted text makes none of its own, but to
    // take it for one errs towards name and password, which is what any other server gets.
    let names = |scheme: &[u8]| {
        asked.wwwauth.iter().any(|header| {
            header.split(|byte| *byte == b',').any(|challenge| {
                let word = challenge.trim_ascii_start();
                let end = word
                    .iter()
                    .position(u8::is_ascii_whitespace)
                    .unwrap_or(word.len());
                word[..end].eq_ignore_ascii_case(scheme)
            })
        })
    };
    asked.capabilities.iter().any(|known| known == AUTHTYPE) && names(b"bearer") && !names(b"basic")
}

#[cfg(test)]
#[path = "helper_tests.rs"]
mod tests;
