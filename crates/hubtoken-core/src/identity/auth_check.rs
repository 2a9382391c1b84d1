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

use super::cache::key::Key;
use super::failure::{Failure, Reason};
use crate::error::ResponseDetails;
use crate::http::Response;
use crate::http::response_details::{message, without_page};
use crate::repository::RepositoryType;
use crate::role::Role;

/// A request: may this token read or write that repository?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthCheck {
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
pub enum AuthCheckOutcome {
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
pub(super) enum AuthCheckResponse {
    /// The Hub's decision about the repository.
    Outcome(AuthCheckOutcome),
    /// A 401 that does not say whether it is about the repository or the token.
    Unauthorized,
}

impl AuthCheck {
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
pub(super) fn parse_response(
    answer: &Response,
    details: &ResponseDetails,
) -> Result<AuthCheckResponse, Failure> {
    let code = answer.header("x-error-code").unwrap_or_default();
    let words = || details.server_message().unwrap_or_default().to_owned();
    let outcome = match (answer.status, code) {
        (200..=299, _) if is_plain_yes(&answer.body) => AuthCheckOutcome::Allowed,
        (200..=299, _) => {
            return Err(Failure::UnexpectedResponse(Reason {
                text: "it answered with something other than OK, as a proxy or a captive portal \
                       does"
                    .to_owned(),
                response: without_page(answer, details),
            }));
        }
        (401 | 403 | 404, _) if is_closed_to_token(&words()) => {
            AuthCheckOutcome::GatedForToken(words())
        }
        (401 | 403 | 404, "GatedRepo") => AuthCheckOutcome::Gated(words()),
        (400.., _) if is_disabled(&words()) => AuthCheckOutcome::Disabled,
        (401 | 403 | 404, "RepoNotFound") => AuthCheckOutcome::NotFound,
        (401, _) => return Ok(AuthCheckResponse::Unauthorized),
        (403, _) => forbidden(words()),
        (404, _) if message(answer).is_some() => AuthCheckOutcome::NotFound,
        _ => return Err(Failure::of(answer, details.clone())),
    };
    Ok(AuthCheckResponse::Outcome(outcome))
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
fn forbidden(words: String) -> AuthCheckOutcome {
    if is_policy(&words) {
        AuthCheckOutcome::Policy(words)
    } else {
        AuthCheckOutcome::Forbidden(words)
    }
}

/// Whether a message says that an organization's policy blocks the token.
pub(crate) fn is_policy(words: &str) -> bool {
    let lower = words.to_ascii_lowercase();
    lower.contains("token policy")
        || lower.contains("revoked by the organization")
        || lower.contains("approved by the organization")
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
    use crate::http::response_details::of_answer;
    use reqwest::header::{HeaderMap, HeaderValue};

    fn parsed(status: u16, code: &str, message: &str, body: &str) -> Option<AuthCheckResponse> {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-error-code", code), ("x-error-message", message)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        let body = body.as_bytes().to_vec();
        let answer = Response {
            status,
            headers,
            body,
        };
        parse_response(&answer, &of_answer(&answer, "")).ok()
    }

    #[test]
    fn an_error_code_decides_before_the_status_does() {
        for status in [401, 403, 404] {
            let parsed_code = |code| parsed(status, code, "", "");
            assert_eq!(
                parsed_code("RepoNotFound"),
                Some(AuthCheckResponse::Outcome(AuthCheckOutcome::NotFound))
            );
            let gated = AuthCheckOutcome::Gated(String::new());
            assert_eq!(
                parsed_code("GatedRepo"),
                Some(AuthCheckResponse::Outcome(gated))
            );
        }
        // Without an error code, or with an unknown newer one, only whoami can tell.
        for code in ["", "SomethingNew"] {
            assert_eq!(
                parsed(401, code, "Invalid username or password.", ""),
                Some(AuthCheckResponse::Unauthorized)
            );
        }
        assert_eq!(parsed(404, "", "", "<html>"), None);
        assert_eq!(parsed(500, "RepoNotFound", "", ""), None);
    }

    #[test]
    fn words_that_stand_for_a_code_decide_before_the_status_does() {
        let disabled = "Access to this resource is disabled.";
        for status in [400, 401, 403, 404, 410, 451, 503] {
            for code in ["", "SomethingNew", "RepoNotFound"] {
                assert_eq!(
                    parsed(status, code, disabled, ""),
                    Some(AuthCheckResponse::Outcome(AuthCheckOutcome::Disabled)),
                    "{status} {code}"
                );
            }
        }
        assert_eq!(parsed(410, "", "Gone.", ""), None);
        let gated = "Please enable access to public gated repositories in your fine-grained token \
                     settings to view this repository.";
        for status in [401, 403, 404] {
            for code in ["", "GatedRepo"] {
                assert_eq!(
                    parsed(status, code, gated, ""),
                    Some(AuthCheckResponse::Outcome(AuthCheckOutcome::GatedForToken(
                        gated.to_owned()
                    ))),
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
        for (words, outcome) in [
            (disabled, AuthCheckOutcome::Disabled),
            (gated, AuthCheckOutcome::GatedForToken(gated.to_owned())),
            (policy, AuthCheckOutcome::Policy(policy.to_owned())),
            ("No.", AuthCheckOutcome::Forbidden("No.".to_owned())),
        ] {
            let json = format!(r#"{{"error":"{words}"}}"#);
            for (header, body) in [(words, ""), ("", json.as_str()), ("", words)] {
                assert_eq!(
                    parsed(403, "", header, body),
                    Some(AuthCheckResponse::Outcome(outcome.clone())),
                    "{header} {body}"
                );
            }
        }
        let page = parsed(403, "", "", "<html>Access to this resource is disabled.");
        assert_eq!(
            page,
            Some(AuthCheckResponse::Outcome(AuthCheckOutcome::Forbidden(
                String::new()
            )))
        );
    }
}
