//! Coalesces concurrent requests for the same key into one.
//!
//! A request does not belong to the caller that started it. It runs on the process's own thread, so
//! the followers still get its result when the leader is interrupted or gives up.
//!
//! Freshness is a point in time, not an age: a caller states the earliest time at which an
//! acceptable answer was requested. If the request in flight started earlier, the caller waits for
//! it and then sends another request to the Hub. `max_age=0` after a refresh therefore never
//! returns an answer from before the refresh.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::interrupt::Interrupt;
use crate::sync::lock_ignoring_poison;

/// How often a waiting caller checks whether it was interrupted.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The requests in flight, by key.
pub struct SingleFlight<K, T> {
    running: Mutex<HashMap<K, Arc<InFlight<T>>>>,
}

/// One request in flight and the threads waiting for it.
///
/// Waiting threads are woken one by one and read the outcome without a lock. With a condition
/// variable, all of them would wake at once and then queue for its mutex.
pub struct InFlight<T> {
    started: Instant,
    outcome: OnceLock<T>,
    waiting: Mutex<Vec<Thread>>,
}

/// How a caller takes part in a request.
pub enum Joined<T> {
    /// Another request has completed in the meantime, with this answer.
    Cached(T),
    /// Wait for this request and use its outcome.
    Follower(Arc<InFlight<T>>),
    /// This request started too early for its answer to be fresh enough. Wait for it, then try
    /// again.
    Superseded(Arc<InFlight<T>>),
    /// The caller must start this request.
    Leader(Arc<InFlight<T>>),
}

