//! What is written down, and read back without being trusted.
//!
//! Processes share no clock but the wall clock, so it is trusted only as far as necessary. A
//! record from the future counts as absent. A rate limit counts from the time it was reported to
//! its end, an hour at most, so that setting the clock cannot lock anyone out.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Moment;
use crate::identity::failure::Failure;
use crate::identity::freshness::Repeated;
use crate::known_end::KnownEnd;
use crate::printable::{holds_secret, printable};

/// The version of what is written; anything else is passed over.
const VERSION: u32 = 1;
/// How much of a failure's text is read back, in characters.
const MAXIMUM_TEXT: usize = 500;

/// One content of a shared cache. Which fields there are depends on what it tells.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    endpoint: String,
    digest: String,
    /// When the Hub was asked, in Unix milliseconds.
    pub(super) asked_at: u64,
    /// The end of a rate limit, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<u64>,
    /// The body of the Hub's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Value>,
    /// The token's end, in Unix milliseconds, where it is known from elsewhere than the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ends_at: Option<u64>,
    /// Why a question was in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<FailureRecord>,
    /// How often a rejection was repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repeated: Option<RepeatedRecord>,
    /// How often each question was answered with *no*, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) denials: Vec<DenialRecord>,
}

/// A *no* and how often it was given.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct RepeatedRecord {
    /// When the Hub has confirmed it, in Unix milliseconds.
    confirmed_at: u64,
    times: u32,
}

/// One question that was answered with *no*.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct DenialRecord {
    /// The question's digest, in hexadecimal.
    pub(super) question: String,
    #[serde(flatten)]
    pub(super) repeated: RepeatedRecord,
}

/// A question that was asked in vain.
#[derive(Serialize, Deserialize)]
pub(super) struct FailureRecord {
    /// The number of the claim under which it was asked.
    pub(super) claim: u64,
    /// How long it was given, in milliseconds, if it failed because that was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gave_up_after: Option<u64>,
    /// The digest of the way by which it was asked.
    pub(super) way: String,
    /// The sort of failure.
    kind: FailureKind,
    /// What happened, in words.
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FailureKind {
    RateLimited,
    Unreachable,
    Strange,
}

impl Record {
    /// The beginning of a record about a token at a Hub.
    pub(super) fn new(endpoint: &str, digest: &str, asked: Moment) -> Self {
        Self {
            version: VERSION,
            endpoint: endpoint.to_owned(),
            digest: digest.to_owned(),
            asked_at: asked.milliseconds(),
            ..Self::default()
        }
    }

    /// Reads a record and when the Hub was asked, if it is whole, of this version, about this
    /// token at this Hub, and not from the future.
    pub(super) fn read(
        content: &[u8],
        endpoint: &str,
        digest: &str,
        now: Moment,
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

    /// The end of the token besides the one in the body.
    pub(super) fn end(&self) -> KnownEnd {
        self.ends_at
            .map(KnownEnd::at_unix_milliseconds)
            .unwrap_or_default()
    }
}

impl RepeatedRecord {
    pub(super) fn of(repeated: Repeated, now: Moment) -> Self {
        Self {
            confirmed_at: now.milliseconds_at(repeated.confirmed),
            times: repeated.times,
        }
    }

    /// `None` for one from the future.
    pub(super) fn read(self, now: Moment) -> Option<Repeated> {
        Some(Repeated {
            confirmed: now.past(self.confirmed_at)?,
            times: self.times,
        })
    }
}

impl FailureRecord {
    /// What others are told of a failure; `None` when it is the asker's own affair, or told
    /// otherwise, or its words hold what looks like a token.
    pub(super) fn of(
        claim: u64,
        failure: &Failure,
        gave_up_after: Option<Duration>,
        way: &str,
    ) -> Option<Self> {
        let (kind, text) = match failure {
            Failure::RateLimited { .. } => (FailureKind::RateLimited, ""),
            Failure::Unreachable(text) => (FailureKind::Unreachable, text.as_str()),
            Failure::Strange(text) => (FailureKind::Strange, text.as_str()),
            Failure::Rejected
            | Failure::Offline
            | Failure::Setup(_)
            | Failure::Interrupted
            | Failure::RejectedBefore { .. } => return None,
        };
        (!holds_secret(text)).then(|| Self {
            claim,
            gave_up_after: gave_up_after
                .map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
            way: way.to_owned(),
            kind,
            text: text.to_owned(),
        })
    }

    /// Whether it counts whatever the way is.
    pub(super) fn is_the_hubs(&self) -> bool {
        matches!(self.kind, FailureKind::RateLimited)
    }

    pub(super) fn into_failure(self) -> Failure {
        let start: String = self.text.chars().take(MAXIMUM_TEXT).collect();
        let text = printable(&start);
        match self.kind {
            FailureKind::RateLimited => Failure::RateLimited { retry_after: None },
            FailureKind::Unreachable => Failure::Unreachable(text),
            FailureKind::Strange => Failure::Strange(text),
        }
    }
}
