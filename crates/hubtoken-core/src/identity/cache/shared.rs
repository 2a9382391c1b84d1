//! Shares answers between processes, so that all of them together send one request.
//!
//! The 64 ranks of a training job start at the same time with the same token. Threads share a
//! [request in flight](crate::single_flight); processes share a cache, and the one that sends the
//! request holds a lease meanwhile, as described in [`turn`]. [`SharedCache`] defines what the
//! backend must do.
//!
//! Five things are shared: an identity; a rejection, so that 64 processes with a dead token do not
//! send one request after the other; the end of a rate limit; a failed request, for those that
//! waited for it; and how often a requirement was denied, so that a loop of new processes backs off
//! as one process does. None of them contains the token. What is read is not trusted: it must be
//! complete, of this version, about this token at this Hub, and not from the future. Ages use the
//! wall clock, the only one that processes have in common, and it may be set at any time: a record
//! from the future counts as absent, and a rate limit never lasts longer than an hour. Backend
//! errors are not reported: a cache that does not work acts as an empty one.
//!
//! The shared cache interprets nothing and never fails. This module decides what a record means
//! (version, endpoint, full digest, age, and a body that contains nothing like a token); the
//! backend stores bytes and leases. Process memory is consulted first, so a warm call touches no
//! disk.

mod backend;
mod denials;
pub mod leader;
mod lease_poll;
mod record;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::ResponseDetails;
use crate::expiry::Expiry;
use crate::identity::failure::Failure;
use crate::identity::freshness::{Rejection, Repeated};
use crate::identity::model::Identity;
use crate::sanitize::contains_secret;
use crate::token::Digest;
pub use backend::{
    CacheKey, Heartbeat, Lease, LimitScope, MAXIMUM_SIZE, RecordKind, SharedCache, TryLease,
};
pub use leader::{Election, Leadership, LeaseTiming};
use record::{FailureRecord, Record, RepeatedRecord, ResponseRecord};

/// How long a rate limit is trusted at most.
pub const MAXIMUM_LIMIT: Duration = Duration::from_hours(1);

/// The Hub's rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How long it still lasts.
    pub left: Duration,
    /// What the answer that set it says about itself.
    pub response: ResponseDetails,
}

/// The entry of one token at one Hub in a shared cache.
#[derive(Clone)]
pub struct SharedEntry {
    cache: Arc<dyn SharedCache>,
    key: CacheKey,
    endpoint: Endpoint,
    digest: String,
    /// The digest of the route to the Hub; empty if unspecified.
    route: String,
}

impl SharedEntry {
    /// A token's entry in a cache.
    #[must_use]
    pub fn new(cache: Arc<dyn SharedCache>, digest: &Digest, endpoint: &Endpoint) -> Self {
        Self {
            cache,
            key: CacheKey {
                token: CacheKey::of_token(digest),
                hub: CacheKey::of_hub(endpoint),
            },
            endpoint: endpoint.clone(),
            digest: digest.hex(),
            route: String::new(),
        }
    }

    /// The same entry for processes that use one route. Failures on other routes do not concern
    /// them.
    #[must_use]
    pub fn with_route(self, route: String) -> Self {
        Self { route, ..self }
    }

    /// Returns the token's identity, when it was requested, and the token's end as known from
    /// sources other than the identity.
    #[must_use]
    pub fn identity(&self, now: Timestamp) -> Option<(Instant, Identity, Expiry)> {
        let (asked, record) = self.read(RecordKind::Identity, now)?;
        let end = record.end();
        let body = serde_json::to_vec(&record.identity?).ok()?;
        Some((asked, Identity::parse(&body, &self.endpoint).ok()?, end))
    }

    /// The Hub's last rejection of the token.
    #[must_use]
    pub fn rejection(&self, now: Timestamp) -> Option<Rejection> {
        let (asked, record) = self.read(RecordKind::Rejection, now)?;
        let response = record.response();
        let repeated = record.repeated.and_then(|repeated| repeated.read(now));
        Some(Rejection {
            asked,
            repeated: repeated.unwrap_or(Repeated {
                confirmed: asked,
                times: 0,
            }),
            response,
        })
    }

    /// The Hub's rate limit, if it still lasts.
    #[must_use]
    pub fn limit(&self, scope: LimitScope, now: Timestamp) -> Option<RateLimit> {
        let (_, record) = self.read(scope.kind(), now)?;
        let left = Duration::from_millis(record.until?).checked_sub(now.wall)?;
        let longest = Duration::from_millis(record.until?.checked_sub(record.asked_at)?);
        (!left.is_zero() && longest <= MAXIMUM_LIMIT).then(|| RateLimit {
            left,
            response: record.response(),
        })
    }

