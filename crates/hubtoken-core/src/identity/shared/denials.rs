//! Shares how often a token's requirements were denied.
//!
//! All requirements of one token share a small record. If two processes write at the same time, one
//! of the updates is lost, which only costs an extra request to the Hub.
//!
//! The count of denials is keyed by the digest of the requirement, so a shell loop of new processes
//! backs off as one process does.

use super::record::{DenialRecord, RepeatedRecord};
use super::{Kind, Moment, Shared};
use crate::identity::freshness::Repeated;
use crate::token::Digest;

/// How many requirements are stored per token. The oldest is evicted first.
const QUESTIONS: usize = 32;

impl Shared {
    /// How often a requirement was denied.
    #[must_use]
    pub fn denial(&self, question: &Digest, now: Moment) -> Option<Repeated> {
        let question = question.hex();
        let known = self.denials(now);
        known
            .into_iter()
            .find(|known| known.question == question)?
            .repeated
            .read(now)
    }

    /// Stores how often a requirement was denied.
    pub fn keep_denial(&self, question: &Digest, repeated: Repeated, now: Moment) {
        let question = question.hex();
        let mut record = self.record(now);
        record.denials = self.denials(now);
        record.denials.retain(|known| known.question != question);
        let spare = (record.denials.len() + 1).saturating_sub(QUESTIONS);
        record.denials.drain(..spare);
        record.denials.push(DenialRecord {
            question,
            repeated: RepeatedRecord::of(repeated, now),
        });
        self.write(Kind::Denials, &record);
    }

    /// Removes the token's denial counts.
    pub fn drop_denials(&self) {
        self.cache.remove(&self.place, Kind::Denials);
    }

    fn denials(&self, now: Moment) -> Vec<DenialRecord> {
        self.read(Kind::Denials, now)
            .map(|(_, record)| record.denials)
            .unwrap_or_default()
    }
}
