//! Where an embedded Hub gets the time from: the system; and in a build for tests, the same file as
//! the clients of its process.

use crate::hub::Clock;

/// The clock of a Hub that this process starts.
#[must_use]
pub fn hub_clock() -> Clock {
    #[cfg(feature = "test-clock")]
    if let Some(clock) = crate::test_clock::of_the_hub() {
        return clock;
    }
    Clock::system()
}
