//! Time under the control of the tests: it passes only when a test says so, and the events in
//! between are awaited, however long they take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use hubtoken_core::clock::Clock;
use hubtoken_core::clock::Timestamp;

/// After this time a test has hung and must fail. Nothing else depends on it.
pub const HANG_LIMIT: Duration = Duration::from_mins(5);

/// Waits for an event that is sure to occur.
pub fn until(come: impl Fn() -> bool) {
    let started = Instant::now();
    while !come() {
        assert!(started.elapsed() < HANG_LIMIT, "it never comes");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A clock that stands still until it is advanced.
#[derive(Clone, Default)]
pub struct HandClock {
    /// In milliseconds.
    passed: Arc<AtomicU64>,
}

impl HandClock {
    /// Advances the clock.
    pub fn pass(&self, length: Duration) {
        let length = u64::try_from(length.as_millis()).expect("no age of the world");
        self.passed.fetch_add(length, Ordering::SeqCst);
    }

    /// The clock for a client.
    pub fn clock(&self) -> Clock {
        static START: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);
        let passed = self.passed.clone();
        Clock::new(move || {
            let passed = Duration::from_millis(passed.load(Ordering::SeqCst));
            Timestamp {
                instant: START.instant + passed,
                wall: START.wall + passed,
            }
        })
    }
}
