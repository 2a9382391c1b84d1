//! The current time, passed as a parameter so that expiry and rate limits can be tested without
//! waiting.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

/// Where the Hub gets the time from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The system clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(OffsetDateTime::now_utc)
    }

    /// A custom clock, such as one that a test controls.
    #[must_use]
    pub fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

/// Milliseconds since 1970, the form in which the registry stores times.
pub(crate) fn to_milliseconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1000 + i64::from(at.millisecond())
}

/// The inverse. A time out of range, which the registry never stores, becomes 1970.
pub(crate) fn from_milliseconds(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `2026-01-02T03:04:05.000Z`, the only time format in the Hub's responses.
pub(crate) fn iso(at: OffsetDateTime) -> String {
    const FORMAT: &[FormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_offset(time::UtcOffset::UTC)
        .format(FORMAT)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_are_written_as_the_hub_writes_them() {
        assert_eq!(
            iso(datetime!(2026-01-02 05:04:05.006_789 +2)),
            "2026-01-02T03:04:05.006Z"
        );
    }

    #[test]
    fn milliseconds_go_both_ways() {
        let at = datetime!(2026-01-02 03:04:05.006 UTC);
        assert_eq!(from_milliseconds(to_milliseconds(at)), at);
    }
}
