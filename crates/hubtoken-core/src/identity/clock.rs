//! What time it is for a client. A parameter, so that lifetimes, rate limits and claims are tested
//! without waiting, and no test's outcome depends on how long anything takes.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::shared::Moment;

static REPLACEMENT: OnceLock<Clock> = OnceLock::new();

/// Where a client reads the time.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> Moment + Send + Sync>>);

impl Clock {
    /// The time of the machine, or what a test has put in its place.
    #[must_use]
    pub fn system() -> Self {
        REPLACEMENT.get().cloned().unwrap_or_default()
    }

    /// Puts another time in the place of the machine's, for every client that this process makes
    /// from now on: for tests that start whole processes. Only the first call counts.
    pub fn replace_system(self) {
        // A second replacement is refused by the cell, as documented.
        let _ = REPLACEMENT.set(self);
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
