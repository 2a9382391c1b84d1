//! Why the Hub did not answer a request, and how that is reported.
//!
//! All callers that wait for the same request share its failure, and they may have found the same
//! token in different sources. The message is therefore made for each caller, with its own source.

use std::time::Duration;

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::{Error, ResponseDetails, UnknownKind};
use crate::http::response_details::{details, retry_after};
use crate::http::{Response, TransportError};
use crate::token::Token;

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The Hub does not recognize the token. The only failure that says something about the token.
    Rejected(ResponseDetails),
    /// Too many requests.
    RateLimited {
        /// The number of seconds to wait, if the Hub said so.
        retry_after: Option<u64>,
        /// The answer that said so.
        response: ResponseDetails,
    },
    /// The Hub could not be reached.
    Unreachable(Reason),
    /// The caller's time was over. Another caller may have had more.
    TimedOut {
        /// The time-out.
        after: Duration,
        /// What was waited for.
        text: String,
    },
    /// The environment disables requests.
    Offline,
    /// A response that a Hub does not send.
    UnexpectedResponse(Reason),
    /// The request could not be created.
    Configuration(Error),
    /// The caller was interrupted.
    Interrupted,
    /// The Hub rejected the token earlier, and whether it still does could not be confirmed.
    RejectedBefore {
        /// How long ago the rejection was.
        ago: Duration,
        /// Why it could not be confirmed.
        why: Box<Failure>,
    },
}

