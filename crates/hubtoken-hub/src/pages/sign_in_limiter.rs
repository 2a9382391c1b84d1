//! The sign-in policy: how long a session lasts, and how often a password may be tried.
//!
//! Attempts are counted before the password is checked, by user and by address, so that concurrent
//! guesses are counted as well. A successful sign-in resets the count of the user but not of the
//! address; otherwise the owner of one account could use it to gain more guesses at another.

use std::net::{IpAddr, Ipv6Addr};

use time::{Duration, OffsetDateTime};

use crate::names;
use crate::rate_limit::{RateLimit, RateLimitKey, RateLimitStatus, RateLimiter};
use crate::registry::Lifetimes;
use crate::secret;
use hubtoken_core::hexadecimal;

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
    by_user: RateLimiter,
    by_address: RateLimiter,
}

impl SignInLimiter {
    pub(crate) fn new(policy: SignInPolicy) -> Self {
        let limiter = |quota| {
            let window_seconds = policy.window_seconds;
            RateLimiter::new(
                "sign-in",
                RateLimit {
                    quota,
                    window_seconds,
                },
            )
        };
        Self {
            policy,
            by_user: limiter(policy.attempts_per_user),
            by_address: limiter(policy.attempts_per_address),
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
        let statuses = [
            self.by_address.hit(network_key(address), now),
            self.by_user.hit(user_key(user), now),
        ];
        let wait = statuses
            .iter()
            .filter(|status| status.exceeded)
            .map(|status: &RateLimitStatus| status.reset_seconds)
            .max();
        wait.map_or(Ok(()), Err)
    }

    /// Resets the count of a user who has signed in.
    pub(super) fn reset(&self, user: &str) {
        self.by_user.reset(&user_key(user));
    }
}

/// By digest, since the text typed as a user name may be long, or a password.
fn user_key(name: &str) -> RateLimitKey {
    RateLimitKey::User(hexadecimal::encode(&secret::digest(&names::key(name))))
}

/// A client with an IPv6 address has 2^64 of them, so a whole network counts as one.
fn network_key(key: RateLimitKey) -> RateLimitKey {
    match key {
        RateLimitKey::Address(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            RateLimitKey::Address(IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() & !u128::from(u64::MAX),
            )))
        }
        other => other,
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

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        assert_eq!(
            network_key(from("2001:db8::1")),
            network_key(from("2001:db8::ffff:2"))
        );
        assert_ne!(
            network_key(from("2001:db8::1")),
            network_key(from("2001:db8:0:1::1"))
        );
        assert_ne!(
            network_key(from("::ffff:192.0.2.1")),
            network_key(from("::ffff:192.0.2.2"))
        );
    }
}
