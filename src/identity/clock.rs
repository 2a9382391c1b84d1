//! What time it is for a client. A parameter, so that lifetimes, rate limits and claims are tested
//! without waiting, and no test's outcome depends on how long anything takes.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::shared::Moment;

/// Where a client reads the time.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> Moment + Send + Sync>>);

impl Clock {
    /// The time of the machine.
    #[must_use]
    pub fn system() -> Self {
        #[cfg(feature = "test-clock")]
        if let Some(path) = std::env::var_os("HUBTOKEN_TEST_CLOCK") {
            return Self::of_file(path.into());
        }
        Self(None)
    }

    /// The time that stands in a file, in milliseconds since 1970. A test of many processes sets it
    /// for all of them. A nanosecond passes at each look, so that no two moments are the same.
    #[cfg(feature = "test-clock")]
    fn of_file(path: std::path::PathBuf) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        use std::time::Duration;

        let start = Moment::now();
        let looks = AtomicU64::new(0);
        let told = move || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            text.trim()
                .parse()
                .map_or(start.wall, Duration::from_millis)
        };
        let first = told();
        Self::new(move || {
            let look = Duration::from_nanos(looks.fetch_add(1, Ordering::Relaxed));
            let wall = told() + look;
            Moment {
                instant: start.instant + wall.saturating_sub(first),
                wall,
            }
        })
    }

    /// A time of one's own making; its instants must not run backward.
    #[must_use]
    pub fn new(now: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// The time on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.0.as_ref().map_or_else(Moment::now, |now| now())
    }

    /// The time for what stays within this process.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0
            .as_ref()
            .map_or_else(Instant::now, |now| now().instant)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}
