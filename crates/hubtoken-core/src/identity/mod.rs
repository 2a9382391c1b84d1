//! Finds out who a token belongs to, with at most one request.
//!
//! With a cold cache, 64 threads send one request: the callers join a [single
//! flight](crate::single_flight), the answer is [cached](cache) by the token's digest and its
//! endpoint, and interrupting one caller does not cancel the request for the others. All callers
//! that wait for a request share its failure. Failures are not cached, except for a 401, which is
//! trusted for at most ten seconds. A denial rests on a [fresh](freshness) answer, and nothing
//! outlives a token's [known end](crate::expiry). Processes of one machine [share](cache::shared)
//! their answers, so they send one request as well.

pub mod auth_check;
pub mod cache;
pub mod caller_token;
pub mod client;
mod deadline;
pub mod failure;
pub mod freshness;
pub mod model;
mod settings;

use std::time::{Duration, Instant};

use freshness::Freshness;
pub use settings::Settings;

/// How long an identity is trusted.
pub const IDENTITY_LIFETIME: Duration = Duration::from_mins(5);
/// How long an *allowed* auth-check is trusted.
pub const CHECK_LIFETIME: Duration = Duration::from_mins(1);
/// How long a 401 is trusted at most.
pub const REJECTION_LIFETIME: Duration = Duration::from_secs(10);
/// How old an identity may be while the Hub is unreachable.
pub const MAXIMUM_STALE: Duration = Duration::from_hours(24);
/// How long to wait for the Hub.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The lifetimes for one call.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The maximum age of an answer. `None` uses the lifetimes above; zero requests it again.
    pub max_age: Option<Duration>,
    /// How old an identity may be while the Hub is unreachable.
    pub max_stale: Duration,
    /// How long to wait for the Hub, from the start of the call to its end, however many requests
    /// it takes.
    pub timeout: Duration,
    /// When the call started, by the client's clock. `None` starts it with the first request.
    pub started: Option<Instant>,
    /// The maximum age of an answer that a denial rests on, also bounded by `max_age`.
    pub freshness: Freshness,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_age: None,
            max_stale: MAXIMUM_STALE,
            timeout: TIMEOUT,
            started: None,
            freshness: Freshness::CLIENT,
        }
    }
}

impl Options {
    /// The options of a call that started at `now`, unless it has started already. Its time-out is
    /// then the budget of all requests that follow.
    #[must_use]
    pub fn begun(self, now: Instant) -> Self {
        Self {
            started: self.started.or(Some(now)),
            ..self
        }
    }

    /// The same options for a part of the call, which may take what is left of the time and at most
    /// `longest`.
    #[must_use]
    pub fn within(self, longest: Duration, now: Instant) -> Self {
        let spent = self.started.map_or(Duration::ZERO, |started| {
            now.saturating_duration_since(started)
        });
        Self {
            timeout: self.timeout.saturating_sub(spent).min(longest),
            started: Some(now),
            ..self
        }
    }
}
