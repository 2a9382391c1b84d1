//! A clock that tests set for the processes they start: a file that contains the time.
//!
//! It is only compiled in with the feature `test-clock`, which no wheel has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(feature = "hub")]
use time::OffsetDateTime;

use crate::clock::{Clock, Timestamp};
use crate::env::{Environment as _, ProcessEnvironment};

/// The variable that names the file.
const HUBTOKEN_TEST_CLOCK: &str = "HUBTOKEN_TEST_CLOCK";

/// Makes every client of this process read the time from the file, in milliseconds since 1970, if
/// one is named. Each reading adds a nanosecond, so that no two times are the same.
pub fn install() {
    let Some(path) = ProcessEnvironment.get(HUBTOKEN_TEST_CLOCK) else {
        return;
    };
    let start = Timestamp::now();
    let readings = AtomicU64::new(0);
    let read = move || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.trim()
            .parse()
            .map_or(start.wall, Duration::from_millis)
    };
    let first = read();
    let now = move || {
        let reading = Duration::from_nanos(readings.fetch_add(1, Ordering::Relaxed));
        let wall = read() + reading;
        Timestamp {
            instant: start.instant + wall.saturating_sub(first),
            wall,
        }
    };
    Clock::new(now).replace_system();
}

/// The clock of a Hub in this process: the same file, if one is named.
#[cfg(feature = "hub")]
pub fn of_the_hub() -> Option<crate::hub::Clock> {
    let path = ProcessEnvironment.get(HUBTOKEN_TEST_CLOCK)?;
    Some(crate::hub::Clock::new(move || {
        std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| text.trim().parse::<i64>().ok())
            .and_then(|milliseconds| {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
            })
            .unwrap_or_else(OffsetDateTime::now_utc)
    }))
}
