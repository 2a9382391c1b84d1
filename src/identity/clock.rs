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
        Self(None)
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
