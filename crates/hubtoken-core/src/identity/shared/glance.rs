//! Cheap checks for the end of a lease, between two polls for the answer.
//!
//! A poll costs a dozen system calls, a check only one. So an answer is found soon after it is
//! there, while 64 waiting processes leave the CPU to the leader. The longer the wait, the rarer
//! the checks: they add at most a sixteenth to the time waited, and never delay past the next poll.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(2);

/// The pause before the next check.
pub(super) struct Glances {
    pause: Duration,
}

impl Default for Glances {
    fn default() -> Self {
        Self { pause: FIRST }
    }
}

impl Glances {
    /// Waits for `look`, or until a check shows that the lease is gone.
    pub(super) async fn wait(&mut self, look: Duration, is_claimed: impl Fn() -> bool) {
        let mut left = look;
        while !left.is_zero() {
            let pause = self.pause.min(left);
            tokio::time::sleep(pause).await;
            left -= pause;
            self.pause = longer(self.pause).min(look);
            if !is_claimed() {
                return;
            }
        }
    }
}

fn longer(pause: Duration) -> Duration {
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
    fn a_claim_that_is_gone_ends_the_wait_at_the_next_glance() {
        let glances = Cell::new(0);
        run(async {
            let is_claimed = || {
                glances.set(glances.get() + 1);
                glances.get() < 3
            };
            // Longer than any test takes.
            Glances::default()
                .wait(Duration::from_hours(1), is_claimed)
                .await;
        });
        assert_eq!(glances.get(), 3);
    }

    #[test]
    fn a_claim_that_stays_is_looked_at_in_time() {
        let mut all = Glances::default();
        for look in [Duration::ZERO, FIRST / 2, FIRST * 2] {
            run(all.wait(look, || true));
        }
    }

    #[test]
    fn who_has_waited_long_glances_as_often_as_it_looks() {
        let look = Duration::from_millis(15);
        let mut all = Glances::default();
        let mut waited = Duration::ZERO;
        while all.pause < look {
            waited += all.pause;
            all.pause = longer(all.pause).min(look);
            assert!(all.pause <= FIRST + waited / 16);
        }
        assert_eq!(all.pause, look);
        assert!(waited < Duration::from_millis(250));
    }
}
