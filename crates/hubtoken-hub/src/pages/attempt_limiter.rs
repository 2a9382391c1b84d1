//! Limits how often what is secret can be guessed, by user and by address.
//!
//! An attempt is counted before it is checked, so that concurrent guesses are counted as well.

use std::net::{IpAddr, Ipv6Addr};

use time::OffsetDateTime;

use crate::names;
use crate::rate_limit::{RateLimit, RateLimitKey, RateLimiter};
use crate::secret;
use hubtoken_core::hexadecimal;

/// Limits attempts at one kind of secret.
#[derive(Debug)]
pub(crate) struct AttemptLimiter {
    by_user: RateLimiter,
    by_address: RateLimiter,
}

impl AttemptLimiter {
    pub(crate) fn new(
        bucket: &'static str,
        per_user: u32,
        per_address: u32,
        window_seconds: u32,
    ) -> Self {
        let limiter = |quota| {
            RateLimiter::new(
                bucket,
                RateLimit {
                    quota,
                    window_seconds,
                },
            )
        };
        Self {
            by_user: limiter(per_user),
            by_address: limiter(per_address),
        }
    }

    /// Counts an attempt; beyond a limit, returns the seconds until the next one is allowed.
    pub(super) fn count(
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
            .map(|status| status.reset_seconds)
            .max();
        wait.map_or(Ok(()), Err)
    }

    /// Takes back an attempt that was no guess.
    pub(super) fn take_back(&self, user: &str, address: RateLimitKey) {
        self.by_address.take_back(&network_key(address));
        self.by_user.take_back(&user_key(user));
    }

    /// Resets the count of a user.
    pub(super) fn reset_user(&self, user: &str) {
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

    #[test]
    fn what_was_no_guess_is_taken_back() {
        let limiter = AttemptLimiter::new("code", 2, 3, 60);
        let now = OffsetDateTime::UNIX_EPOCH;
        let attempt = |user| limiter.count(user, from("192.0.2.1"), now);
        for _ in 0..10 {
            assert_eq!(attempt("alice"), Ok(()));
            limiter.take_back("Alice", from("192.0.2.1"));
        }
        assert_eq!((attempt("alice"), attempt("alice")), (Ok(()), Ok(())));
        assert_eq!(attempt("alice"), Err(60));
        // All three count for the address.
        assert_eq!(attempt("bob"), Err(60));
        // What was never counted cannot be taken back.
        limiter.take_back("carol", from("192.0.2.9"));
        assert_eq!(attempt("carol"), Err(60));
    }
}
