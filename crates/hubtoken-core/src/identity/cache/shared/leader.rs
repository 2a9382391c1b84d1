//! Elects the process that sends a request.
//!
//! One process, the leader, sends the request, and the others wait for the answer. Three things can
//! go wrong, and none of them may turn one request into many, or block a process forever.
//!
//! *The Hub is slow.* More requests would not help, so the followers wait as long as the leader is
//! alive. Each waits until its own time-out and then reports that no answer came.
//!
//! *The leader is stopped*, by SIGSTOP, a debugger or a frozen container. It keeps its lease, which
//! does not show whether it is running. So it renews the lease ten times a second, from the thread
//! that waits for the Hub. Followers measure the time since the last heartbeat with their own
//! monotonic clock, which cannot be set, and break a lease without a heartbeat for two seconds. One
//! of them acquires the next lease, and the others wait for it. On a machine so busy that a running
//! leader misses its heartbeats for that long, the Hub gets one extra request. A lease is not
//! renewed for longer than a minute: a caller with a very long time-out must not make the others
//! wait for a dead connection.
//!
//! *The Hub fails*, and 63 other processes would ask it again, one after the other. A failure is
//! therefore recorded under its lease ID, and every process that was waiting on that lease returns
//! it. Later processes never saw that ID, so failures are not cached. Exception: a time-out belongs
//! to its leader. A process that still has time sends the next request itself.
//!
//! The leader holds a lease; on disk, the lease is an operating-system lock. Followers poll every
//! 15 ms for the answer in `$HF_HOME/hubtoken/identities`. Between two polls they only check
//! whether the lease is gone: at first every 2 ms, then less often the longer they have waited. A
//! poll costs a dozen system calls, a check one.

use std::time::{Duration, Instant};

use super::lease_poll::LeasePoll;
use super::{Heartbeat, Lease, SharedEntry, TryLease};
use crate::clock::Clock;

/// The timing of leases. Tests use shorter ones.
///
/// Polls and heartbeats run in real time, which affects no outcome. All decisions about time use
/// the [`Clock`].
#[derive(Clone, Copy, Debug)]
pub struct LeaseTiming {
    /// How often followers poll for an answer.
    pub poll_interval: Duration,
    /// How often the leader sends a heartbeat.
    pub heartbeat: Duration,
    /// How long a lease may lack a heartbeat; half the follower's time-out, if that is less.
    pub stale_after: Duration,
    /// How long a lease is renewed at most.
    pub max_hold: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(15),
            heartbeat: Duration::from_millis(100),
            stale_after: Duration::from_secs(2),
            max_hold: Duration::from_mins(1),
        }
    }
}

/// The result of an election.
pub enum Election<T> {
    /// This process sends the request.
    Leader(Leadership),
    /// Another process has the answer.
    Answered(T),
    /// Another process is still waiting for the Hub, and the time is up.
    TimedOut,
}

/// The right to send the request, until it is dropped.
pub struct Leadership {
    // `None` if leases are unsupported.
    lease: Option<Box<dyn Lease>>,
}

impl Leadership {
    /// The lease ID.
    #[must_use]
    pub fn lease_id(&self) -> Option<u64> {
        self.lease.as_ref().map(|lease| lease.id())
    }

    /// Runs a request while sending heartbeats.
    pub async fn run<T>(
        &mut self,
        timing: &LeaseTiming,
        clock: &Clock,
        request: impl Future<Output = T>,
    ) -> T {
        let Some(lease) = &mut self.lease else {
            return request.await;
        };
        let started = clock.now();
        let mut request = std::pin::pin!(request);
        while clock.now().saturating_duration_since(started) < timing.max_hold {
            if let Ok(outcome) = tokio::time::timeout(timing.heartbeat, &mut request).await {
                return outcome;
            }
            lease.renew();
        }
        request.await
    }
}

/// The leader's last heartbeat, and when it was first seen.
struct Staleness {
    heartbeat: Heartbeat,
    since: Instant,
}

impl SharedEntry {
    /// Waits until no other process leads, `answered` returns an answer, or `timeout` is over.
    ///
    /// `answered` receives the IDs of the leases that this call has waited for.
    pub async fn elect<T>(
        &self,
        timing: &LeaseTiming,
        clock: &Clock,
        timeout: Duration,
        answered: impl Fn(&[u64]) -> Option<T>,
    ) -> Election<T> {
        let started = clock.now();
        let stale_after = timing.stale_after.min(timeout / 2);
        let mut seen_leases: Vec<u64> = Vec::new();
        let mut staleness: Option<Staleness> = None;
        let mut poll = LeasePoll::default();
        loop {
            // Checked before trying the lease. Otherwise all followers would acquire it one after
            // another, only to find the answer, and would wait for each other.
            if !seen_leases.is_empty()
                && let Some(answer) = answered(&seen_leases)
            {
                return Election::Answered(answer);
            }
            let attempt = self.cache.try_lease(&self.key);
            // Checked again with the lease: its last holder may have stored an answer in the
            // meantime.
            if !matches!(attempt, TryLease::HeldBy(_))
                && let Some(answer) = answered(&seen_leases)
            {
                return Election::Answered(answer);
            }
            let heartbeat = match attempt {
                TryLease::Acquired(lease) => {
                    return Election::Leader(Leadership { lease: Some(lease) });
                }
                TryLease::Unsupported => return Election::Leader(Leadership { lease: None }),
                TryLease::HeldBy(heartbeat) => heartbeat,
            };
            if !seen_leases.contains(&heartbeat.lease_id) {
                seen_leases.push(heartbeat.lease_id);
            }
            match &staleness {
                Some(staleness) if staleness.heartbeat == heartbeat => {
                    if clock.now().saturating_duration_since(staleness.since) >= stale_after {
                        self.cache.break_stale(&self.key, heartbeat);
                    }
                }
                _ => {
                    staleness = Some(Staleness {
                        heartbeat,
                        since: clock.now(),
                    });
                }
            }
            if clock.now().saturating_duration_since(started) >= timeout {
                return Election::TimedOut;
            }
            poll.wait(timing.poll_interval, || self.cache.is_leased(&self.key))
                .await;
        }
    }
}
