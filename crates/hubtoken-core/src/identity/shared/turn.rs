//! Whose turn it is to ask, among processes.
//!
//! One asks, the others wait for what it learns. Three things can go wrong, and none of them may
//! turn one request into many, or stop anybody for ever.
//!
//! *The Hub is slow.* That is no reason to send it more requests: while who asks is alive, the
//! others wait, each as long as its own time-out allows, and then say that nobody answered.
//!
//! *Who asks is stopped*, by SIGSTOP, a debugger, a frozen container. Its claim stays, and says
//! nothing about its life; so it renews the claim ten times a second, from the thread that waits
//! for the Hub. Who waits watches that sign with a clock of its own, which nobody can set, and
//! ends a claim that has shown nothing new for two seconds. One of those who wait then holds the
//! next claim, and the others go on waiting, for it. A machine that is so busy that a living
//! process shows nothing for that long gets one more request. A claim is not renewed for longer
//! than a minute: a caller with a very long time-out must not make the others wait for a
//! connection that has died.
//!
//! *The Hub fails*, and 63 others would ask it again, one after the other. So a failure is written
//! down under the number of its claim, and whoever has seen that number while waiting takes it as
//! the answer. Nobody who comes later has seen it, so a failure is never kept. One exception: who
//! allowed less time than another process says nothing to it about a Hub that is slow.
//!
//! Processes ask once, as threads do. The leader holds a lease; on disk, the lease is a lock of
//! the operating system. Followers check every 15 ms whether the answer is in
//! `$HF_HOME/hubtoken/identities`. Between two checks they only glance at whether the lease is
//! gone: at first every 2 ms, then less often the longer they have waited. A check costs a dozen
//! system calls, a glance one.

use std::time::{Duration, Instant};

use super::glance::Glances;
use super::{Claim, Lease, Mark, Shared};
use crate::identity::clock::Clock;

/// The paces of asking among processes. Tests have quicker ones.
///
/// How often somebody looks and shows that it lives is real time, and decides nothing; what is
/// decided by time, is decided by the [`Clock`].
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often who waits looks whether there is an answer.
    pub look: Duration,
    /// How often who asks shows that it lives.
    pub beat: Duration,
    /// How long a claim may show nothing new; half the time-out of who waits, if that is less.
    pub grace: Duration,
    /// How long a claim is renewed at most.
    pub longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_millis(15),
            beat: Duration::from_millis(100),
            grace: Duration::from_secs(2),
            longest: Duration::from_mins(1),
        }
    }
}

/// What became of waiting.
pub enum Turn<T> {
    /// It is this process's turn to ask.
    Ask(Lead),
    /// Another one has answered.
    Answered(T),
    /// Another one still asks, and the time is up.
    TimedOut,
}

/// The right to ask, until it is dropped.
pub struct Lead {
    // `None` where there are no claims.
    lease: Option<Box<dyn Lease>>,
}

impl Lead {
    /// The number of the claim.
    #[must_use]
    pub fn claim(&self) -> Option<u64> {
        self.lease.as_ref().map(|lease| lease.claim())
    }

    /// Runs a request, and shows meanwhile that it is under way.
    pub async fn run<T>(
        &mut self,
        pace: &Pace,
        clock: &Clock,
        request: impl Future<Output = T>,
    ) -> T {
        let Some(lease) = &mut self.lease else {
            return request.await;
        };
        let started = clock.now();
        let mut request = std::pin::pin!(request);
        while clock.now().saturating_duration_since(started) < pace.longest {
            if let Ok(outcome) = tokio::time::timeout(pace.beat, &mut request).await {
                return outcome;
            }
            lease.renew();
        }
        request.await
    }
}

/// The last sign of life of who asks, and since when it has been the last.
struct Watch {
    mark: Mark,
    since: Instant,
}

impl Shared {
    /// Waits until nobody else asks, or somebody has `answered`, or `timeout` is over.
    ///
    /// `answered` is told the numbers of the claims for which this call has waited.
    pub async fn turn<T>(
        &self,
        pace: &Pace,
        clock: &Clock,
        timeout: Duration,
        answered: impl Fn(&[u64]) -> Option<T>,
    ) -> Turn<T> {
        let started = clock.now();
        let grace = pace.grace.min(timeout / 2);
        let mut waited_for: Vec<u64> = Vec::new();
        let mut watch: Option<Watch> = None;
        let mut glances = Glances::default();
        loop {
            // Before the claim is tried: a crowd that takes it in turn, only to find the answer,
            // would wait for itself.
            if !waited_for.is_empty()
                && let Some(answer) = answered(&waited_for)
            {
                return Turn::Answered(answer);
            }
            let claim = self.cache.try_claim(&self.place);
            // And with it: the last holder may have left an answer meanwhile.
            if !matches!(claim, Claim::Busy(_))
                && let Some(answer) = answered(&waited_for)
            {
                return Turn::Answered(answer);
            }
            let mark = match claim {
                Claim::Held(lease) => return Turn::Ask(Lead { lease: Some(lease) }),
                Claim::Impossible => return Turn::Ask(Lead { lease: None }),
                Claim::Busy(mark) => mark,
            };
            if !waited_for.contains(&mark.claim) {
                waited_for.push(mark.claim);
            }
            match &watch {
                Some(watch) if watch.mark == mark => {
                    if clock.now().saturating_duration_since(watch.since) >= grace {
                        self.cache.take_over(&self.place, mark);
                    }
                }
                _ => {
                    watch = Some(Watch {
                        mark,
                        since: clock.now(),
                    });
                }
            }
            if clock.now().saturating_duration_since(started) >= timeout {
                return Turn::TimedOut;
            }
            glances
                .wait(pace.look, || self.cache.is_claimed(&self.place))
                .await;
        }
    }
}
