//! A fixed-window limiter: at most so many events per interval.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock_ignoring_poison;

/// A quota that is replenished when its interval is over.
pub struct FixedWindow {
    limit: u32,
    length: Duration,
    // The start of the interval, and how many were taken since.
    used: Mutex<Option<(Instant, u32)>>,
}

impl FixedWindow {
    /// Allows `number` events per `length`.
    #[must_use]
    pub fn new(limit: u32, length: Duration) -> Self {
        Self {
            limit,
            length,
            used: Mutex::new(None),
        }
    }

    /// Takes one if any are left, and returns whether it did.
    pub fn try_acquire(&self, now: Instant) -> bool {
        let mut used = lock_ignoring_poison(&self.used);
        match &mut *used {
            Some((since, count)) if now.saturating_duration_since(*since) < self.length => {
                let is_left = *count < self.limit;
                *count += u32::from(is_left);
                is_left
            }
            _ => {
                *used = Some((now, 1));
                self.limit > 0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_comes_back_with_time() {
        let window = FixedWindow::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let taken = [0, 1, 9, 10, 11, 12].map(|seconds| window.try_acquire(later(seconds)));
        assert_eq!(taken, [true, true, false, true, true, false]);
    }
}
