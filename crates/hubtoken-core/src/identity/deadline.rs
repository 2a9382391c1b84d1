//! The time by which a call must have its answer.
//!
//! A time-out is the budget of a whole call: waiting for another caller's request, looking up the
//! name, connecting, every redirect and every further request, and reading the body. Each step
//! therefore receives the same [`Deadline`], and takes what is left of it.
//!
//! A deadline belongs to one caller. Callers that wait for the same request may have different
//! ones: each stops waiting at its own, and a request that ended at its leader's is repeated by a
//! caller that still has time.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::Options;
use super::failure::Failure;
use crate::clock::Clock;
use crate::http::{TimeLimit, no_answer_within};

/// How often a replaced clock is asked for the time. No outcome depends on it.
const REPLACED_CLOCK_INTERVAL: Duration = Duration::from_millis(5);
/// A caller with less than this part of its time-out left sends no further request.
const SHORTEST_PART: u32 = 10;

/// When a call gives up, and the time-out that it was given.
#[derive(Clone, Debug)]
pub struct Deadline {
    clock: Clock,
    /// `None` if it is beyond what the clock can represent.
    end: Option<Instant>,
    timeout: Duration,
}

impl Deadline {
    /// The deadline of a call, which started when its options say, or starts now.
    #[must_use]
    pub fn of(clock: &Clock, options: &Options) -> Self {
        let started = options.started.unwrap_or_else(|| clock.now());
        Self {
            clock: clock.clone(),
            end: started.checked_add(options.timeout),
            timeout: options.timeout,
        }
    }

    /// An earlier deadline: at most `length` from now.
    #[must_use]
    pub fn within(&self, length: Duration) -> Self {
        let end = self.clock.now().checked_add(length);
        Self {
            end: [self.end, end].into_iter().flatten().min(),
            timeout: self.timeout.min(length),
            ..self.clone()
        }
    }

    /// The time that is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.left_with(Duration::ZERO)
    }

    /// The time that is left until a point `longer` after it.
    #[must_use]
    pub fn left_with(&self, longer: Duration) -> Duration {
        let end = self.end.and_then(|end| end.checked_add(longer));
        end.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(self.clock.now())
        })
    }

    /// The whole time-out, for messages and for comparison.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether no time is left.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.left().is_zero()
    }

    /// Whether enough time is left to repeat a request that ended at another caller's deadline.
    ///
    /// Callers that start together have nearly the same deadline. Without this, each of them would
    /// send a request of its own into its last milliseconds.
    #[must_use]
    pub fn allows_another_request(&self) -> bool {
        self.left() > self.timeout / SHORTEST_PART
    }

    /// What is left for one request.
    #[must_use]
    pub fn limit(&self) -> TimeLimit {
        TimeLimit {
            left: self.left(),
            whole: self.timeout,
        }
    }

    /// The longest pause between two looks at the clock.
    #[must_use]
    pub fn interval(&self) -> Duration {
        if self.clock.is_replaced() {
            REPLACED_CLOCK_INTERVAL
        } else {
            Duration::MAX
        }
    }

    /// The failure of a call whose time is over.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::TimedOut {
            after: self.timeout,
            text: no_answer_within(self.timeout),
        }
    }

    /// Ends a request at this deadline by a replaced clock. By the system's clock, each request
    /// ends itself, since only it knows what it was waiting for.
    ///
    /// # Errors
    ///
    /// The request's own failure, or [`Deadline::failure`].
    pub async fn bound<T>(
        &self,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if !self.clock.is_replaced() {
            return request.await;
        }
        let mut request = pin!(request);
        loop {
            if let Ok(outcome) = tokio::time::timeout(REPLACED_CLOCK_INTERVAL, &mut request).await {
                return outcome;
            }
            if self.has_passed() {
                return Err(self.failure());
            }
        }
    }
}