/// Why a caller stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// It was interrupted.
    Interrupted,
    /// It timed out.
    TimedOut,
}

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self {
            running: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash + Clone, T: Clone> SingleFlight<K, T> {
    /// Finds or creates the request for a key.
    ///
    /// `answered` checks the cache once more. A request puts its answer there before it leaves this
    /// table, so no caller starts a second request in between. A request that started before
    /// `not_before` is too old.
    pub fn join(
        &self,
        key: &K,
        now: Instant,
        not_before: Option<Instant>,
        cached: impl FnOnce() -> Option<T>,
    ) -> Joined<T> {
        let mut running = lock_ignoring_poison(&self.running);
        if let Some(answer) = cached() {
            return Joined::Cached(answer);
        }
        if let Some(in_flight) = running.get(key) {
            let in_flight = Arc::clone(in_flight);
            return if not_before.is_none_or(|limit| in_flight.started >= limit) {
                Joined::Follower(in_flight)
            } else {
                Joined::Superseded(in_flight)
            };
        }
        let in_flight = Arc::new(InFlight {
            started: now,
            outcome: OnceLock::new(),
            waiting: Mutex::default(),
        });
        running.insert(key.clone(), Arc::clone(&in_flight));
        Joined::Leader(in_flight)
    }

    /// Whether a request for a key is in flight that started at or after `not_before`.
    pub fn is_running(&self, key: &K, not_before: Option<Instant>) -> bool {
        lock_ignoring_poison(&self.running)
            .get(key)
            .is_some_and(|in_flight| not_before.is_none_or(|limit| in_flight.started >= limit))
    }

    /// Completes a request and wakes every thread waiting for it.
    pub fn complete(&self, key: &K, in_flight: &InFlight<T>, outcome: T) {
        lock_ignoring_poison(&self.running).remove(key);
        // Only the caller that started the request completes it, so the cell is empty.
        let _ = in_flight.outcome.set(outcome);
        let waiting = std::mem::take(&mut *lock_ignoring_poison(&in_flight.waiting));
        waiting.iter().for_each(Thread::unpark);
    }
}

impl<T> InFlight<T> {
    /// The time since the request started.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

impl<T: Clone> InFlight<T> {
    /// Waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`WaitError`] if the caller was interrupted or timed out. The request continues.
    pub fn wait(&self, timeout: Duration, interrupt: &dyn Interrupt) -> Result<T, WaitError> {
        let started = Instant::now();
        let left = || timeout.saturating_sub(started.elapsed());
        self.wait_while(left, Duration::MAX, interrupt)
    }

    /// Waits for the outcome as long as time is `left`, which is asked at least once per `interval`.
    ///
    /// # Errors
    ///
    /// [`WaitError`] if the caller was interrupted or timed out. The request continues.
    pub fn wait_while(
        &self,
        left: impl Fn() -> Duration,
        interval: Duration,
        interrupt: &dyn Interrupt,
    ) -> Result<T, WaitError> {
        if let Some(outcome) = self.outcome.get() {
            return Ok(outcome.clone());
        }
        lock_ignoring_poison(&self.waiting).push(thread::current());
        // A thread that cannot be interrupted is not woken to check.
        let may_be_set = interrupt.may_be_set();
        let interval = if may_be_set {
            interval.min(POLL_INTERVAL)
        } else {
            interval
        };
        loop {
            // Checked after the thread is on the list, because the request may have completed
            // before.
            if let Some(outcome) = self.outcome.get() {
                return Ok(outcome.clone());
            }
            let left = left();
            if left.is_zero() {
                return Err(WaitError::TimedOut);
            }
            thread::park_timeout(left.min(interval));
            if may_be_set && self.outcome.get().is_none() && interrupt.is_set() {
                return Err(WaitError::Interrupted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::NeverInterrupted;

    struct Always;

    impl Interrupt for Always {
        fn is_set(&self) -> bool {
            true
        }
    }

    /// Reports that it cannot be set, and must then not be checked.
    struct NotHere;

    impl Interrupt for NotHere {
        fn is_set(&self) -> bool {
            unreachable!("it was asked")
        }

        fn may_be_set(&self) -> bool {
            false
        }
    }

    #[test]
    fn the_second_caller_follows() {
        let single_flight: SingleFlight<u8, u8> = SingleFlight::default();
        let now = Instant::now();
        let Joined::Leader(in_flight) = single_flight.join(&1, now, None, || None) else {
            unreachable!("the first caller leads");
        };
        assert!(matches!(
            single_flight.join(&1, now, None, || None),
            Joined::Follower(_)
        ));
        assert!(single_flight.is_running(&1, None) && !single_flight.is_running(&2, None));
        assert!(matches!(
            single_flight.join(&2, now, None, || None),
            Joined::Leader(_)
        ));
        let late = Some(now + Duration::from_secs(1));
        assert!(single_flight.is_running(&1, Some(now)) && !single_flight.is_running(&1, late));
        assert!(matches!(
            single_flight.join(&1, now, late, || None),
            Joined::Superseded(_)
        ));
        assert!(matches!(
            single_flight.join(&1, now, None, || Some(3)),
            Joined::Cached(3)
        ));
        single_flight.complete(&1, &in_flight, 7);
        assert_eq!(in_flight.wait(Duration::ZERO, &NeverInterrupted), Ok(7));
        assert!(matches!(
            single_flight.join(&1, now, None, || None),
            Joined::Leader(_)
        ));
    }

    #[test]
    fn an_interrupted_caller_leaves_the_request_to_the_others() {
        let single_flight: SingleFlight<u8, u8> = SingleFlight::default();
        let Joined::Leader(in_flight) = single_flight.join(&1, Instant::now(), None, || None)
        else {
            unreachable!("the first caller leads");
        };
        let minute = Duration::from_mins(1);
        assert_eq!(in_flight.wait(minute, &Always), Err(WaitError::Interrupted));
        for none in [&NeverInterrupted as &dyn Interrupt, &NotHere] {
            assert_eq!(
                in_flight.wait(Duration::ZERO, none),
                Err(WaitError::TimedOut)
            );
        }
        let short = POLL_INTERVAL + Duration::from_millis(1);
        assert_eq!(in_flight.wait(short, &NotHere), Err(WaitError::TimedOut));
        std::thread::scope(|scope| {
            let follower = scope.spawn(|| in_flight.wait(minute, &NotHere));
            single_flight.complete(&1, &in_flight, 7);
            assert_eq!(follower.join().ok(), Some(Ok(7)));
        });
    }
}
