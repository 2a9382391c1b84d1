//! A point in time on two clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One point in time on both clocks. Other processes share only the wall clock, which may be set.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp {
    /// For ages within this process.
    pub instant: Instant,
    /// For other processes: the time since the Unix epoch.
    pub wall: Duration,
}

impl Timestamp {
    /// The current time.
    #[must_use]
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    /// The wall-clock time in milliseconds, as it is stored.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX)
    }

    /// An earlier instant in milliseconds, as it is stored.
    #[must_use]
    pub fn milliseconds_at(&self, past: Instant) -> u64 {
        let age = self.instant.saturating_duration_since(past);
        u64::try_from(self.wall.saturating_sub(age).as_millis()).unwrap_or(u64::MAX)
    }

    /// Converts a stored time to an instant; `None` if it is in the future.
    #[must_use]
    pub fn past(&self, milliseconds: u64) -> Option<Instant> {
        let age = self.wall.checked_sub(Duration::from_millis(milliseconds))?;
        self.instant.checked_sub(age)
    }
}
