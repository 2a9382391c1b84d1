//! Cheap checks for the end of a lease, between two polls for the answer.
//!
//! A poll costs a dozen system calls, a check only one. So an answer is found soon after it is
//! there, while 64 waiting processes leave the CPU to the leader. The longer the wait, the rarer
//! the checks: they add at most a sixteenth to the time waited, and never delay past the next poll.

use std::time::Duration;

/// The first pause.
const INITIAL_PAUSE: Duration = Duration::from_millis(2);

/// The pause before the next check.
pub(super) struct LeasePoll {
    pause: Duration,
}

impl Default for LeasePoll {
    fn default() -> Self {
        Self {
            pause: INITIAL_PAUSE,
        }
    }
}

impl LeasePoll {
    /// Waits for `look`, or until a check shows that the lease is gone.
    pub(super) async fn wait(&mut self, interval: Duration, is_leased: impl Fn() -> bool) {
        let mut left = interval;
        while !left.is_zero() {
            let pause = self.pause.min(left);
            tokio::time::sleep(pause).await;
            left -= pause;
            self.pause = next_pause(self.pause).min(interval);
            if !is_leased() {
                return;
            }
        }
    }
}

fn next_pause(pause: Duration) -> Duration {
    pause + pause / 16
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use super::*;

    fn run(future: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future);
    }

    #[test]
    fn a_lease_that_is_gone_ends_the_wait_at_the_next_poll() {
        let polls = Cell::new(0);
        run(async {
            let is_leased = || {
                polls.set(polls.get() + 1);
                polls.get() < 3
            };
            // Longer than any test takes.
            LeasePoll::default()
                .wait(Duration::from_hours(1), is_leased)
                .await;
        });
        assert_eq!(polls.get(), 3);
    }

    #[test]
    fn a_lease_that_stays_is_polled_in_time() {
        let mut all = LeasePoll::default();
        for interval in [Duration::ZERO, INITIAL_PAUSE / 2, INITIAL_PAUSE * 2] {
            run(all.wait(interval, || true));
        }
    }

    #[test]
    fn after_a_long_wait_a_poll_is_as_rare_as_a_look() {
        let interval = Duration::from_millis(15);
        let mut all = LeasePoll::default();
        let mut waited = Duration::ZERO;
        while all.pause < interval {
            waited += all.pause;
            all.pause = next_pause(all.pause).min(interval);
            assert!(all.pause <= INITIAL_PAUSE + waited / 16);
        }
        assert_eq!(all.pause, interval);
        assert!(waited < Duration::from_millis(250));
    }
}
