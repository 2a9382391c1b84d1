//! Implements git's credential helper, which supplies the token for a Hub.
//!
//! git runs the helper in the folder of the repository, so the normal chain finds that folder's
//! token: the profile pinned by its project, or whatever else is in use there. The helper returns
//! the token only if git is connecting to the token's own Hub. For any other host it returns
//! nothing, and git continues with its other helpers and the terminal. Even a helper that was
//! configured for all hosts by mistake therefore never discloses a token to them.
//!
//! A user name in git's request (`https://bob@…`) selects that user's stored token, unless the
//! environment or the project of the folder has decided already. Names that stand for no user, and
//! users without a stored token, get the token of the folder.
//!
//! The helper ignores git's `store` and `erase`, because tokens are stored elsewhere and those
//! operations would only repeat or discard what was found there. It sends no request to the Hub.

use std::borrow::Cow;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::protocol::Attributes;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::resolve::user_token::UserToken;
use crate::resolve::{Argument, Inputs, Request, Resolver};
use crate::sanitize::redacted;
use crate::source::Source;
use crate::trace::{SourceStatus, Trace};

/// The username to send when git has none. The Hub only checks the token. `huggingface_hub` uses
/// the same name.
pub const USERNAME: &str = "hf_user";

/// User names that programs and documents write where the user does not matter.
const PLACEHOLDERS: [&str; 3] = [USERNAME, "user", "token"];

/// The maximum length of a user name in a message, in characters.
const LONGEST_NAME: usize = 96;

/// The capability with which git lets a helper choose the scheme of the `Authorization` header.
const AUTHTYPE: &[u8] = b"authtype";

/// The helper's response.
#[derive(Default)]
pub struct HelperResponse {
    /// The attributes for git; `None` to return nothing.
    pub attributes: Option<Attributes>,
    /// Warnings for the user: broken sources that were skipped, a user without a token, a token that
    /// has expired.
    pub warnings: Vec<String>,
}

/// Returns a token as it is now, renewed if that is due, and warnings for the user. The helper itself
/// sends no request.
pub type Renew<'a> = dyn Fn(&Arc<Credential>) -> Result<(Arc<Credential>, Vec<String>), Error> + 'a;

