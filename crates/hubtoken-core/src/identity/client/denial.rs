//! Asks the Hub once more before a denial.
//!
//! A decision based on a cached identity may be out of date, and the user who reads the denial may
//! just have fixed its cause. How old an identity may be for a denial depends on how often the same
//! denial was given, which this client caches and shares. The same age applies to a rate limit
//! without a duration: the Hub did say to stop.
//!
//! A decision that is not a grant is repeated with a sufficiently fresh identity if it rests on one
//! from before the call. The age is measured from the start of the call, so a Hub that takes
//! seconds to answer is not asked twice.

use std::sync::Arc;
use std::time::Duration;

use super::{Client, DecisionKey, HubConnection, IdentityAnswer, not_before};
use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::identity::Options;
use crate::identity::cache::key::Key;
use crate::identity::cache::shared::LimitScope;
use crate::identity::failure::Failure;
use crate::identity::freshness::Repeated;
use crate::interrupt::Interrupt;
use crate::token::Digest;

impl Client {
    /// Returns a fresh identity for a denial to rest on, or `None` if the given one is fresh
    /// enough.
    ///
    /// An identity requested after the call `started` is always fresh enough, however slow the Hub
    /// is.
    ///
    /// # Errors
    ///
    /// [`Failure`], if the Hub gave no such identity. The denial is then not valid.
    pub fn refresh_before_denial(
        self: &Arc<Self>,
        (decision, started): (&DecisionKey<'_>, Timestamp),
        known: &IdentityAnswer,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Option<IdentityAnswer>, Failure> {
        let age = started.instant.saturating_duration_since(known.asked);
        let ages = options.freshness.denial;
        let shortest = ages.first.min(options.max_age.unwrap_or(Duration::MAX));
        if age <= shortest {
            return Ok(None);
        }
        let history = self.denial(decision, connection, started);
        let trusted = ages.at(history, started.instant);
        if age <= trusted.min(options.max_age.unwrap_or(Duration::MAX)) {
            return Ok(None);
        }
        self.identify_fresh(credential, connection, options, trusted, interrupt)
            .map(Some)
    }

    /// Returns the account that a token belongs to, from an answer of at most `age`. With
    /// [`patient`](crate::identity::freshness::Freshness::patient) set, requests that go unanswered
    /// are not repeated sooner than that either.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn identify_fresh(
        self: &Arc<Self>,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        age: Duration,
        interrupt: &dyn Interrupt,
    ) -> Result<IdentityAnswer, Failure> {
        let now = self.clock.timestamp();
        let key = Key::of(credential);
        let age = options.max_age.map_or(age, |max_age| max_age.min(age));
        let anew = Options {
            max_age: Some(age),
            max_stale: Duration::ZERO,
            ..*options
        };
        let limit = not_before(now.instant, age);
        let unanswered = || {
            self.cache
                .unanswered(&key, limit)
                .filter(|failure| failure.holds_for(options.timeout))
        };
        if let Some(failure) = unanswered() {
            return Err(failure);
        }
        let outcome = self.identify_within(credential, connection, &anew, Some(age), interrupt);
        // The request itself has recorded this, unless another caller started it or it is still in
        // flight.
        let shared = connection.shared(&key);
        match &outcome {
            Err(Failure::RateLimited {
                retry_after: None,
                response,
            }) if self
                .check_rate_limit(&key, LimitScope::Whoami, shared.as_ref())
                .is_ok() =>
            {
                self.record_limit(&key, LimitScope::Whoami, age, response, shared.as_ref());
            }
            Err(
                failure @ (Failure::Unreachable(_)
                | Failure::TimedOut { .. }
                | Failure::UnexpectedResponse(_)),
            ) if options.freshness.caches_failures && unanswered().is_none() => {
                self.cache
                    .insert_unanswered(key.clone(), now.instant, failure.clone());
            }
            _ => {}
        }
        outcome
    }

    /// Records that a requirement was denied on the basis of a sufficiently fresh identity.
    pub fn record_denial(
        &self,
        decision: &DecisionKey<'_>,
        known: &IdentityAnswer,
        connection: &HubConnection,
        options: &Options,
    ) {
        self.cache.remove_grant(decision);
        let request = Digest::of(&decision.request);
        let now = self.clock.timestamp();
        let before = self.cache.denial(&decision.key, &request);
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
        let history = self.denial(decision, connection, now);
        let repeated = options.freshness.denial.confirm(history, known.asked);
        self.cache
            .insert_denial(decision.key.clone(), request, repeated);
        if history != Some(repeated)
            && let Some(shared) = connection.shared(&decision.key)
        {
            shared.insert_denial(&request, repeated, now);
        }
    }

    /// Forgets all denials of a token, because its rights have changed.
    pub fn clear_denials(&self, key: &Key, connection: &HubConnection) {
        self.cache.remove_denials(key);
        if let Some(shared) = connection.shared(key) {
            shared.remove_denials();
        }
    }

    /// How often a requirement was denied, by this process or another one.
    fn denial(
        &self,
        decision: &DecisionKey<'_>,
        connection: &HubConnection,
        now: Timestamp,
    ) -> Option<Repeated> {
        let request = Digest::of(&decision.request);
        let shared = connection.shared(&decision.key);
        Repeated::later(
            self.cache.denial(&decision.key, &request),
            shared.and_then(|shared| shared.denial(&request, now)),
        )
    }
}
