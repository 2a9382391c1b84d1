//! The Hub's auth-check: whether a token may read or write one repository.
//!
//! Only the Hub knows which repositories are private, gated, disabled or missing. An *allowed* is
//! cached for a minute. Every other answer is requested again, since a repository may be created or
//! a gate opened at any time.
//!
//! The Hub's error codes take precedence over its status: a missing or gated repository may be
//! reported with 401, 403 or 404. So do the messages for the two cases without an error code: a
//! disabled repository, and a token that may not access gated repositories. A 401 without either
//! may or may not be about the token, and only whoami can tell.

use super::failure::{Failure, message};
use super::key::Key;
use crate::http::Answer;
use crate::printable::printable;
use crate::repository::RepositoryType;
use crate::role::Role;

/// How many characters of a plain-text body are read.
const MAXIMUM_WORDS: usize = 500;

/// A request: may this token read or write that repository?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// The token and its Hub.
    pub key: Key,
    /// The repository's type.
    pub kind: RepositoryType,
    /// The user or organization that owns it.
    pub namespace: String,
    /// The repository's name, without the namespace.
    pub name: String,
    /// Read or write.
    pub role: Role,
}

/// The Hub's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Access is allowed.
    Allowed,
    /// The repository is gated and the user has no access; the Hub's message.
    Gated(String),
    /// The fine-grained token may not access gated repositories; the Hub's message.
    GatedForToken(String),
    /// The organization's policy blocks the token; the Hub's message.
    Policy(String),
    /// Access to the repository is disabled for every token.
    Disabled,
    /// Access is denied; the Hub's message.
    Forbidden(String),
    /// The repository does not exist, or is invisible to this token.
    NotFound,
}

/// A parsed response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The Hub's decision about the repository.
    Permit(Permit),
    /// A 401 that does not say whether it is about the repository or the token.
    Unauthorized,
}

impl Check {
    /// The path of the request.
    #[must_use]
    pub fn path(&self) -> String {
        format!(
            "/api/{}/{}/{}/auth-check{}",
            self.kind.plural(),
            self.namespace,
            self.name,
            match self.role {
                Role::Read => "",
                Role::Write => "/write",
            }
        )
    }

    /// The repository's page.
    #[must_use]
    pub fn page(&self) -> String {
        self.key.endpoint.url(&self.page_path())
    }

    /// The path of the repository's page.
    #[must_use]
    pub fn page_path(&self) -> String {
        format!("/{}{}/{}", self.kind.prefix(), self.namespace, self.name)
    }
}

/// Parses the response to an auth-check.
///
/// # Errors
///
/// [`Failure`] if the response is not an answer to this request.
pub(super) fn hear(answer: &Answer) -> Result<Heard, Failure> {
    let code = answer.header("x-error-code").unwrap_or_default();
    let words = || words_of(answer);
    let permit = match (answer.status, code) {
        (200..=299, _) if is_plain_yes(&answer.body) => Permit::Allowed,
        (200..=299, _) => {
            return Err(Failure::Strange(
                "it answered with something other than OK, as a proxy or a captive portal does"
                    .to_owned(),
            ));
        }
        (401 | 403 | 404, _) if is_closed_to_token(&words()) => Permit::GatedForToken(words()),
        (401 | 403 | 404, "GatedRepo") => Permit::Gated(words()),
        (400.., _) if is_disabled(&words()) => Permit::Disabled,
        (401 | 403 | 404, "RepoNotFound") => Permit::NotFound,
        (401, _) => return Ok(Heard::Unauthorized),
        (403, _) => forbidden(words()),
        (404, _) if message(answer).is_some() => Permit::NotFound,
        _ => return Err(Failure::of(answer)),
    };
    Ok(Heard::Permit(permit))
}

/// The Hub's message, which may be a plain-text body.
fn words_of(answer: &Answer) -> String {
    let plain = || {
        let text = std::str::from_utf8(&answer.body).ok()?;
        let is_prose = !text.trim_start().starts_with(['<', '{', '[']);
        let start: String = text.chars().take(MAXIMUM_WORDS).collect();
        is_prose.then(|| printable(start.trim()))
    };
    message(answer).or_else(plain).unwrap_or_default()
}

