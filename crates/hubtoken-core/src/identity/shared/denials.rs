//! How often questions about a token were answered with *no*, told to other processes.
//!
//! All questions about one token lie in one small record. Two processes that write at the same
//! time lose one of two updates, which costs a question to the Hub and nothing else.
//!
//! The count of denials is keyed by the digest of the request and shared in a record of its own,
//! so a shell loop of new processes backs off as one process does.

use super::record::{DenialRecord, RepeatedRecord};
use super::{Kind, Moment, Shared};
use crate::identity::freshness::Repeated;
use crate::token::Digest;

/// How many questions are kept of a token; the oldest goes first.
const QUESTIONS: usize = 32;

impl Shared {
    /// How often a question was answered with *no*.
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

    /// Keeps how often a question was answered with *no*.
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

    /// Forgets how often the questions about the token were answered with *no*.
    pub fn drop_denials(&self) {
        self.cache.remove(&self.place, Kind::Denials);
    }

    fn denials(&self, now: Moment) -> Vec<DenialRecord> {
        self.read(Kind::Denials, now)
            .map(|(_, record)| record.denials)
            .unwrap_or_default()
    }
}
