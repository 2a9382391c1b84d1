//! Queries slow sources: commands and notebook vaults.
//!
//! Concurrent callers share one run of a command: 64 threads run it once. The run has its own
//! thread, so Ctrl-C ends one caller's wait but not the run. A run that misses its deadline does
//! not delay later callers; its result is used if it finishes after all.
//!
//! A vault is queried once per process, since each query shows the user a dialog. A command's token
//! is reused for [`COMMAND_LIFETIME`], or until shortly before the expiry that the command
//! reported. Its failures are not cached.
//!
//! A forked child inherits its parent's cached results and never queries a notebook itself, because
//! the connection to the notebook's page belongs to the parent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::single_flight::{Boarding, Flight, Flights, Gone};
use crate::source::Notebook;
use crate::sync::lock;

/// The default time limit for a command or a vault, unless `HUBTOKEN_SOURCE_TIMEOUT` is set. The
/// user needs time to find and read a dialog.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How long a command's token is reused if the command reported no expiry.
pub const COMMAND_LIFETIME: Duration = Duration::from_mins(5);
/// A token that expires sooner than this is requested again.
pub const MARGIN: Duration = Duration::from_mins(1);

/// A slow source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Errand {
    /// A program with its arguments.
    Command(Vec<String>),
    /// The vault of a notebook.
    Vault(Notebook),
}

/// The result of querying a slow source.
#[derive(Clone)]
pub enum Told {
    /// A value that should be a token.
    Value {
        /// The text.
        text: Arc<Zeroizing<String>>,
        /// When it expires, if that was reported.
        expires_at: Option<SystemTime>,
    },
    /// It has no token.
    Absent,
    /// It may have a token, but denied this process access to it.
    Refused,
    /// The query failed. Describes the problem, without any value.
    Failed(String),
}

impl Told {
    /// A value without a known expiry.
    #[must_use]
    pub fn value(text: Zeroizing<String>) -> Self {
        Self::Value {
            text: Arc::new(text),
            expires_at: None,
        }
    }
}

/// The slow sources of a process, with their cached results.
#[derive(Default)]
pub struct Errands {
    known: Mutex<HashMap<Errand, (Instant, Told)>>,
    flights: Flights<Errand, Told>,
}

/// Sends the result, once. Dropping it unused sends a failure.
pub struct Tell {
    errands: Arc<Errands>,
    errand: Errand,
    flight: Arc<Flight<Told>>,
    told: Option<Told>,
}

impl Tell {
    /// Sends the result to all waiting callers, and caches it for later ones if it may be reused.
    pub fn tell(mut self, told: Told) {
        let keeps = match (&self.errand, &told) {
            (Errand::Vault(_), _) | (_, Told::Value { .. }) => true,
            (Errand::Command(_), _) => false,
        };
        if keeps {
            let now = Instant::now();
            lock(&self.errands.known).insert(self.errand.clone(), (now, told.clone()));
        }
        self.told = Some(told);
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        let told = self
            .told
            .take()
            .unwrap_or_else(|| Told::Failed("gave no answer".to_owned()));
        self.errands.flights.land(&self.errand, &self.flight, told);
    }
}

impl Errands {
    /// Returns the cached result, or waits for a query in flight, or starts one. `start` must not
    /// block.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`]. A timeout is not an error but a failed result.
    pub fn ask(
        self: &Arc<Self>,
        errand: &Errand,
        patience: Duration,
        interrupt: &dyn Interrupt,
        start: impl FnOnce(Tell),
    ) -> Result<Told, Error> {
        let flight = match self
            .flights
            .board(errand, Instant::now(), None, || self.known(errand))
        {
            Boarding::Answered(told) => return Ok(told),
            Boarding::Follow(flight) | Boarding::Wait(flight) => flight,
            Boarding::Lead(flight) => {
                start(Tell {
                    errands: Arc::clone(self),
                    errand: errand.clone(),
                    flight: Arc::clone(&flight),
                    told: None,
                });
                flight
            }
        };
        match flight.wait(patience.saturating_sub(flight.age()), interrupt) {
            Ok(told) => Ok(told),
            Err(Gone::Interrupted) => Err(Error::Interrupted),
            Err(Gone::TimedOut) => Ok(Told::Failed(format!(
                "has not answered for {} seconds",
                flight.age().as_secs()
            ))),
        }
    }

    /// Whether a result is cached, so that [`Errands::ask`] starts no query.
    #[must_use]
    pub fn knows(&self, errand: &Errand) -> bool {
        self.known(errand).is_some()
    }

    fn known(&self, errand: &Errand) -> Option<Told> {
        let known = lock(&self.known);
        let (since, told) = known.get(errand)?;
        let is_good = match (errand, told) {
            (Errand::Vault(_), _) => true,
            (_, Told::Value { expires_at, .. }) => match expires_at {
                // Compared with the wall clock, because the expiry is a wall-clock time.
                Some(end) => end
                    .duration_since(SystemTime::now())
                    .is_ok_and(|left| left > MARGIN),
                None => since.elapsed() < COMMAND_LIFETIME,
            },
            _ => false,
        };
        is_good.then(|| told.clone())
    }

