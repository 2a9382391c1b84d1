//! Why a token endpoint issued no token.

use crate::endpoint::Endpoint;
use crate::error::{Error, ResponseDetails, UnknownKind};
use crate::http::response_details::{of_answer, retry_after, without_page};
use crate::http::{Response, TransportError};
use crate::oauth::token_response;
use crate::sanitize::{mask_value, redacted};

/// Why there is no token.
#[derive(Clone, Debug)]
pub enum TokenFailure {
    /// The endpoint refused the request, with a code of RFC 6749 or RFC 8628.
    Refused {
        /// The code, such as `invalid_grant`, safe to show.
        code: String,
        /// What the endpoint says about it, safe to show.
        description: Option<String>,
        /// What the answer says about itself.
        response: ResponseDetails,
    },
    /// There is no answer to the question: no network, a server that fails, a rate limit, offline
    /// mode, an interruption. It says nothing about the login, and the next request may succeed.
    Inconclusive(Error),
}

impl TokenFailure {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Inconclusive(_) => None,
        }
    }

    /// The error, whose message begins with what did not succeed: "the login" becomes "the login was
    /// refused: `access_denied`". `advice` says what to do after a refusal.
    #[must_use]
    pub fn into_error(self, what: &str, advice: &str) -> Error {
        match self {
            Self::Refused {
                code,
                description,
                response,
            } => {
                let reason = description.map_or_else(
                    || format!("`{code}`"),
                    |description| format!("`{code}`, {}", description.trim_end_matches('.')),
                );
                Error::Login {
                    message: format!("{what} was refused: {reason}. {advice}"),
                    code: Some(code),
                    response,
                }
            }
            Self::Inconclusive(error) => {
                error.instead(|message| format!("{what} did not succeed: {message}"))
            }
        }
    }

    /// Why an answer has no token. `secrets` are those of the request, which an answer may repeat.
    #[must_use]
    pub fn of_answer(answer: &Response, endpoint: &Endpoint, secrets: &[&str]) -> Self {
        let response = details(answer, secrets);
        if answer.status < 500
            && answer.status != 429
            && let Some((code, description)) = token_response::error(&answer.body)
        {
            let shown = |text: &str| redacted(&masked(text, secrets));
            return Self::Refused {
                code: shown(&code),
                description: description
                    .map(|text| shown(text.trim()).chars().take(500).collect())
                    .filter(|text: &String| !text.is_empty()),
                // The message is the code.
                response: ResponseDetails::new(response.request_id().map(str::to_owned), None),
            };
        }
        let response = without_page(answer, &response);
        let (message, kind) = match answer.status {
            429 => (
                format!("{endpoint} limits the request rate"),
                UnknownKind::RateLimited {
                    retry_after: retry_after(answer),
                },
            ),
            500.. => (
                format!(
                    "the Hub answered with status {} ({endpoint})",
                    answer.status
                ),
                UnknownKind::Unreachable,
            ),
            404 | 405 => (
                format!("{endpoint} has no OAuth token endpoint"),
                UnknownKind::Other,
            ),
            status => (
                format!(
                    "{endpoint} answered with status {status}, and not as an OAuth token endpoint \
                     does"
                ),
                UnknownKind::Other,
            ),
        };
        Self::Inconclusive(Error::Unknown {
            message,
            response,
            kind,
        })
    }

    /// Why a request has no usable answer.
    pub(super) fn of_transport(
        error: &TransportError,
        endpoint: &Endpoint,
        secrets: &[&str],
    ) -> Self {
        let kind = match error {
            TransportError::Unconnected(_)
            | TransportError::Unreachable(_)
            | TransportError::TimedOut { .. }
            | TransportError::Unusable {
                is_incomplete: true,
                ..
            } => UnknownKind::Unreachable,
            TransportError::Unsendable(_) | TransportError::Unusable { .. } => UnknownKind::Other,
        };
        Self::Inconclusive(Error::Unknown {
            message: format!("{} ({endpoint})", error.text()),
            response: error
                .head()
                .map_or_else(ResponseDetails::default, |head| details(head, secrets)),
            kind,
        })
    }
}

/// A text without the secrets of the request.
fn masked(text: &str, secrets: &[&str]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| {
        mask_value(&text, secret).into_owned()
    })
}

/// What an answer says about itself, without the secrets of the request.
fn details(answer: &Response, secrets: &[&str]) -> ResponseDetails {
    let details = of_answer(answer, secrets.first().copied().unwrap_or_default());
    ResponseDetails::new(
        details.request_id().map(|id| masked(id, secrets)),
        details.server_message().map(|text| masked(text, secrets)),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    const SECRET: &str = "q7Zp2Lm9Xv4Rt8Wy";

    fn failure(status: u16, body: &str) -> TokenFailure {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("id-1"));
        let answer = Response {
            status,
            headers,
            body: body.as_bytes().to_vec(),
        };
        TokenFailure::of_answer(&answer, &Endpoint::default_hub(), &["", SECRET])
    }

    #[test]
    fn a_code_is_a_refusal_unless_the_server_fails_or_limits() {
        for (status, body, code) in [
            (400, r#"{"error": "invalid_grant"}"#, Some("invalid_grant")),
            (200, r#"{"error": "slow_down"}"#, Some("slow_down")),
            (
                401,
                r#"{"error": "invalid_client"}"#,
                Some("invalid_client"),
            ),
            (500, r#"{"error": "invalid_grant"}"#, None),
            (429, r#"{"error": "We had to rate limit you"}"#, None),
            (400, "<html>", None),
            (404, "Not Found", None),
            (200, "{}", None),
        ] {
            assert_eq!(failure(status, body).code(), code, "{status} {body}");
        }
        let limited = failure(429, "{}").into_error("the login", "Try again");
        assert!(matches!(
            limited,
            Error::Unknown {
                kind: UnknownKind::RateLimited { .. },
                ..
            }
        ));
    }

    #[test]
    fn a_refusal_says_what_to_do_and_repeats_no_secret() {
        let body = format!(
            r#"{{"error": "{SECRET}\u001b", "error_description": "no {SECRET} hf_{}."}}"#,
            "Ab1".repeat(12)
        );
        let error = failure(400, &body).into_error("the login", "Log in again");
        let Error::Login { code, .. } = &error else {
            unreachable!("{error}");
        };
        assert_eq!(code.as_deref(), Some("…\u{fffd}"));
        assert_eq!(
            error.to_string(),
            "the login was refused: `…\u{fffd}`, no … hf_…. Log in again (request ID: id-1)"
        );
        let page = failure(502, &format!("<p>{SECRET}</p>")).into_error("the login", "");
        assert_eq!(
            page.to_string(),
            "the login did not succeed: the Hub answered with status 502 \
             (https://huggingface.co) (request ID: id-1)"
        );
    }
}
