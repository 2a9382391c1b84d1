//! Tracks when a token is known to expire, so that no cached answer outlives its token.
//!
//! The expiry comes from the Hub's whoami response, from the store, or from a `token_command`. The
//! earliest known expiry counts: after it, nothing cached about the token is used, and only the Hub
//! itself can still accept it. The clock is read only if an expiry is known, since most tokens have
//! none and a cached answer should not cost a clock read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The expiry of a token, if it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry(Option<SystemTime>);

impl Expiry {
    /// The expiry is unknown.
    pub const UNKNOWN: Self = Self(None);

    /// An expiry in Unix seconds, as stored in files. A time before 1970 counts as expired.
    #[must_use]
    pub fn at_unix_seconds(seconds: i64) -> Self {
        Self::after_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// An expiry in Unix seconds that may be unknown.
    #[must_use]
    pub fn from_unix_seconds(seconds: Option<i64>) -> Self {
        seconds.map_or(Self::UNKNOWN, Self::at_unix_seconds)
    }

    /// An expiry in Unix milliseconds, as stored in shared records.
    #[must_use]
    pub fn at_unix_milliseconds(milliseconds: u64) -> Self {
        Self::after_epoch(Duration::from_millis(milliseconds))
    }

    /// A time that the clock cannot represent counts as no expiry.
    fn after_epoch(time: Duration) -> Self {
        Self(UNIX_EPOCH.checked_add(time))
    }

    /// The earlier of two expiries.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(another)) => Self(Some(one.min(another))),
            (one, another) => Self(one.or(another)),
        }
    }

    /// Whether nothing is known of the expiry.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        self.0.is_none()
    }

    /// Whether the expiry is known and has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        // The clock is read only if there is an expiry to compare it with.
        self.0.is_some_and(|end| end <= SystemTime::now())
    }

    /// Whether the expiry is known and has passed at a time since the Unix epoch.
    #[must_use]
    pub fn has_passed_at(self, now: Duration) -> bool {
        self.0
            .is_some_and(|end| end.duration_since(UNIX_EPOCH).unwrap_or_default() <= now)
    }

    /// The expiry in Unix milliseconds.
    #[must_use]
    pub fn unix_milliseconds(self) -> Option<u64> {
        let since = self.0?.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).ok()
    }
}

impl From<Option<SystemTime>> for Expiry {
    fn from(end: Option<SystemTime>) -> Self {
        Self(end)
    }
}

impl From<Option<OffsetDateTime>> for Expiry {
    fn from(end: Option<OffsetDateTime>) -> Self {
        end.map_or_else(Self::default, |end| {
            let milliseconds = end.unix_timestamp_nanos() / 1_000_000;
            Self::at_unix_milliseconds(u64::try_from(milliseconds).unwrap_or(0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_end_counts_and_an_unknown_one_does_not() {
        let past = Expiry::at_unix_seconds(1);
        let future = Expiry::from(Some(SystemTime::now() + Duration::from_hours(1)));
        let unknown = Expiry::default();
        assert!(past.has_passed() && !future.has_passed() && !unknown.has_passed());
        for (one, another, is_over) in [
            (past, future, true),
            (past, unknown, true),
            (future, unknown, false),
            (unknown, unknown, false),
        ] {
            assert_eq!(one.earlier(another), another.earlier(one));
            assert_eq!(one.earlier(another).has_passed(), is_over);
        }
    }

    #[test]
    fn no_number_in_a_file_is_too_odd_to_read() {
        for (seconds, is_over) in [(i64::MIN, true), (-1, true), (0, true), (i64::MAX, false)] {
            assert_eq!(Expiry::at_unix_seconds(seconds).has_passed(), is_over);
        }
        let end = Expiry::from(Some(
            OffsetDateTime::UNIX_EPOCH + Duration::from_millis(1_500),
        ));
        assert_eq!(end.unix_milliseconds(), Some(1_500));
        assert_eq!(end, Expiry::at_unix_milliseconds(1_500));
        let before = OffsetDateTime::UNIX_EPOCH - Duration::from_hours(1);
        assert!(Expiry::from(Some(before)).has_passed());
    }
}
