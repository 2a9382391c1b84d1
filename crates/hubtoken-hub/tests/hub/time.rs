//! What happens meanwhile is waited for, however long that takes.

use std::time::{Duration, Instant};

/// After this a test has hung, and should say so. Nothing else depends on it.
pub const HANG_LIMIT: Duration = Duration::from_mins(5);

/// Waits for an event that is sure to come.
pub fn until(come: impl Fn() -> bool) {
    let started = Instant::now();
    while !come() {
        assert!(started.elapsed() < HANG_LIMIT, "it never comes");
        std::thread::sleep(Duration::from_millis(2));
    }
}