fn is_closed_to_token(words: &str) -> bool {
    words.to_ascii_lowercase().contains("gated repositories")
}

fn is_disabled(words: &str) -> bool {
    words
        .to_ascii_lowercase()
        .contains("access to this resource is disabled")
}

/// The Hub distinguishes these only by their message.
fn forbidden(words: String) -> Permit {
    let lower = words.to_ascii_lowercase();
    if lower.contains("token policy")
        || lower.contains("revoked by the organization")
        || lower.contains("approved by the organization")
    {
        Permit::Policy(words)
    } else {
        Permit::Forbidden(words)
    }
}

/// The Hub sends `OK` or nothing. A captive portal answers every request with a page and status
/// 200.
fn is_plain_yes(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.is_empty() || body.eq_ignore_ascii_case(b"ok") || body.eq_ignore_ascii_case(b"\"ok\"")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    fn heard(status: u16, code: &str, message: &str, body: &str) -> Option<Heard> {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-error-code", code), ("x-error-message", message)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        let body = body.as_bytes().to_vec();
        hear(&Answer {
            status,
            headers,
            body,
        })
        .ok()
    }

    #[test]
    fn an_error_code_decides_before_the_status_does() {
        for status in [401, 403, 404] {
            let told = |code| heard(status, code, "", "");
            assert_eq!(told("RepoNotFound"), Some(Heard::Permit(Permit::NotFound)));
            let gated = Permit::Gated(String::new());
            assert_eq!(told("GatedRepo"), Some(Heard::Permit(gated)));
        }
        // Without an error code, or with an unknown newer one, only whoami can tell.
        for code in ["", "SomethingNew"] {
            assert_eq!(
                heard(401, code, "Invalid username or password.", ""),
                Some(Heard::Unauthorized)
            );
        }
        assert_eq!(heard(404, "", "", "<html>"), None);
        assert_eq!(heard(500, "RepoNotFound", "", ""), None);
    }

    #[test]
    fn words_that_stand_for_a_code_decide_before_the_status_does() {
        let disabled = "Access to this resource is disabled.";
        for status in [400, 401, 403, 404, 410, 451, 503] {
            for code in ["", "SomethingNew", "RepoNotFound"] {
                assert_eq!(
                    heard(status, code, disabled, ""),
                    Some(Heard::Permit(Permit::Disabled)),
                    "{status} {code}"
                );
            }
        }
        assert_eq!(heard(410, "", "Gone.", ""), None);
        let gated = "Please enable access to public gated repositories in your fine-grained token \
                     settings to view this repository.";
        for status in [401, 403, 404] {
            for code in ["", "GatedRepo"] {
                assert_eq!(
                    heard(status, code, gated, ""),
                    Some(Heard::Permit(Permit::GatedForToken(gated.to_owned()))),
                    "{status} {code}"
                );
            }
        }
    }

    #[test]
    fn the_hubs_words_tell_denials_apart() {
        let disabled = "Access to this resource is disabled.";
        let gated = "Please enable access to public gated repositories in your fine-grained token \
                     settings to view this repository.";
        let policy = "Due to the organization token policy, only fine-grained tokens can access";
        for (words, permit) in [
            (disabled, Permit::Disabled),
            (gated, Permit::GatedForToken(gated.to_owned())),
            (policy, Permit::Policy(policy.to_owned())),
            ("No.", Permit::Forbidden("No.".to_owned())),
        ] {
            let json = format!(r#"{{"error":"{words}"}}"#);
            for (header, body) in [(words, ""), ("", json.as_str()), ("", words)] {
                assert_eq!(
                    heard(403, "", header, body),
                    Some(Heard::Permit(permit.clone())),
                    "{header} {body}"
                );
            }
        }
        let page = heard(403, "", "", "<html>Access to this resource is disabled.");
        assert_eq!(page, Some(Heard::Permit(Permit::Forbidden(String::new()))));
    }
}
