//! What processes tell each other about tokens, so that all of them ask the Hub once.
//!
//! 64 ranks of a training job start at the same moment with the same token. Threads meet in a
//! [flight](crate::single_flight); processes meet in a place where all of them look, and who asks
//! holds a claim meanwhile, as [`turn`] tells. What that place must do is written in [`SharedCache`].
//!
//! Five things are worth telling: an identity, a rejection (so that 64 processes with a dead
//! token do not ask one after the other), until when the Hub wants no more questions, to those
//! who waited for a question, that it failed, and how often a question was answered with *no*, so
//! that a loop of new processes is as patient as one process. None of them holds the token. What is read is not
//! trusted: it must be whole, of this version, about this token at this Hub, and not from the
//! future. The clock here is the wall's, since processes have no other in common, and it may be
//! set at any time: what lies in the future is treated as absent, and a rate limit never lasts
//! longer than an hour. No failure of the place is told to anybody: a cache that does not work is
//! no cache.
//!
//! The shared cache judges nothing and never fails. This module decides what a record means
//! (version, endpoint, whole digest, age, and a body that contains nothing like a token); the
//! backend stores bytes and leases. Process memory is consulted first, so a warm call touches no
//! disk.

mod cache;
mod denials;
mod glance;
mod moment;
mod record;
pub mod turn;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::failure::Failure;
use super::freshness::Repeated;
use super::model::Identity;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::known_end::KnownEnd;
use crate::printable::holds_secret;
use crate::token::Digest;
pub use cache::{Claim, Kind, Lease, LimitScope, MAXIMUM_SIZE, Mark, Place, SharedCache};
pub use moment::Moment;
use record::{FailureRecord, Record, RepeatedRecord};
pub use turn::{Lead, Pace, Turn};

/// How long a rate limit is believed at most.
pub const MAXIMUM_LIMIT: Duration = Duration::from_hours(1);

/// One token at one Hub, in a shared cache.
#[derive(Clone)]
pub struct Shared {
    cache: Arc<dyn SharedCache>,
    place: Place,
    endpoint: Endpoint,
    digest: String,
    /// The digest of the way to the Hub; empty when it is not said.
    way: String,
}

impl Shared {
    /// A token's part of a cache.
    #[must_use]
    pub fn new(cache: Arc<dyn SharedCache>, digest: &Digest, endpoint: &Endpoint) -> Self {
        Self {
            cache,
            place: Place {
                token: Place::of_token(digest),
                hub: Place::of_hub(endpoint),
            },
            endpoint: endpoint.clone(),
            digest: digest.hex(),
            way: String::new(),
        }
    }

    /// The same, for those who ask by one way: what fails on another is none of their affair.
    #[must_use]
    pub fn by(self, way: String) -> Self {
        Self { way, ..self }
    }

    /// Who the token belongs to, when that was asked, and the end that is known of the token
    /// besides the identity's own.
    #[must_use]
    pub fn identity(&self, now: Moment) -> Option<(Instant, Identity, KnownEnd)> {
        let (asked, record) = self.read(Kind::Identity, now)?;
        let end = record.end();
        let body = serde_json::to_vec(&record.identity?).ok()?;
        Some((asked, Identity::parse(&body, &self.endpoint).ok()?, end))
    }

    /// When the Hub was asked last and did not know the token, and how often that repeated.
    #[must_use]
    pub fn rejection(&self, now: Moment) -> Option<(Instant, Repeated)> {
        let (asked, record) = self.read(Kind::Rejection, now)?;
        let repeated = record.repeated.and_then(|repeated| repeated.read(now));
        Some((
            asked,
            repeated.unwrap_or(Repeated {
                confirmed: asked,
                times: 0,
            }),
        ))
    }

    /// For how long the Hub still wants to be left alone.
    #[must_use]
    pub fn limit(&self, scope: LimitScope, now: Moment) -> Option<Duration> {
        let (_, record) = self.read(scope.kind(), now)?;
        let left = Duration::from_millis(record.until?).checked_sub(now.wall)?;
        let longest = Duration::from_millis(record.until?.checked_sub(record.asked_at)?);
        (!left.is_zero() && longest <= MAXIMUM_LIMIT).then_some(left)
    }

