//! Waits for events without assuming how long they take.

use std::time::{Duration, Instant};

/// A test that waits longer has hung and fails. Nothing else depends on this limit.
pub const HANG_LIMIT: Duration = Duration::from_mins(5);

/// Waits for an event that is certain to happen.
pub fn until(come: impl Fn() -> bool) {
    let started = Instant::now();
    while !come() {
        assert!(started.elapsed() < HANG_LIMIT, "it never comes");
        std::thread::sleep(Duration::from_millis(2));
    }
}
