//! The format of shared records, which are not trusted when read back.
//!
//! The wall clock is the only one that processes share, so it is trusted only as far as necessary.
//! A record from the future counts as absent. A rate limit counts from the time it was reported to
//! its end, an hour at most, so that setting the clock cannot lock anyone out.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::error::ResponseDetails;
use crate::expiry::Expiry;
use crate::http::response_details::from_record;
use crate::identity::failure::{Failure, Reason};
use crate::identity::freshness::Repeated;
use crate::sanitize::{contains_secret, redacted};

/// The version of the format. Other versions are ignored.
const VERSION: u32 = 1;
/// How many characters of a failure's text are read back.
const MAXIMUM_TEXT: usize = 500;

/// A record in a shared cache. Its kind determines which fields are set.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    endpoint: String,
    digest: String,
    /// When the request was sent, in Unix milliseconds.
    pub(super) asked_at: u64,
    /// The end of a rate limit, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<u64>,
    /// The body of the Hub's response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Value>,
    /// The token's end, in Unix milliseconds, if known from a source other than the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ends_at: Option<u64>,
    /// Why a request failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<FailureRecord>,
    /// How often a rejection was repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repeated: Option<RepeatedRecord>,
    /// What the answer says about itself that rejected the token, set the limit, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<ResponseRecord>,
    /// How often each requirement was denied, the most recent last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) denials: Vec<DenialRecord>,
}

/// What an answer says about itself. Already without secrets, and read with care all the same.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ResponseRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_message: Option<String>,
}

/// A denial, and how often it was repeated.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct RepeatedRecord {
    /// When the Hub confirmed it, in Unix milliseconds.
    confirmed_at: u64,
    times: u32,
}

/// A denied requirement.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct DenialRecord {
    /// The requirement's digest, in hexadecimal.
    pub(super) request: String,
    #[serde(flatten)]
    pub(super) repeated: RepeatedRecord,
}

/// A failed request.
#[derive(Serialize, Deserialize)]
pub(super) struct FailureRecord {
    /// The ID of the lease under which it was sent.
    pub(super) lease_id: u64,
    /// Its time-out in milliseconds, if that was the reason for the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<u64>,
    /// The digest of the route over which it was sent.
    pub(super) route: String,
    /// The kind of failure.
    kind: FailureKind,
    /// A description.
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FailureKind {
    RateLimited,
    Unreachable,
    UnexpectedResponse,
}

impl Record {
    /// A new record about a token at a Hub.
    pub(super) fn new(endpoint: &str, digest: &str, asked: Timestamp) -> Self {
        Self {
            version: VERSION,
            endpoint: endpoint.to_owned(),
            digest: digest.to_owned(),
            asked_at: asked.milliseconds(),
            ..Self::default()
        }
    }

    /// Reads a record and the time of its request, if it is complete, of this version, about this
    /// token at this Hub, and not from the future.
    pub(super) fn read(
        content: &[u8],
        endpoint: &str,
        digest: &str,
        now: Timestamp,
    ) -> Option<(Instant, Self)> {
        let record: Self = serde_json::from_slice(content).ok()?;
        let same =
            record.version == VERSION && record.endpoint == endpoint && record.digest == digest;
        let asked = now.past(record.asked_at)?;
        same.then_some((asked, record))
    }

    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// What the answer says about itself.
    pub(super) fn response(&self) -> ResponseDetails {
        self.response
            .as_ref()
            .map_or_else(ResponseDetails::default, |known| {
                from_record(known.request_id.as_deref(), known.server_message.as_deref())
            })
    }

    /// The token's end as known from sources other than the body.
    pub(super) fn end(&self) -> Expiry {
        self.ends_at
            .map(Expiry::at_unix_milliseconds)
            .unwrap_or_default()
    }
}

impl ResponseRecord {
    /// `None` for an answer that says nothing about itself.
    pub(super) fn of(response: &ResponseDetails) -> Option<Self> {
        let record = Self {
            request_id: response.request_id().map(str::to_owned),
            server_message: response.server_message().map(str::to_owned),
        };
        (*response != ResponseDetails::default()).then_some(record)
    }
}

impl RepeatedRecord {
    pub(super) fn of(repeated: Repeated, now: Timestamp) -> Self {
        Self {
            confirmed_at: now.milliseconds_at(repeated.confirmed),
            times: repeated.times,
        }
    }

    /// `None` for a time in the future.
    pub(super) fn read(self, now: Timestamp) -> Option<Repeated> {
        Some(Repeated {
            confirmed: now.past(self.confirmed_at)?,
            times: self.times,
        })
    }
}

impl FailureRecord {
    /// The record that other processes receive; `None` if the failure concerns only this caller, is
    /// shared in another way, or has a text that contains what looks like a token.
    pub(super) fn of(lease_id: u64, failure: &Failure, route: &str) -> Option<Self> {
        let mut timeout = None;
        let (kind, text) = match failure {
            Failure::RateLimited { .. } => (FailureKind::RateLimited, ""),
            Failure::Unreachable(reason) => (FailureKind::Unreachable, reason.text.as_str()),
            Failure::TimedOut { after, text } => {
                timeout = Some(*after);
                (FailureKind::Unreachable, text.as_str())
            }
            Failure::UnexpectedResponse(reason) => {
                (FailureKind::UnexpectedResponse, reason.text.as_str())
            }
            Failure::Rejected(_)
            | Failure::Offline
            | Failure::Configuration(_)
            | Failure::Interrupted
            | Failure::RejectedBefore { .. } => return None,
        };
        (!contains_secret(text)).then(|| Self {
            lease_id,
            timeout: timeout.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
            route: route.to_owned(),
            kind,
            text: text.to_owned(),
        })
    }

    /// Whether the failure is independent of the route.
    pub(super) fn is_route_independent(&self) -> bool {
        matches!(self.kind, FailureKind::RateLimited)
    }

    pub(super) fn into_failure(self, response: ResponseDetails) -> Failure {
        let start: String = self.text.chars().take(MAXIMUM_TEXT).collect();
        let text = redacted(&start);
        match self.kind {
            FailureKind::RateLimited => Failure::RateLimited {
                retry_after: None,
                response,
            },
            FailureKind::Unreachable => match self.timeout {
                Some(after) => Failure::TimedOut {
                    after: Duration::from_millis(after),
                    text,
                },
                None => Failure::Unreachable(Reason { text, response }),
            },
            FailureKind::UnexpectedResponse => {
                Failure::UnexpectedResponse(Reason { text, response })
            }
        }
    }
}