    /// Why a request failed that was sent under one of the leases `lease_ids` and over this route.
    /// It must have been sent at `not_before` or later. That it ended at its own time-out counts
    /// only for a caller that `accepts_time_outs`, because it has no time left to send another one.
    #[must_use]
    pub fn failure(
        &self,
        now: Timestamp,
        lease_ids: &[u64],
        not_before: Option<Instant>,
        accepts_time_outs: bool,
    ) -> Option<Failure> {
        if lease_ids.is_empty() {
            return None;
        }
        let (asked, record) = self.read(RecordKind::Failure, now)?;
        let response = record.response();
        let failure = record.failure?;
        ((failure.timeout.is_none() || accepts_time_outs)
            && (failure.is_route_independent() || failure.route == self.route)
            && lease_ids.contains(&failure.lease_id)
            && not_before.is_none_or(|limit| asked >= limit))
        .then(|| failure.into_failure(response))
    }

    /// Stores the Hub's answer, unless it contains the token or what looks like one.
    pub fn insert_identity(&self, asked: Timestamp, body: &[u8], credential: &Credential) {
        for kind in [
            RecordKind::Limit,
            RecordKind::Rejection,
            RecordKind::Failure,
        ] {
            self.cache.remove(&self.key, kind);
        }
        let Ok(identity) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        // Serialized again, so that no escape sequence hides a part of the token.
        let text = identity.to_string();
        if !contains_secret(&text) && !text.contains(credential.token.expose()) {
            let mut record = self.record(asked);
            record.identity = Some(identity);
            record.ends_at = credential.expires_at.unix_milliseconds();
            self.write(RecordKind::Identity, &record);
        }
    }

    /// Removes the token's identity.
    pub fn remove_identity(&self) {
        self.cache.remove(&self.key, RecordKind::Identity);
    }

    /// Stores a rejection, and how often it was repeated.
    pub fn insert_rejection(
        &self,
        asked: Timestamp,
        repeated: Repeated,
        response: &ResponseDetails,
    ) {
        let mut record = self.record(asked);
        record.response = ResponseRecord::of(response);
        record.repeated = Some(RepeatedRecord::of(repeated, asked));
        self.write(RecordKind::Rejection, &record);
    }

    /// Stores a rate limit that starts now and lasts at most an hour.
    pub fn insert_limit(
        &self,
        scope: LimitScope,
        now: Timestamp,
        length: Duration,
        response: &ResponseDetails,
    ) {
        let length = length.min(MAXIMUM_LIMIT);
        let mut record = self.record(now);
        record.response = ResponseRecord::of(response);
        record.until = Some(now.milliseconds().saturating_add(
            // At most an hour, so it fits.
            u64::try_from(length.as_millis()).unwrap_or_default(),
        ));
        self.write(scope.kind(), &record);
    }

    /// Stores the failure of a request for the processes that waited for its lease.
    pub fn insert_failure(
        &self,
        asked: Timestamp,
        lease_id: u64,
        failure: &Failure,
        credential: &Credential,
    ) {
        let Some(failure_record) = FailureRecord::of(lease_id, failure, &self.route) else {
            return;
        };
        // The text may quote the Hub. Even half of the token in it keeps the record from being
        // stored.
        let value = credential.token.expose();
        let half = value.get(value.len() / 2..).unwrap_or(value);
        let mut record = self.record(asked);
        record.failure = Some(failure_record);
        record.response = ResponseRecord::of(&failure.response());
        let holds_token = record
            .to_bytes()
            .is_some_and(|content| String::from_utf8_lossy(&content).contains(half));
        if !holds_token {
            self.write(RecordKind::Failure, &record);
        }
    }

    fn record(&self, asked: Timestamp) -> Record {
        Record::new(self.endpoint.as_str(), &self.digest, asked)
    }

    fn read(&self, kind: RecordKind, now: Timestamp) -> Option<(Instant, Record)> {
        let content = self.cache.get(&self.key, kind)?;
        Record::read(&content, self.endpoint.as_str(), &self.digest, now)
    }

    fn write(&self, kind: RecordKind, record: &Record) {
        if let Some(content) = record.to_bytes()
            && content.len() as u64 <= MAXIMUM_SIZE
        {
            self.cache.put(&self.key, kind, &content);
        }
    }
}

#[cfg(test)]
mod tests;
