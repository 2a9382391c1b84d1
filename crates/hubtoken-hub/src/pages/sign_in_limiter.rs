//! The sign-in policy: how long a session lasts, and how often a password may be tried.
//!
//! A successful sign-in resets the count of the user but not of the address; otherwise the owner of
//! one account could use it to gain more guesses at another.

use time::{Duration, OffsetDateTime};

use super::attempt_limiter::AttemptLimiter;
use crate::rate_limit::RateLimitKey;
use crate::registry::Lifetimes;

/// The rules for signing in at the pages of a Hub.
///
/// # Examples
///
/// ```
/// use hubtoken_hub::SignInPolicy;
///
/// let strict = SignInPolicy { attempts_per_user: 3, ..SignInPolicy::default() };
/// assert!(strict.idle_seconds < strict.absolute_seconds);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInPolicy {
    /// Seconds without a request after which a session ends.
    pub idle_seconds: u32,
    /// Seconds after which a session ends regardless of activity.
    pub absolute_seconds: u32,
    /// Attempts for one user per window; a successful sign-in resets the count.
    pub attempts_per_user: u32,
    /// Attempts from one address per window.
    pub attempts_per_address: u32,
    /// Length of the window, in seconds.
    pub window_seconds: u32,
}

impl Default for SignInPolicy {
    /// One hour idle and twelve hours in total; ten attempts per user and fifty per address in 15
    /// minutes.
    fn default() -> Self {
        Self {
            idle_seconds: 3600,
            absolute_seconds: 12 * 3600,
            attempts_per_user: 10,
            attempts_per_address: 50,
            window_seconds: 900,
        }
    }
}

/// Limits sign-in attempts.
#[derive(Debug)]
pub(crate) struct SignInLimiter {
    policy: SignInPolicy,
    attempts: AttemptLimiter,
}

impl SignInLimiter {
    pub(crate) fn new(policy: SignInPolicy) -> Self {
        Self {
            policy,
            attempts: AttemptLimiter::new(
                "sign-in",
                policy.attempts_per_user,
                policy.attempts_per_address,
                policy.window_seconds,
            ),
        }
    }

    pub(super) fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            idle: Duration::seconds(i64::from(self.policy.idle_seconds)),
            absolute: Duration::seconds(i64::from(self.policy.absolute_seconds)),
        }
    }

    /// Counts a sign-in attempt; beyond a limit, returns the seconds until the next one is allowed.
    pub(super) fn count_attempt(
        &self,
        user: &str,
        address: RateLimitKey,
        now: OffsetDateTime,
    ) -> Result<(), u32> {
        self.attempts.count(user, address, now)
    }

    /// Resets the count of a user who has signed in.
    pub(super) fn reset(&self, user: &str) {
        self.attempts.reset_user(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> RateLimitKey {
        RateLimitKey::Address(address.parse().unwrap())
    }

    #[test]
    fn users_and_addresses_are_counted_apart() {
        let sign_in_limiter = SignInLimiter::new(SignInPolicy {
            attempts_per_user: 2,
            attempts_per_address: 3,
            window_seconds: 60,
            ..SignInPolicy::default()
        });
        let now = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(
            sign_in_limiter.count_attempt("alice", from("192.0.2.1"), now),
            Ok(())
        );
        assert_eq!(
            sign_in_limiter.count_attempt("Alice", from("192.0.2.2"), now),
            Ok(())
        );
        assert_eq!(
            sign_in_limiter.count_attempt("ALICE", from("192.0.2.3"), now),
            Err(60)
        );
        sign_in_limiter.reset("alice");
        assert_eq!(
            sign_in_limiter.count_attempt("alice", from("192.0.2.1"), now),
            Ok(())
        );
        assert_eq!(
            sign_in_limiter.count_attempt("bob", from("192.0.2.1"), now),
            Ok(())
        );
        assert_eq!(
            sign_in_limiter.count_attempt("carol", from("192.0.2.1"), now),
            Err(60)
        );
        let later = now + Duration::seconds(60);
        assert_eq!(
            sign_in_limiter.count_attempt("carol", from("192.0.2.1"), later),
            Ok(())
        );
    }
}
