//! Why the Hub did not answer a question, and how that is told.
//!
//! A failure is shared by everybody who waited for the same flight, and they may have got the
//! same token from different places; the message is made for each of them, with their source.

use std::time::Duration;

use serde_json::Value;

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::{Error, UnknownKind};
use crate::http::{Answer, NoAnswer};
use crate::printable::printable;

/// Why there is no answer to the question.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The Hub does not know the token. The only failure that says something about it.
    Rejected,
    /// Too many requests.
    RateLimited {
        /// Seconds to wait, when the Hub said so.
        retry_after: Option<u64>,
    },
    /// Nobody answered.
    Unreachable(String),
    /// The environment forbids requests.
    Offline,
    /// Somebody answered, but not as a Hub does.
    Strange(String),
    /// The request could not be made.
    Setup(Error),
    /// The caller was interrupted.
    Interrupted,
    /// The Hub did not know the token a while ago, and whether that is still so could not be
    /// learned.
    RejectedBefore {
        /// How long ago.
        ago: Duration,
        /// Why it could not be learned.
        why: Box<Failure>,
    },
}

impl From<NoAnswer> for Failure {
    fn from(reason: NoAnswer) -> Self {
        match reason {
            NoAnswer::Unreachable(text) => Self::Unreachable(text),
            NoAnswer::Strange(text) => Self::Strange(text),
        }
    }
}

impl Failure {
    /// What an answer other than success amounts to, as far as every question shares it.
    ///
    /// A 401 is not among it: whoami alone says that the Hub does not know a token.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        match answer.status {
            429 => Self::RateLimited {
                retry_after: retry_after(answer),
            },
            500.. => Self::Unreachable(format!("the Hub answered with status {}", answer.status)),
            404 => Self::Strange(
                "it answered with status 404, as if it were no Hub. Look at the endpoint"
                    .to_owned(),
            ),
            status => Self::Strange(match message(answer) {
                Some(text) => format!("it answered with status {status}: {text}"),
                None => format!("it answered with status {status}"),
            }),
        }
    }

    /// Whether who takes another way to the Hub may fare better.
    #[must_use]
    pub fn is_of_the_way(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Strange(_) | Self::Setup(_)
        )
    }

    /// Whether a stale identity may stand in.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        !matches!(self, Self::Rejected | Self::Setup(_) | Self::Interrupted)
    }

    /// The failure in a few words, to follow "because".
    #[must_use]
    pub fn reason(&self, endpoint: &Endpoint) -> String {
        match self {
            Self::Rejected => format!("{endpoint} does not know it"),
            Self::RateLimited { retry_after } => match retry_after {
                Some(seconds) => {
                    format!("{endpoint} limits the rate (try again in {seconds} seconds)")
                }
                None => format!("{endpoint} limits the rate"),
            },
            Self::Unreachable(text) => format!("{text} ({endpoint})"),
            Self::Offline => "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids requests".to_owned(),
            Self::Strange(text) => format!("{endpoint} gave no sensible answer: {text}"),
            Self::Setup(error) => error.to_string(),
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
        let kind = match self {
            Self::Setup(error) => return error,
            Self::Interrupted => return Error::Interrupted,
            Self::RejectedBefore { ago, why } => {
                return why.into_error(credential).instead(|| {
                    format!(
                        "whether {endpoint} knows the token {subject} by now is not known: \
                         {reason}. Its last answer, {} ago, was that it does not know it",
                        age(ago)
                    )
                });
            }
            Self::Rejected => {
                return Error::InvalidToken {
                    message: format!(
                        "{endpoint} does not know the token {subject}: it was deleted, refreshed, \
                         has expired, or is another Hub's. Make one at {}, then {mend}",
                        endpoint.url("/settings/tokens"),
                        mend = credential.source.mend()
                    ),
                    source_name: credential.source.to_string(),
                };
            }
            Self::RateLimited { retry_after } => UnknownKind::RateLimited { retry_after },
            Self::Unreachable(_) => UnknownKind::Unreachable,
            Self::Offline => UnknownKind::Offline,
            Self::Strange(_) => UnknownKind::Other,
        };
        Error::Unknown {
            message: format!(
                "nothing is known about the token {subject}: {reason}. The token may well be good"
            ),
            kind,
        }
    }
}

/// How long to wait after a 429, as the Hub's own client reads it: the `RateLimit` header when
/// nothing remains, else `Retry-After`. Of several limits, the one that lasts longest.
fn retry_after(answer: &Answer) -> Option<u64> {
    let limits = answer
        .headers
        .get_all("ratelimit")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    let spent = limits.filter_map(|limit| {
        let field = |name: &str| {
            limit
                .split(';')
                .find_map(|part| part.trim().strip_prefix(name)?.parse::<u64>().ok())
        };
        (field("r=") == Some(0)).then(|| field("t="))?
    });
    spent
        .max()
        .or_else(|| answer.header("retry-after")?.trim().parse().ok())
}

/// The Hub's own words, at most a line of them.
#[must_use]
pub fn message(answer: &Answer) -> Option<String> {
    let text = answer
        .header("x-error-message")
        .map(str::to_owned)
        .or_else(|| {
            let body: Value = serde_json::from_slice(&answer.body).ok()?;
            Some(body.get("error")?.as_str()?.to_owned())
        })?;
    let start: String = text.chars().take(500).collect();
    Some(printable(start.trim())).filter(|line| !line.is_empty())
}

/// An age in the largest unit that fits.
#[must_use]
pub fn age(duration: Duration) -> String {
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

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        Answer {
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
            assert!(Failure::of(&answer(status, &[])).says_nothing(), "{status}");
        }
    }
}
