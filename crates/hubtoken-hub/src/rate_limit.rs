//! Rate limits: fixed windows, as on the Hub, and the headers that report a client's status.
//!
//! Every response carries the headers. Only whoami and inference are actually limited, and only if
//! configured: the first is the limit that users run into, the second is the expensive one, and
//! tests need both to be exact. A window begins with the first request in it, so a test that makes
//! `quota` requests never straddles two windows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use hubtoken_core::sync::lock_ignoring_poison;
use time::OffsetDateTime;

/// The number of windows at which expired ones are removed.
const SWEEP_THRESHOLD: usize = 1024;

/// How many requests a client may make: `quota` in `window_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests allowed in one window.
    pub quota: u32,
    /// Length of the window, in seconds.
    pub window_seconds: u32,
}

/// The key under which requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey {
    User(String),
    Token(String),
    Address(IpAddr),
    /// Anonymous and without a connection: a request made in-process.
    Unknown,
}

/// A client's status in its current window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimitStatus {
    pub bucket: &'static str,
    pub quota: u32,
    pub window_seconds: u32,
    pub remaining: u32,
    pub reset_seconds: u32,
    /// Whether this request exceeds the quota.
    pub exceeded: bool,
}

/// Counts the requests of one bucket.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    bucket: &'static str,
    limit: RateLimit,
    windows: Mutex<HashMap<RateLimitKey, Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started: OffsetDateTime,
    count: u32,
}

impl RateLimiter {
    pub(crate) fn new(bucket: &'static str, limit: RateLimit) -> Self {
        Self {
            bucket,
            limit,
            windows: Mutex::default(),
        }
    }

    /// Counts a request.
    pub(crate) fn hit(&self, key: RateLimitKey, now: OffsetDateTime) -> RateLimitStatus {
        let length = time::Duration::seconds(i64::from(self.limit.window_seconds));
        let mut windows = lock_ignoring_poison(&self.windows);
        if windows.len() >= SWEEP_THRESHOLD {
            windows.retain(|_, window| now - window.started < length);
        }
        let window = windows.entry(key).or_insert(Window {
            started: now,
            count: 0,
        });
        if now - window.started >= length {
            *window = Window {
                started: now,
                count: 0,
            };
        }
        window.count = window.count.saturating_add(1);
        let rest = (length - (now - window.started))
            .whole_milliseconds()
            .max(1);
        RateLimitStatus {
            bucket: self.bucket,
            quota: self.limit.quota,
            window_seconds: self.limit.window_seconds,
            remaining: self.limit.quota.saturating_sub(window.count),
            // Rounded up: a client that waits this long must be in the next window.
            reset_seconds: u32::try_from((rest + 999) / 1000).unwrap_or(self.limit.window_seconds),
            exceeded: window.count > self.limit.quota,
        }
    }
}

impl RateLimiter {
    /// Resets the count of a client.
    pub(crate) fn reset(&self, key: &RateLimitKey) {
        lock_ignoring_poison(&self.windows).remove(key);
    }

    /// Takes back one request of a client in its current window.
    pub(crate) fn take_back(&self, key: &RateLimitKey) {
        if let Some(window) = lock_ignoring_poison(&self.windows).get_mut(key) {
            window.count = window.count.saturating_sub(1);
        }
    }
}

impl RateLimitStatus {
    /// The value of the `RateLimit` header.
    pub(crate) fn remaining_header(&self) -> String {
        format!(
            "\"{}\";r={};t={}",
            self.bucket, self.remaining, self.reset_seconds
        )
    }

    /// The value of the `RateLimit-Policy` header.
    pub(crate) fn policy_header(&self) -> String {
        format!(
            "\"fixed window\";\"{}\";q={};w={}",
            self.bucket, self.quota, self.window_seconds
        )
    }

    /// The Hub's message to a client that exceeded the quota.
    pub(crate) fn message(&self, logged_in: bool) -> String {
        let period = if self.window_seconds.is_multiple_of(60) {
            format!("{} minutes", self.window_seconds / 60)
        } else {
            format!("{} seconds", self.window_seconds)
        };
        if logged_in {
            format!(
                "We had to rate limit you, you hit the quota of {} {} requests per {period} period.",
                self.quota, self.bucket
            )
        } else {
            format!(
                "We had to rate limit your IP, you hit the quota of {} {} requests per {period} period. \
                 To continue using our service, create a HF account or login to your existing account, and make sure \
                 you pass a HF_TOKEN if you're using the API.",
                self.quota, self.bucket
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    fn limiter() -> RateLimiter {
        RateLimiter::new(
            "whoami",
            RateLimit {
                quota: 2,
                window_seconds: 60,
            },
        )
    }

    fn alice() -> RateLimitKey {
        RateLimitKey::User("alice".to_owned())
    }

    #[test]
    fn the_quota_is_exact_and_the_window_ends() {
        let limiter = limiter();
        let start = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(limiter.hit(alice(), start).remaining, 1);
        let last = limiter.hit(alice(), start + Duration::seconds(10));
        assert_eq!(
            (last.remaining, last.reset_seconds, last.exceeded),
            (0, 50, false)
        );
        let beyond = limiter.hit(alice(), start + Duration::milliseconds(59_500));
        assert_eq!(
            (beyond.remaining, beyond.reset_seconds, beyond.exceeded),
            (0, 1, true)
        );
        assert_eq!(beyond.remaining_header(), "\"whoami\";r=0;t=1");
        assert_eq!(
            beyond.policy_header(),
            "\"fixed window\";\"whoami\";q=2;w=60"
        );
        assert!(!limiter.hit(alice(), start + Duration::seconds(60)).exceeded);
    }

    #[test]
    fn clients_do_not_share_a_window() {
        let limiter = limiter();
        let now = OffsetDateTime::UNIX_EPOCH;
        for _ in 0..3 {
            limiter.hit(alice(), now);
        }
        assert!(
            !limiter
                .hit(RateLimitKey::User("bob".to_owned()), now)
                .exceeded
        );
        assert!(!limiter.hit(RateLimitKey::Unknown, now).exceeded);
        assert!(limiter.hit(alice(), now).exceeded);
    }

    #[test]
    fn old_windows_are_swept_out() {
        let limiter = limiter();
        for number in 0..SWEEP_THRESHOLD {
            limiter.hit(
                RateLimitKey::User(number.to_string()),
                OffsetDateTime::UNIX_EPOCH,
            );
        }
        limiter.hit(alice(), OffsetDateTime::UNIX_EPOCH + Duration::seconds(61));
        assert_eq!(limiter.windows.lock().unwrap().len(), 1);
    }

    #[test]
    fn messages_say_who_was_limited() {
        let status = limiter().hit(alice(), OffsetDateTime::UNIX_EPOCH);
        assert!(
            status
                .message(true)
                .contains("you hit the quota of 2 whoami requests per 1 minutes period")
        );
        assert!(status.message(false).contains("your IP"));
    }
}
