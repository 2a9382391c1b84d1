//! Glances between two looks, by those who wait for another process.
//!
//! A look costs a dozen system calls, a glance one, so that an answer is found soon after it is
//! there without 64 processes keeping the machine busy that one of them needs in order to ask.
//! Glances grow rare with the time that was waited: who has waited long for a Hub waits a
//! sixteenth longer, and no longer than until the next look.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(2);

/// The pause before the next glance.
pub(super) struct Glances {
    pause: Duration,
}

impl Default for Glances {
    fn default() -> Self {
        Self { pause: FIRST }
    }
}

impl Glances {
    /// Waits for `look`, or until a glance shows that the claim is gone.
    pub(super) async fn wait(&mut self, look: Duration, is_claimed: impl Fn() -> bool) {
        let mut left = look;
        while !left.is_zero() {
            let pause = self.pause.min(left);
            tokio::time::sleep(pause).await;
            left -= pause;
            self.pause = (self.pause + self.pause / 16).min(look);
            if !is_claimed() {
                return;
            }
        }
    }
}