/// Why, in words, and the answer that says so, if there is one.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The words.
    pub text: String,
    /// The answer.
    pub response: ResponseDetails,
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self {
            text,
            response: ResponseDetails::default(),
        }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Failure {
    /// Why a request that carried a token has no usable response.
    #[must_use]
    pub fn of_transport(error: TransportError, token: &Token) -> Self {
        match error {
            TransportError::Unconnected(text) | TransportError::Unreachable(text) => {
                Self::Unreachable(text.into())
            }
            TransportError::TimedOut { after, text } => Self::TimedOut { after, text },
            TransportError::Unsendable(text) => Self::UnexpectedResponse(text.into()),
            TransportError::Unusable {
                text,
                is_incomplete,
                head,
            } => {
                let response = details(&head, token);
                let reason = Reason { text, response };
                if is_incomplete {
                    Self::Unreachable(reason)
                } else {
                    Self::UnexpectedResponse(reason)
                }
            }
        }
    }

    /// Classifies an unsuccessful response, in the way that is the same for every kind of request.
    ///
    /// A 401 is not classified as a rejection: only whoami can report that the Hub does not
    /// recognize the token.
    #[must_use]
    pub fn of(answer: &Response, response: ResponseDetails) -> Self {
        let because = |text: String| Reason {
            text,
            response: response.clone(),
        };
        match answer.status {
            429 => Self::RateLimited {
                retry_after: retry_after(answer),
                response,
            },
            500.. => Self::Unreachable(because(format!(
                "the Hub answered with status {}",
                answer.status
            ))),
            404 => Self::UnexpectedResponse(because(
                "it answered with status 404, so it may not be a Hub. Check the endpoint"
                    .to_owned(),
            )),
            status => Self::UnexpectedResponse(because(match response.server_message() {
                Some(text) => format!("it answered with status {status}: {text}"),
                None => format!("it answered with status {status}"),
            })),
        }
    }

    /// The answer that caused it; empty if none did.
    #[must_use]
    pub fn response(&self) -> ResponseDetails {
        match self {
            Self::Rejected(response) | Self::RateLimited { response, .. } => response.clone(),
            Self::Unreachable(reason) | Self::UnexpectedResponse(reason) => reason.response.clone(),
            Self::TimedOut { .. } | Self::Offline | Self::Configuration(_) | Self::Interrupted => {
                ResponseDetails::default()
            }
            Self::RejectedBefore { why, .. } => why.response(),
        }
    }

    /// How long the Hub wants no more requests, if it said so.
    #[must_use]
    pub fn rate_limit(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => retry_after.map(Duration::from_secs),
            _ => None,
        }
    }

    /// Whether another route to the Hub might succeed.
    #[must_use]
    pub fn depends_on_route(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::TimedOut { .. }
                | Self::UnexpectedResponse(_)
                | Self::Configuration(_)
        )
    }

    /// Whether a caller that would wait for `timeout` learns anything from it: a request that
    /// ended at a shorter time-out might have been answered later.
    #[must_use]
    pub fn holds_for(&self, timeout: Duration) -> bool {
        match self {
            Self::TimedOut { after, .. } => *after >= timeout,
            _ => true,
        }
    }

    /// Whether a stale identity may stand in.
    #[must_use]
    pub fn is_inconclusive(&self) -> bool {
        !matches!(
            self,
            Self::Rejected(_) | Self::Configuration(_) | Self::Interrupted
        )
    }

    /// The failure in a few words, to follow "because".
    #[must_use]
    pub fn reason(&self, endpoint: &Endpoint) -> String {
        match self {
            Self::Rejected(_) => format!("{endpoint} does not recognize it"),
            Self::RateLimited { retry_after, .. } => match retry_after {
                Some(seconds) => {
                    format!("{endpoint} limits the request rate (try again in {seconds} seconds)")
                }
                None => format!("{endpoint} limits the request rate"),
            },
            Self::Unreachable(Reason { text, .. }) | Self::TimedOut { text, .. } => {
                format!("{text} ({endpoint})")
            }
            Self::Offline => "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set".to_owned(),
            Self::UnexpectedResponse(reason) => {
                format!("{endpoint} did not answer as a Hub does: {}", reason.text)
            }
            Self::Configuration(error) => error.to_string(),
            Self::Interrupted => "it was interrupted".to_owned(),
            Self::RejectedBefore { why, .. } => why.reason(endpoint),
        }
    }

    /// The error for one caller.
    #[must_use]
    pub fn into_error(self, credential: &Credential) -> Error {
        let endpoint = &credential.endpoint;
        let reason = self.reason(endpoint);
        let subject = credential.describe();
        let response = self.response();
        let kind = match self {
            Self::Configuration(error) => return error,
            Self::Interrupted => return Error::Interrupted,
            Self::RejectedBefore { ago, why } => {
                return why.into_error(credential).instead(|_| {
                    format!(
                        "{endpoint} rejected the token {subject} {} ago, and whether it still does \
                         could not be checked: {reason}",
                        format_duration(ago)
                    )
                });
            }
            Self::Rejected(_) => {
                return Error::InvalidToken {
                    response,
                    message: format!(
                        "{endpoint} does not recognize the token {subject}: it was deleted or \
                         refreshed, has expired, or belongs to another Hub. Create one at {}, then \
                         {fix}",
                        endpoint.url("/settings/tokens"),
                        fix = credential.source.fix_hint()
                    ),
                    source_name: credential.source.to_string(),
                };
            }
            Self::RateLimited { retry_after, .. } => UnknownKind::RateLimited { retry_after },
            Self::Unreachable(_) | Self::TimedOut { .. } => UnknownKind::Unreachable,
            Self::Offline => UnknownKind::Offline,
            Self::UnexpectedResponse(_) => UnknownKind::Other,
        };
        Error::Unknown {
            response,
            message: format!(
                "the token {subject} could not be checked: {reason}. It may still be valid"
            ),
            kind,
        }
    }
}

/// A duration in the largest unit that fits.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7199 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        Response {
            status,
            headers: map,
            body: Vec::new(),
        }
    }

    #[test]
    fn waiting_times_are_read_as_the_hub_client_reads_them() {
        for (headers, expected) in [
            (
                &[("ratelimit", "\"api\";r=0;t=123"), ("retry-after", "5")][..],
                Some(123),
            ),
            (
                &[("ratelimit", "\"api\";r=4;t=123"), ("retry-after", "5")],
                Some(5),
            ),
            (
                &[("ratelimit", "\"api\";r=9;t=300, \"whoami\";r=0;t=60")],
                Some(60),
            ),
            (
                &[
                    ("ratelimit", "\"api\";r=0;t=300"),
                    ("ratelimit", "\"whoami\";r=0;t=60"),
                ],
                Some(300),
            ),
            (&[("ratelimit", "nonsense")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ] {
            assert_eq!(retry_after(&answer(429, headers)), expected, "{headers:?}");
        }
    }

    #[test]
    fn no_status_by_itself_says_something_about_the_token() {
        for status in [400, 401, 403, 404, 418, 429, 500, 503] {
            assert!(
                Failure::of(&answer(status, &[]), ResponseDetails::default()).is_inconclusive(),
                "{status}"
            );
        }
    }
}
