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
use crate::sync::lock;

/// How often a waiting caller checks whether it was interrupted.
const PATIENCE: Duration = Duration::from_millis(50);

/// The requests in flight, by key.
pub struct Flights<K, T> {
    running: Mutex<HashMap<K, Arc<Flight<T>>>>,
}

/// One request in flight and the threads waiting for it.
///
/// Waiting threads are woken one by one and read the outcome without a lock. With a condition
/// variable, all of them would wake at once and then queue for its mutex.
pub struct Flight<T> {
    started: Instant,
    outcome: OnceLock<T>,
    waiting: Mutex<Vec<Thread>>,
}

/// How a caller takes part in a request.
pub enum Boarding<T> {
    /// Another request has completed in the meantime, with this answer.
    Answered(T),
    /// Wait for this request and use its outcome.
    Follow(Arc<Flight<T>>),
    /// This request started too early for its answer to be fresh enough. Wait for it, then try
    /// again.
    Wait(Arc<Flight<T>>),
    /// The caller must start this request.
    Lead(Arc<Flight<T>>),
}

/// Why a caller stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was interrupted.
    Interrupted,
    /// It timed out.
    TimedOut,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self {
            running: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Flights<K, T> {
    /// Finds or creates the request for a key.
    ///
    /// `answered` checks the cache once more. A request puts its answer there before it leaves this
    /// table, so no caller starts a second request in between. A request that started before
    /// `not_before` is too old.
    pub fn board(
        &self,
        key: &K,
        now: Instant,
        not_before: Option<Instant>,
        answered: impl FnOnce() -> Option<T>,
    ) -> Boarding<T> {
        let mut running = lock(&self.running);
        if let Some(answer) = answered() {
            return Boarding::Answered(answer);
        }
        if let Some(flight) = running.get(key) {
            let flight = Arc::clone(flight);
            return if not_before.is_none_or(|limit| flight.started >= limit) {
                Boarding::Follow(flight)
            } else {
                Boarding::Wait(flight)
            };
        }
        let flight = Arc::new(Flight {
            started: now,
            outcome: OnceLock::new(),
            waiting: Mutex::default(),
        });
        running.insert(key.clone(), Arc::clone(&flight));
        Boarding::Lead(flight)
    }

    /// Whether a request for a key is in flight that started at or after `not_before`.
    pub fn is_running(&self, key: &K, not_before: Option<Instant>) -> bool {
        lock(&self.running)
            .get(key)
            .is_some_and(|flight| not_before.is_none_or(|limit| flight.started >= limit))
    }

    /// Completes a request and wakes every thread waiting for it.
    pub fn land(&self, key: &K, flight: &Flight<T>, outcome: T) {
        lock(&self.running).remove(key);
        // Only the caller that started the request completes it, so the cell is empty.
        let _ = flight.outcome.set(outcome);
        let waiting = std::mem::take(&mut *lock(&flight.waiting));
        waiting.iter().for_each(Thread::unpark);
    }
}

impl<T> Flight<T> {
    /// The time since the request started.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

impl<T: Clone> Flight<T> {
    /// Waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`Gone`] if the caller was interrupted or timed out. The request continues.
    pub fn wait(&self, timeout: Duration, interrupt: &dyn Interrupt) -> Result<T, Gone> {
        if let Some(outcome) = self.outcome.get() {
            return Ok(outcome.clone());
        }
        lock(&self.waiting).push(thread::current());
        let started = Instant::now();
        // A thread that cannot be interrupted is not woken to check.
        let may_be_set = interrupt.may_be_set();
        let patience = if may_be_set { PATIENCE } else { Duration::MAX };
        loop {
            // Checked after the thread is on the list, because the request may have completed
            // before.
            if let Some(outcome) = self.outcome.get() {
                return Ok(outcome.clone());
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(Gone::TimedOut);
            }
            thread::park_timeout(left.min(patience));
            if may_be_set && self.outcome.get().is_none() && interrupt.is_set() {
                return Err(Gone::Interrupted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Never;

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
        let flights: Flights<u8, u8> = Flights::default();
        let now = Instant::now();
        let Boarding::Lead(flight) = flights.board(&1, now, None, || None) else {
            unreachable!("the first caller leads");
        };
        assert!(matches!(
            flights.board(&1, now, None, || None),
            Boarding::Follow(_)
        ));
        assert!(flights.is_running(&1, None) && !flights.is_running(&2, None));
        assert!(matches!(
            flights.board(&2, now, None, || None),
            Boarding::Lead(_)
        ));
        let late = Some(now + Duration::from_secs(1));
        assert!(flights.is_running(&1, Some(now)) && !flights.is_running(&1, late));
        assert!(matches!(
            flights.board(&1, now, late, || None),
            Boarding::Wait(_)
        ));
        assert!(matches!(
            flights.board(&1, now, None, || Some(3)),
            Boarding::Answered(3)
        ));
        flights.land(&1, &flight, 7);
        assert_eq!(flight.wait(Duration::ZERO, &Never), Ok(7));
        assert!(matches!(
            flights.board(&1, now, None, || None),
            Boarding::Lead(_)
        ));
    }

    #[test]
    fn an_interrupted_caller_leaves_the_flight_to_the_others() {
        let flights: Flights<u8, u8> = Flights::default();
        let Boarding::Lead(flight) = flights.board(&1, Instant::now(), None, || None) else {
            unreachable!("the first caller leads");
        };
        let minute = Duration::from_mins(1);
        assert_eq!(flight.wait(minute, &Always), Err(Gone::Interrupted));
        for none in [&Never as &dyn Interrupt, &NotHere] {
            assert_eq!(flight.wait(Duration::ZERO, none), Err(Gone::TimedOut));
        }
        let short = PATIENCE + Duration::from_millis(1);
        assert_eq!(flight.wait(short, &NotHere), Err(Gone::TimedOut));
        std::thread::scope(|scope| {
            let follower = scope.spawn(|| flight.wait(minute, &NotHere));
            flights.land(&1, &flight, 7);
            assert_eq!(follower.join().ok(), Some(Ok(7)));
        });
    }
}
