//! A point in time on two clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment on both clocks: other processes know the wall's only, and that one may be set.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For ages within this process.
    pub instant: Instant,
    /// For other processes: the time since 1970.
    pub wall: Duration,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    /// The wall's time in milliseconds, as it is written down.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX)
    }

    /// An earlier instant as it is written down.
    #[must_use]
    pub fn milliseconds_at(&self, past: Instant) -> u64 {
        let age = self.instant.saturating_duration_since(past);
        u64::try_from(self.wall.saturating_sub(age).as_millis()).unwrap_or(u64::MAX)
    }

    /// When something happened by the wall's clock; `None` if that is yet to come.
    #[must_use]
    pub fn past(&self, milliseconds: u64) -> Option<Instant> {
        let age = self.wall.checked_sub(Duration::from_millis(milliseconds))?;
        self.instant.checked_sub(age)
    }
}
