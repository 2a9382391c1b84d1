//! How old an answer may be for a denial to rest on it.
//!
//! A grant that is five minutes old costs little: at worst the expensive call fails after all. A
//! denial that is five minutes old sends the user to the Hub to fix something that is already
//! fixed. So the Hub is asked once more before a denial, unless its last answer is only seconds
//! old. While the same denial repeats, nothing is being fixed, and the age doubles up to a bound: a
//! loop of denied calls must not run into the rate limit. Time is a parameter of every function
//! here.
//!
//! The required freshness depends on how often the same requirement was denied: two seconds at
//! first, doubling to a minute. The count grows only if the Hub was asked because the age had run
//! out, and it is forgotten after five minutes without that requirement.

use std::time::{Duration, Instant};

use super::REJECTION_LIFETIME;
use crate::error::ResponseDetails;

/// How long after its last confirmation a denial counts as new.
pub const REPEAT_WINDOW: Duration = Duration::from_mins(5);

/// An age that doubles while the same denial repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoublingAge {
    /// For a denial that was given for the first time.
    pub first: Duration,
    /// The bound for a repeated denial.
    pub longest: Duration,
}

/// A denial, and how often the Hub has confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// When the Hub was last asked because the age had run out.
    pub confirmed: Instant,
    /// How often the answer was the same.
    pub times: u32,
}

/// The Hub's rejection of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// When the request was sent.
    pub asked: Instant,
    /// How often it was repeated.
    pub repeated: Repeated,
    /// What the answer says about itself.
    pub response: ResponseDetails,
}

/// The maximum ages for one kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// For a denial that follows from an identity.
    pub denial: DoublingAge,
    /// For the Hub's rejection of a token.
    pub rejection: DoublingAge,
    /// Whether the age also applies to an unanswered request before a denial, so that a server that
    /// denies unknown callers does not send one request for each of them to a Hub in trouble.
    pub caches_failures: bool,
}

impl Freshness {
    /// For a user's own token: the user who reads the denial may be fixing its cause.
    pub const CLIENT: Self = Self {
        denial: DoublingAge {
            first: Duration::from_secs(2),
            longest: Duration::from_mins(1),
        },
        rejection: DoublingAge {
            first: Duration::from_secs(2),
            longest: REJECTION_LIFETIME,
        },
        caches_failures: false,
    };
    /// For the tokens of a server's callers, who may retry as often as they like.
    pub const SERVER: Self = Self {
        denial: DoublingAge::constant(REJECTION_LIFETIME),
        rejection: DoublingAge::constant(REJECTION_LIFETIME),
        caches_failures: true,
    };
}

impl DoublingAge {
    /// An age that stays the same.
    #[must_use]
    pub const fn constant(age: Duration) -> Self {
        Self {
            first: age,
            longest: age,
        }
    }

    /// The age for a denial with this history. One that was not confirmed recently counts as new.
    #[must_use]
    pub fn at(&self, history: Option<Repeated>, now: Instant) -> Duration {
        history
            .filter(|repeated| !repeated.is_forgotten(now))
            .map_or(self.first, |repeated| self.after(repeated.times))
    }

    /// The history of a denial after it was given once more, from an answer requested at `asked`.
    /// It changes only if that request was due to the age: a caller that asks the Hub every time
    /// anyway must not make others wait longer.
    #[must_use]
    pub fn confirm(&self, history: Option<Repeated>, asked: Instant) -> Repeated {
        let new = Repeated {
            confirmed: asked,
            times: 0,
        };
        match history {
            None => new,
            Some(known) if known.is_forgotten(asked) => new,
            Some(known) => {
                let since = asked.saturating_duration_since(known.confirmed);
                if since < self.after(known.times) {
                    return known;
                }
                Repeated {
                    confirmed: asked,
                    times: known.times.saturating_add(1),
                }
            }
        }
    }

    fn after(&self, times: u32) -> Duration {
        let factor = 1_u32.checked_shl(times).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

impl Repeated {
    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.confirmed) >= REPEAT_WINDOW
    }

    /// The later confirmation of the two.
    #[must_use]
    pub fn later(one: Option<Self>, another: Option<Self>) -> Option<Self> {
        one.into_iter()
            .chain(another)
            .max_by_key(|repeated| (repeated.confirmed, repeated.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: DoublingAge = Freshness::CLIENT.denial;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// How long each denial is trusted if the caller asks again as soon as it is not.
    fn ages(age: DoublingAge, number: usize) -> Vec<u64> {
        let mut now = Instant::now();
        let mut history = None;
        let mut ages = Vec::new();
        for _ in 0..number {
            history = Some(age.confirm(history, now));
            let trusted = age.at(history, now);
            ages.push(trusted.as_secs());
            now += trusted;
        }
        ages
    }

    #[test]
    fn an_age_doubles_up_to_its_bound() {
        assert_eq!(ages(AGE, 8), [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(ages(Freshness::CLIENT.rejection, 5), [2, 4, 8, 10, 10]);
        assert_eq!(ages(Freshness::SERVER.denial, 3), [10, 10, 10]);
    }

    #[test]
    fn a_caller_who_always_asks_makes_no_age_longer() {
        let start = Instant::now();
        let mut history = None;
        for number in 0..100 {
            let asked = start + Duration::from_millis(number * 10);
            history = Some(AGE.confirm(history, asked));
        }
        assert_eq!(AGE.at(history, start + seconds(1)), seconds(2));
    }

    #[test]
    fn an_answer_from_before_changes_nothing() {
        let now = Instant::now();
        let known = Repeated {
            confirmed: now + seconds(10),
            times: 3,
        };
        assert_eq!(AGE.confirm(Some(known), now), known);
    }

    #[test]
    fn a_no_that_has_not_come_up_for_minutes_is_a_new_one() {
        let now = Instant::now();
        let known = Some(Repeated {
            confirmed: now,
            times: 9,
        });
        assert_eq!(AGE.at(known, now + seconds(299)), seconds(60));
        assert_eq!(AGE.at(known, now + seconds(300)), seconds(2));
        assert_eq!(AGE.confirm(known, now + seconds(299)).times, 10);
        assert_eq!(AGE.confirm(known, now + seconds(300)).times, 0);
    }

    #[test]
    fn no_history_overflows() {
        let now = Instant::now();
        for times in [31, 32, 63, u32::MAX] {
            let known = Some(Repeated {
                confirmed: now,
                times,
            });
            assert_eq!(AGE.at(known, now), seconds(60));
            assert!(AGE.confirm(known, now + seconds(60)).times >= times);
        }
    }

    #[test]
    fn of_two_histories_the_later_counts() {
        let now = Instant::now();
        let repeated = |after, times| {
            Some(Repeated {
                confirmed: now + seconds(after),
                times,
            })
        };
        assert_eq!(
            Repeated::later(repeated(1, 5), repeated(2, 1)),
            repeated(2, 1)
        );
        assert_eq!(Repeated::later(None, repeated(2, 1)), repeated(2, 1));
        assert_eq!(Repeated::later(None, None), None);
    }
}
