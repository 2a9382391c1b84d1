//! The clock of a client.
//!
//! It is a parameter, so that lifetimes, rate limits and leases are tested without waiting, and no
//! test's outcome depends on timing.

mod timestamp;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

pub use timestamp::Timestamp;

static REPLACEMENT: OnceLock<Clock> = OnceLock::new();

/// A source of the current time.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>);

impl Clock {
    /// The system clock, or its replacement in a test.
    #[must_use]
    pub fn system() -> Self {
        REPLACEMENT.get().cloned().unwrap_or_default()
    }

    /// Replaces the system clock for every client that this process creates from now on, for tests
    /// that start whole processes. Only the first call has an effect.
    pub fn replace_system(self) {
        // The cell ignores a second replacement, as documented.
        let _ = REPLACEMENT.set(self);
    }

    /// A custom clock. Its instants must not run backward.
    #[must_use]
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// The time on both clocks.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.0.as_ref().map_or_else(Timestamp::now, |now| now())
    }

    /// The time for ages within this process.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0
            .as_ref()
            .map_or_else(Instant::now, |now| now().instant)
    }

    /// Whether time passes only as a test says, so that a wait must keep asking for it.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}
