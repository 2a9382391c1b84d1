//! Single flight: one request for all who ask the same.
//!
//! The request belongs to the flight and not to its first caller: it runs on the process's own
//! thread, so a leader that is interrupted or gives up leaves it to the followers.
//!
//! Freshness is a point in time, not an age. A caller states the earliest time at which an
//! acceptable answer was requested. A request in flight that started earlier is waited for, and
//! then the Hub is asked again. `max_age=0` after a refresh therefore never returns an answer from
//! before the refresh.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::interrupt::Interrupt;
use crate::sync::lock;

/// How often a waiting caller looks whether it was interrupted.
const PATIENCE: Duration = Duration::from_millis(50);

/// The flights in the air.
pub struct Flights<K, T> {
    running: Mutex<HashMap<K, Arc<Flight<T>>>>,
}

/// One request and those who wait for it.
///
/// They are woken one by one and read the outcome without a lock: on a condition variable all of
/// them would wake at once, only to queue for its mutex.
pub struct Flight<T> {
    started: Instant,
    outcome: OnceLock<T>,
    waiting: Mutex<Vec<Thread>>,
}

/// What a caller is told at the gate.
pub enum Boarding<T> {
    /// Another flight has landed meanwhile.
    Answered(T),
    /// Fly with this one.
    Follow(Arc<Flight<T>>),
    /// This one started too early to answer; wait until it has landed and ask again.
    Wait(Arc<Flight<T>>),
    /// The caller starts this one.
    Lead(Arc<Flight<T>>),
}

/// Why a caller stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was interrupted.
    Interrupted,
    /// Its time was up.
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
    /// Finds or makes the flight for a key.
    ///
    /// `answered` looks into the cache once more: a flight leaves its answer there before it
    /// leaves this table, so no caller starts a second one in between. A flight that started
    /// before `not_before` is too old to answer.
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

    /// Whether a flight for a key is in the air that started late enough to answer.
    pub fn is_running(&self, key: &K, not_before: Option<Instant>) -> bool {
        lock(&self.running)
            .get(key)
            .is_some_and(|flight| not_before.is_none_or(|limit| flight.started >= limit))
    }

    /// Ends a flight and wakes everybody who waits for it.
    pub fn land(&self, key: &K, flight: &Flight<T>, outcome: T) {
        lock(&self.running).remove(key);
        // Only the caller that started the flight ends it, so the cell is empty.
        let _ = flight.outcome.set(outcome);
        let waiting = std::mem::take(&mut *lock(&flight.waiting));
        waiting.iter().for_each(Thread::unpark);
    }
}

impl<T> Flight<T> {
    /// How long it has been in the air.
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
    /// [`Gone`] when the caller was interrupted or its time was up; the flight goes on.
    pub fn wait(&self, timeout: Duration, interrupt: &dyn Interrupt) -> Result<T, Gone> {
        if let Some(outcome) = self.outcome.get() {
            return Ok(outcome.clone());
        }
        lock(&self.waiting).push(thread::current());
        let started = Instant::now();
        // A thread that cannot be interrupted is not woken to check for it.
        let may_be_set = interrupt.may_be_set();
        let patience = if may_be_set { PATIENCE } else { Duration::MAX };
        loop {
            // After the thread is on the list: the flight may have landed before.
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

    /// Says that it cannot be set, and must not be asked then.
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
