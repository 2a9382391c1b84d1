//! Who a token belongs to, asked at most once.
//!
//! A cold cache and 64 threads make one request: the callers board a
//! [single flight](crate::single_flight), the answer is [cached](cache) under the token's digest
//! and its endpoint, and a caller that is interrupted leaves the flight to the others. Failures are
//! shared with those who wait for the same flight and are not kept, except for a 401, which is
//! believed for ten seconds at most. A denial rests on a [fresh](freshness) answer, and nothing
//! outlives a token's [known end](crate::known_end). Processes of one machine [share](shared) what
//! they learn, and ask once as well.

pub mod bearer;
pub mod budget;
pub mod cache;
pub mod check;
pub mod client;
pub mod clock;
pub mod disk;
pub mod failure;
pub mod freshness;
pub mod grouped;
pub mod key;
pub mod model;
mod places;
pub mod runtime;
pub mod shared;

use std::time::Duration;

use freshness::Freshness;

/// How long an identity is believed.
pub const IDENTITY_LIFETIME: Duration = Duration::from_mins(5);
/// How long an *allowed* auth-check is believed.
pub const CHECK_LIFETIME: Duration = Duration::from_mins(1);
/// How long a 401 is believed at most.
pub const REJECTION_LIFETIME: Duration = Duration::from_secs(10);
/// How old an identity may be when the Hub is away.
pub const MAXIMUM_STALE: Duration = Duration::from_hours(24);
/// How long to wait for the Hub.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The lifetimes of one call.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How old an answer may be; `None` for the lifetimes above, zero to ask again.
    pub max_age: Option<Duration>,
    /// How old an identity may be when the Hub is away.
    pub max_stale: Duration,
    /// How long to wait for the Hub.
    pub timeout: Duration,
    /// How old an answer may be that a *no* rests on; `max_age` bounds it as well.
    pub freshness: Freshness,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_age: None,
            max_stale: MAXIMUM_STALE,
            timeout: TIMEOUT,
            freshness: Freshness::CLIENT,
        }
    }
}
