//! The Hub's own auth-check: whether a token may read or write one repository.
//!
//! Only the Hub knows which repositories are private, gated, disabled or there at all. Its *yes*
//! is believed for a minute; every other answer is asked for anew, since a repository may be
//! created or a gate opened at any moment.

use super::failure::{Failure, message};
use super::key::Key;
use crate::http::Answer;
use crate::role::{RepositoryType, Role};

/// A question: may this token do that there?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// The token and its Hub.
    pub key: Key,
    /// What sort of repository.
    pub kind: RepositoryType,
    /// Its user or organisation.
    pub namespace: String,
    /// Its own name.
    pub name: String,
    /// Read or write.
    pub role: Role,
}

/// The Hub's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Allowed,
    /// The gate is closed; the Hub's words.
    Gated(String),
    /// The organisation's policy keeps the token out; the Hub's words.
    Policy(String),
    /// It may not; the Hub's words.
    Forbidden(String),
    /// There is no such repository, as far as this token may know.
    NotFound,
}

impl Check {
    /// The path of the question.
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
        self.key.endpoint.url(&format!(
            "/{}{}/{}",
            self.kind.prefix(),
            self.namespace,
            self.name
        ))
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`Failure`] for an answer that is none to this question.
    pub fn read(&self, answer: &Answer) -> Result<Permit, Failure> {
        let code = answer.header("x-error-code").unwrap_or_default();
        let words = || message(answer).unwrap_or_default();
        match answer.status {
            200..=299 if is_plain_yes(&answer.body) => Ok(Permit::Allowed),
            200..=299 => Err(Failure::Strange(
                "it answered with something other than OK, as a proxy or a portal on the way does"
                    .to_owned(),
            )),
            401 | 403 if code == "GatedRepo" => Ok(Permit::Gated(words())),
            403 => Ok(forbidden(words())),
            404 if code == "RepoNotFound" || message(answer).is_some() => Ok(Permit::NotFound),
            _ => Err(Failure::of(answer)),
        }
    }
}

/// The Hub tells these apart by their words alone.
fn forbidden(words: String) -> Permit {
    let lower = words.to_ascii_lowercase();
    if lower.contains("gated repositories") {
        Permit::Gated(words)
    } else if lower.contains("token policy")
        || lower.contains("revoked by the organization")
        || lower.contains("approved by the organization")
    {
        Permit::Policy(words)
    } else {
        Permit::Forbidden(words)
    }
}

/// The Hub says `OK` or nothing; a captive portal answers every question with a page and 200.
fn is_plain_yes(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.is_empty() || body.eq_ignore_ascii_case(b"ok") || body.eq_ignore_ascii_case(b"\"ok\"")
}