/// Handles git's `get` operation. `renew` is called with the token that git gets.
///
/// # Errors
///
/// A source that was requested by name is broken, or the configuration is, or the value found is
/// not a token of this Hub, such as a key of another service. A missing token is not an error: git
/// then asks the user.
pub fn get(
    asked: &Attributes,
    inputs: &Inputs<'_>,
    renew: &Renew<'_>,
) -> Result<HelperResponse, Error> {
    let Some(endpoint) = requested_endpoint(asked, inputs) else {
        return Ok(HelperResponse::default());
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
    let selected = select(asked, &endpoint, credential, &trace, &resolver, inputs);
    let mut response = HelperResponse::default();
    match selected.credential {
        Some(credential) if !credential.endpoint.owns(endpoint.as_str()) => {}
        Some(credential) => {
            credential.check_sendable()?;
            credential.endpoint.check_other_programs()?;
            let (credential, renewal_warnings) = renew(&credential)?;
            response.warnings = renewal_warnings;
            response.attributes = Some(answer_with(asked, &credential));
            response.warnings.extend(resolver.warnings(&trace));
            response
                .warnings
                .extend(resolver.insecure_warning(&credential.endpoint));
            response.warnings.extend(selected.warning);
            if credential.expires_at.has_passed() {
                response.warnings.push(format!(
                    "{} has expired, so git does not use it; {}",
                    credential.describe(),
                    credential.source.fix_hint()
                ));
            }
        }
        None => {
            response.warnings = resolver.warnings(&trace);
            response.warnings.extend(selected.warning);
        }
    }
    Ok(response)
}

/// The token for git, and what the user should know about the choice.
struct Selected {
    credential: Option<Arc<Credential>>,
    warning: Option<String>,
}

/// Chooses between the folder's token and the stored token of the user whom git names.
fn select(
    asked: &Attributes,
    endpoint: &Endpoint,
    credential: Option<Arc<Credential>>,
    trace: &Trace,
    resolver: &Resolver,
    inputs: &Inputs<'_>,
) -> Selected {
    let keep = |credential, warning| Selected {
        credential,
        warning,
    };
    // A token of another Hub decides nothing here.
    let decided = credential
        .as_ref()
        .filter(|current| current.endpoint.owns(endpoint.as_str()))
        .and_then(|current| precedence(current, inputs));
    let Some(user) = named_user(asked) else {
        return keep(credential, None);
    };
    if decided == Some(Precedence::Project) || excludes_files(trace) {
        return keep(credential, None);
    }
    let shown = shown(&user);
    let takes_precedence = |current: &Credential, source: &Source| {
        format!(
            "git asks for the user `{shown}`, but {} takes precedence over {}",
            current.describe(),
            source.describe()
        )
    };
    match inputs.token_of_user(&user, endpoint, credential.as_ref()) {
        Ok(UserToken::Found(token)) => match credential {
            Some(current) if decided.is_some() => {
                let is_other = current.token != token.token;
                let warning = is_other.then(|| takes_precedence(&current, &token.source));
                keep(Some(current), warning)
            }
            _ => keep(Some(token), None),
        },
        Ok(UserToken::InKeyring { name, digest }) => match credential {
            // The keyring is not asked for what is not used.
            Some(current) if decided.is_some() => {
                let is_other = current.token.digest() != digest;
                let source = Source::Keyring(name);
                let warning = is_other.then(|| takes_precedence(&current, &source));
                keep(Some(current), warning)
            }
            credential => match by_name(&name, resolver, inputs) {
                Ok(token) => keep(token, None),
                Err(problem) => {
                    let instead = credential.as_ref().map_or_else(String::new, |current| {
                        format!(". It gets {} instead", current.describe())
                    });
                    let warning =
                        format!("git asks for the user `{shown}`, but {problem}{instead}");
                    keep(credential, Some(warning))
                }
            },
        },
        Ok(UserToken::Organization) => keep(credential, None),
        Ok(UserToken::Unknown) => {
            let warning = credential.as_ref().map(|current| {
                format!(
                    "git asks for the user `{shown}`, but no stored token is known to be theirs at \
                     {endpoint}, so it gets {}. `hubtoken login` stores a token with its user",
                    current.describe()
                )
            });
            keep(credential, warning)
        }
        Err(problem) => keep(credential, Some(problem.to_string())),
    }
}

/// A stored token by its name.
fn by_name(
    name: &str,
    resolver: &Resolver,
    inputs: &Inputs<'_>,
) -> Result<Option<Arc<Credential>>, Error> {
    let request = Request {
        argument: Argument::Ambient,
        endpoint: None,
        profile: Some(name),
    };
    Ok(resolver.resolve(&request, inputs)?.credential)
}

/// Why the token of the folder goes before the user whom git names.
#[derive(PartialEq, Eq)]
enum Precedence {
    Environment,
    Project,
}

/// Both are chosen for this process or this folder; every other source is the user's default for
/// all folders, which a name in the URL is more specific than.
fn precedence(credential: &Credential, inputs: &Inputs<'_>) -> Option<Precedence> {
    match &credential.source {
        Source::Environment(_) | Source::Placed { .. } | Source::Argument => {
            Some(Precedence::Environment)
        }
        Source::Configuration { file, .. } if !inputs.is_users_configuration(file) => {
            Some(Precedence::Project)
        }
        _ => None,
    }
}

/// Whether a configuration excludes token files, and with them what is stored.
fn excludes_files(trace: &Trace) -> bool {
    trace
        .steps
        .iter()
        .any(|step| step.source == "file" && step.status == SourceStatus::Skipped)
}

/// The user whom git names, if the name can be a user's.
fn named_user(asked: &Attributes) -> Option<Cow<'_, str>> {
    let user = String::from_utf8_lossy(asked.username.as_deref()?);
    let is_placeholder = PLACEHOLDERS
        .iter()
        .any(|placeholder| placeholder.eq_ignore_ascii_case(&user));
    (!user.is_empty() && !is_placeholder).then_some(user)
}

/// A user name for a message: it comes from a URL, and may be anything, even a token.
fn shown(user: &str) -> String {
    let user = redacted(user);
    match user.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}...", &user[..end]),
        None => user,
    }
}

/// The Hub that git is connecting to, if a token may be sent there and every URL parser would agree
/// on the host.
fn requested_endpoint(asked: &Attributes, inputs: &Inputs<'_>) -> Option<Endpoint> {
    // In `https://evil.example\@huggingface.co/`, git sees this username, but browsers see another
    // host.
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
    // Any other character has a special meaning in a URL or spells a host differently.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if !["https", "http"].contains(&protocol) || !host.bytes().all(is_plain) {
        return None;
    }
    inputs.parse_endpoint(&format!("{protocol}://{host}")).ok()
}

/// Whether a configuration names a profile that is not stored. Such a source was requested by name,
/// unlike other sources without a token.
fn names_profile(trace: &Trace) -> bool {
    trace
        .steps
        .iter()
        .any(|step| step.status == SourceStatus::Absent && step.source.starts_with("config:"))
}

/// Builds the response. Every version of git and every Hub supports a username and password. A
/// server that requires a bearer token would reject those, so git gets a bearer token instead if it
/// supports that. The response never contains `quit`, because git should try other helpers if the
/// Hub rejects the token.
fn answer_with(asked: &Attributes, credential: &Credential) -> Attributes {
    let secret = Zeroizing::new(credential.token.expose().into());
    let expiry = credential.expires_at.unix_milliseconds();
    let password_expiry_utc = expiry.and_then(|milliseconds| {
        // git takes 0 for a password that does not expire.
        i64::try_from(milliseconds / 1000)
            .ok()
            .map(|seconds| seconds.max(1))
    });
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

/// Whether the server's challenges include `Bearer` but not `Basic`, and git supports `Bearer`.
fn wants_bearer(asked: &Attributes) -> bool {
    // A header may contain several challenges. A comma inside a quoted string does not start a
    // challenge, but treating it as one is harmless: it can only lead to username and password, the
    // default for any other server.
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
mod tests;
#[cfg(test)]
mod user_tests;
