//! Shares how often a token's requirements were denied.
//!
//! All requirements of one token share a small record. If two processes write at the same time, one
//! of the updates is lost, which only costs an extra request to the Hub.
//!
//! The count of denials is keyed by the digest of the requirement, so a shell loop of new processes
//! backs off as one process does.

use super::record::{DenialRecord, RepeatedRecord};
use super::{RecordKind, SharedEntry};
use crate::clock::Timestamp;
use crate::identity::freshness::Repeated;
use crate::token::Digest;

/// How many requirements are stored per token. The oldest is evicted first.
const MAXIMUM_REQUESTS: usize = 32;

impl SharedEntry {
    /// How often a requirement was denied.
    #[must_use]
    pub fn denial(&self, request: &Digest, now: Timestamp) -> Option<Repeated> {
        let request = request.hex();
        let known = self.denials(now);
        known
            .into_iter()
            .find(|known| known.request == request)?
            .repeated
            .read(now)
    }

    /// Stores how often a requirement was denied.
    pub fn insert_denial(&self, request: &Digest, repeated: Repeated, now: Timestamp) {
        let request = request.hex();
        let mut record = self.record(now);
        record.denials = self.denials(now);
        record.denials.retain(|known| known.request != request);
        let spare = (record.denials.len() + 1).saturating_sub(MAXIMUM_REQUESTS);
        record.denials.drain(..spare);
        record.denials.push(DenialRecord {
            request,
            repeated: RepeatedRecord::of(repeated, now),
        });
        self.write(RecordKind::Denials, &record);
    }

    /// Removes the token's denial counts.
    pub fn remove_denials(&self) {
        self.cache.remove(&self.key, RecordKind::Denials);
    }

    fn denials(&self, now: Timestamp) -> Vec<DenialRecord> {
        self.read(RecordKind::Denials, now)
            .map(|(_, record)| record.denials)
            .unwrap_or_default()
    }
}