    /// Clears all cached results.
    pub fn clear(&self) {
        lock(&self.known).clear();
    }

    /// The state for a forked child: its parent's cached results, since the child cannot query a
    /// notebook itself. Empty if another thread of the parent held the lock at the fork.
    #[must_use]
    pub fn inherited(&self) -> Self {
        let known = self.known.try_lock().map(|known| known.clone());
        Self {
            known: Mutex::new(known.unwrap_or_default()),
            flights: Flights::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::interrupt::Never;

    const MINUTE: Duration = Duration::from_mins(1);

    fn value(text: &str) -> Told {
        Told::value(Zeroizing::new(text.to_owned()))
    }

    fn text(told: &Told) -> &str {
        match told {
            Told::Value { text, .. } => text.as_str(),
            Told::Absent => "absent",
            Told::Refused => "refused",
            Told::Failed(problem) => problem,
        }
    }

    fn command() -> Errand {
        Errand::Command(vec!["program".to_owned()])
    }

    #[test]
    fn many_who_ask_at_once_send_one() {
        let errands = Arc::new(Errands::default());
        let sent = AtomicUsize::new(0);
        let together = Barrier::new(16);
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        together.wait();
                        errands.ask(&command(), MINUTE, &Never, |tell| {
                            sent.fetch_add(1, Ordering::Relaxed);
                            std::thread::spawn(move || tell.tell(value("a")));
                        })
                    })
                })
                .collect();
            for caller in callers {
                assert_eq!(text(&caller.join().unwrap().unwrap()), "a");
            }
        });
        assert_eq!(sent.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_vault_is_asked_once_and_a_failed_command_again() {
        let errands = Arc::new(Errands::default());
        for (errand, answers) in [
            (Errand::Vault(Notebook::Colab), ["refused", "refused"]),
            (command(), ["refused", "absent"]),
        ] {
            for (told, expected) in [Told::Refused, Told::Absent].into_iter().zip(answers) {
                let told = errands
                    .ask(&errand, MINUTE, &Never, |tell| tell.tell(told))
                    .unwrap();
                assert_eq!(text(&told), expected);
            }
        }
        errands.clear();
        let told = errands
            .ask(&Errand::Vault(Notebook::Colab), MINUTE, &Never, |tell| {
                tell.tell(value("a"));
            })
            .unwrap();
        assert_eq!(text(&told), "a");
    }

    #[test]
    fn a_commands_token_is_used_until_shortly_before_its_end() {
        let errands = Arc::new(Errands::default());
        let ask = |text: &str, left: i64| {
            let now = SystemTime::now();
            let end = Duration::from_secs(left.unsigned_abs());
            let told = Told::Value {
                text: Arc::new(Zeroizing::new(text.to_owned())),
                expires_at: Some(if left < 0 { now - end } else { now + end }),
            };
            errands
                .ask(&command(), MINUTE, &Never, |tell| tell.tell(told))
                .unwrap()
        };
        // Expired, or nearly: used by the caller that requested it, but not reused.
        assert_eq!(text(&ask("a", -3600)), "a");
        assert_eq!(text(&ask("b", 30)), "b");
        assert_eq!(text(&ask("c", 3600)), "c");
        assert_eq!(text(&ask("d", 3600)), "c");
    }

    #[test]
    fn nobody_waits_twice_for_who_does_not_come_back() {
        let errands = Arc::new(Errands::default());
        let vault = Errand::Vault(Notebook::Kaggle);
        let mut kept = None;
        let patience = Duration::from_millis(30);
        let told = errands
            .ask(&vault, patience, &Never, |tell| kept = Some(tell))
            .unwrap();
        assert!(text(&told).contains("has not answered"));
        let asked = Instant::now();
        let told = errands
            .ask(&vault, patience, &Never, |_| {
                unreachable!("somebody is on the way")
            })
            .unwrap();
        assert!(text(&told).contains("has not answered"));
        assert!(asked.elapsed() < MINUTE);
        // The result arrives after all.
        kept.unwrap().tell(value("late"));
        let told = errands.ask(&vault, patience, &Never, drop).unwrap();
        assert_eq!(text(&told), "late");
    }

    #[test]
    fn who_is_interrupted_leaves_the_errand_to_the_others() {
        struct Always;
        impl Interrupt for Always {
            fn is_set(&self) -> bool {
                true
            }
        }
        let errands = Arc::new(Errands::default());
        let mut kept = None;
        let gone = errands.ask(&command(), MINUTE, &Always, |tell| kept = Some(tell));
        assert!(matches!(gone, Err(Error::Interrupted)));
        kept.unwrap().tell(value("a"));
        let told = errands.ask(&command(), MINUTE, &Always, drop).unwrap();
        assert_eq!(text(&told), "a");
    }

    #[test]
    fn who_vanishes_has_failed() {
        let errands = Arc::new(Errands::default());
        let told = errands.ask(&command(), MINUTE, &Never, drop).unwrap();
        assert_eq!(text(&told), "gave no answer");
    }
}