    /// Why the question failed that was asked under one of some claims by this way, if it was asked
    /// at `not_before` or later and was given at least `patience`, or failed sooner.
    #[must_use]
    pub fn failure(
        &self,
        now: Moment,
        claims: &[u64],
        not_before: Option<Instant>,
        patience: Duration,
    ) -> Option<Failure> {
        if claims.is_empty() {
            return None;
        }
        let (asked, record) = self.read(Kind::Failure, now)?;
        let failure = record.failure?;
        let patient = failure
            .gave_up_after
            .is_none_or(|length| Duration::from_millis(length) >= patience);
        (patient
            && (failure.is_the_hubs() || failure.way == self.way)
            && claims.contains(&failure.claim)
            && not_before.is_none_or(|limit| asked >= limit))
        .then(|| failure.into_failure())
    }

    /// Keeps the Hub's answer, unless it holds the token or what looks like one.
    pub fn keep_identity(&self, asked: Moment, body: &[u8], credential: &Credential) {
        for kind in [Kind::Limit, Kind::Rejection, Kind::Failure] {
            self.cache.remove(&self.place, kind);
        }
        let Ok(identity) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        // Written anew, so that no escape hides a part of it.
        let text = identity.to_string();
        if !holds_secret(&text) && !text.contains(credential.token.expose()) {
            let mut record = self.record(asked);
            record.identity = Some(identity);
            record.ends_at = credential.expires_at.unix_milliseconds();
            self.write(Kind::Identity, &record);
        }
    }

    /// Drops what is known of the token.
    pub fn drop_identity(&self) {
        self.cache.remove(&self.place, Kind::Identity);
    }

    /// Keeps that the token is dead, and how often that repeated.
    pub fn keep_rejection(&self, asked: Moment, repeated: Repeated) {
        let mut record = self.record(asked);
        record.repeated = Some(RepeatedRecord::of(repeated, asked));
        self.write(Kind::Rejection, &record);
    }

    /// Keeps that the Hub wants to be left alone from now on; for an hour at most.
    pub fn keep_limit(&self, scope: LimitScope, now: Moment, length: Duration) {
        let length = length.min(MAXIMUM_LIMIT);
        let mut record = self.record(now);
        record.until = Some(now.milliseconds().saturating_add(
            // At most an hour's.
            u64::try_from(length.as_millis()).unwrap_or_default(),
        ));
        self.write(scope.kind(), &record);
    }

    /// Tells those who waited for a claim that its question failed. `gave_up_after` is how long
    /// it was given, if that was over.
    pub fn keep_failure(
        &self,
        asked: Moment,
        claim: u64,
        failure: &Failure,
        gave_up_after: Option<Duration>,
        credential: &Credential,
    ) {
        let Some(told) = FailureRecord::of(claim, failure, gave_up_after, &self.way) else {
            return;
        };
        // The Hub's own words may be among it. Half a token is enough to keep them back.
        let value = credential.token.expose();
        let half = value.get(value.len() / 2..).unwrap_or(value);
        let mut record = self.record(asked);
        record.failure = Some(told);
        let holds_token = record
            .to_bytes()
            .is_some_and(|content| String::from_utf8_lossy(&content).contains(half));
        if !holds_token {
            self.write(Kind::Failure, &record);
        }
    }

    fn record(&self, asked: Moment) -> Record {
        Record::new(self.endpoint.as_str(), &self.digest, asked)
    }

    fn read(&self, kind: Kind, now: Moment) -> Option<(Instant, Record)> {
        let content = self.cache.get(&self.place, kind)?;
        Record::read(&content, self.endpoint.as_str(), &self.digest, now)
    }

    fn write(&self, kind: Kind, record: &Record) {
        if let Some(content) = record.to_bytes()
            && content.len() as u64 <= MAXIMUM_SIZE
        {
            self.cache.put(&self.place, kind, &content);
        }
    }
}

#[cfg(test)]
mod tests;
