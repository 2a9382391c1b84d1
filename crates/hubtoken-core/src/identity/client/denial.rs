//! Before a *no* the Hub is asked once more.
//!
//! What was decided by an identity from memory or from the disk may be out of date, and a reader
//! of the *no* may just have mended its cause. How old an identity may be for a *no* depends on
//! how often the same *no* was given, which this client remembers and shares. The same age counts
//! for a rate limit without a length: the Hub did say to stop.
//!
//! Whatever is not a *yes* based on an identity from before the call is decided again, based on an
//! identity that is fresh enough. The age is measured from the start of the call, so a Hub that
//! takes seconds to answer is not asked twice.

use std::sync::Arc;
use std::time::Duration;

use super::{Client, Grant, Known, Line, not_before};
use crate::credential::Credential;
use crate::identity::Options;
use crate::identity::failure::Failure;
use crate::identity::freshness::Repeated;
use crate::identity::key::Key;
use crate::identity::shared::{LimitScope, Moment};
use crate::interrupt::Interrupt;
use crate::token::Digest;

impl Client {
    /// The identity that a *no* may rest on, if it is another than the one that is known.
    ///
    /// What was asked for since the call `started` is as fresh as can be, however slow the Hub is.
    ///
    /// # Errors
    ///
    /// [`Failure`], when that could not be learned; then the *no* is none any more.
    pub fn reconsider(
        self: &Arc<Self>,
        (grant, started): (&Grant<'_>, Moment),
        known: &Known,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Option<Known>, Failure> {
        let age = started.instant.saturating_duration_since(known.asked);
        let ages = options.freshness.denial;
        let shortest = ages.first.min(options.max_age.unwrap_or(Duration::MAX));
        if age <= shortest {
            return Ok(None);
        }
        let history = self.denial(grant, line, started);
        let trusted = ages.at(history, started.instant);
        if age <= trusted.min(options.max_age.unwrap_or(Duration::MAX)) {
            return Ok(None);
        }
        self.identify_anew(credential, line, options, trusted, interrupt)
            .map(Some)
    }

    /// Whose a token is, by an answer of at most `age`. The patient ask no more often than that
    /// even if nobody answers.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn identify_anew(
        self: &Arc<Self>,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        age: Duration,
        interrupt: &dyn Interrupt,
    ) -> Result<Known, Failure> {
        let now = self.clock.moment();
        let key = Key::of(credential);
        let age = options.max_age.map_or(age, |max_age| max_age.min(age));
        let anew = Options {
            max_age: Some(age),
            max_stale: Duration::ZERO,
            ..*options
        };
        let limit = not_before(now.instant, age);
        if let Some(failure) = self.memory.unanswered(&key, limit) {
            return Err(failure);
        }
        let outcome = self.identify_within(credential, line, &anew, Some(age), interrupt);
        // The flight has kept that, unless somebody else began it, or it is still in the air.
        let shared = line.shared(&key);
        match &outcome {
            Err(Failure::RateLimited { retry_after: None })
                if self
                    .limited(&key, LimitScope::Whoami, shared.as_ref())
                    .is_ok() =>
            {
                self.keep_limit(&key, LimitScope::Whoami, age, shared.as_ref());
            }
            Err(failure @ (Failure::Unreachable(_) | Failure::Strange(_)))
                if options.freshness.patient && self.memory.unanswered(&key, limit).is_none() =>
            {
                self.memory
                    .keep_unanswered(key, now.instant, failure.clone());
            }
            _ => {}
        }
        outcome
    }

    /// Notes that a question was answered with *no*, by an identity that will do for that.
    pub fn note_denial(&self, grant: &Grant<'_>, known: &Known, line: &Line, options: &Options) {
        self.memory.drop_grant(grant);
        let question = Digest::of(&grant.question);
        let now = self.clock.moment();
        let before = self.memory.denial(&grant.key, &question);
        let unchanged = |history: Option<Repeated>| {
            history.filter(|history| {
                options
                    .freshness
                    .denial
                    .confirm(Some(*history), known.asked)
                    == *history
            })
        };
        if unchanged(before).is_some() {
            return;
        }
        let history = self.denial(grant, line, now);
        let repeated = options.freshness.denial.confirm(history, known.asked);
        self.memory
            .keep_denial(grant.key.clone(), question, repeated);
        if history != Some(repeated)
            && let Some(shared) = line.shared(&grant.key)
        {
            shared.keep_denial(&question, repeated, now);
        }
    }

    /// Forgets all denials of a token, since its rights have changed.
    pub fn end_denials(&self, key: &Key, line: &Line) {
        self.memory.drop_denials(key);
        if let Some(shared) = line.shared(key) {
            shared.drop_denials();
        }
    }

    /// How often a question was answered with *no*, by this process or by another one.
    fn denial(&self, grant: &Grant<'_>, line: &Line, now: Moment) -> Option<Repeated> {
        let question = Digest::of(&grant.question);
        let shared = line.shared(&grant.key);
        Repeated::later(
            self.memory.denial(&grant.key, &question),
            shared.and_then(|shared| shared.denial(&question, now)),
        )
    }
}
