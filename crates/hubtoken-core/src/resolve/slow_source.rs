//! Queries slow sources: commands, notebook vaults and the system's keyring.
//!
//! Concurrent callers share one run of a command: 64 threads run it once. The run has its own
//! thread, so Ctrl-C ends one caller's wait but not the run, unless nobody else waits for it: a
//! command is then stopped. A run that misses its deadline does not delay later callers; its result
//! is used if it finishes after all.
//!
//! A vault is queried once per process, since each query shows the user a dialog. A command's token
//! is reused for [`COMMAND_LIFETIME`], or until shortly before the expiry that the command
//! reported. Its failures are not cached.
//!
//! A forked child inherits its parent's cached results and never queries a notebook itself, because
//! the connection to the notebook's page belongs to the parent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

use crate::error::Error;
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::single_flight::{InFlight, Joined, SingleFlight, WaitError};
use crate::source::Notebook;
use crate::sync::lock_ignoring_poison;

/// How long a command's token is reused if the command reported no expiry.
pub const COMMAND_LIFETIME: Duration = Duration::from_mins(5);
/// A token that expires sooner than this is requested again.
pub const EXPIRY_MARGIN: Duration = Duration::from_mins(1);
/// How long to wait for a command to be stopped.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A slow source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SlowSource {
    /// A program with its arguments.
    Command(Vec<String>),
    /// The vault of a notebook.
    Vault(Notebook),
    /// An item of the system's keyring, by its ID. Its value never changes.
    Keyring(String),
}

/// The result of querying a slow source.
#[derive(Clone)]
pub enum SourceAnswer {
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

impl SourceAnswer {
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
pub struct SlowSources {
    cached: Mutex<HashMap<SlowSource, (Instant, SourceAnswer)>>,
    runs: SingleFlight<SlowSource, SourceAnswer>,
    waiters: Mutex<HashMap<SlowSource, Arc<Waiters>>>,
    /// Whether the cached results were cleared: a caller wants new ones.
    cleared: AtomicBool,
}

/// Who waits for a run.
#[derive(Default)]
struct Waiters {
    number: AtomicUsize,
    /// Whether the run should stop, since nobody waits for it any longer.
    stop: AtomicBool,
}

/// Asks a run to stop.
pub struct StopRequest(Arc<Waiters>);

impl Interrupt for StopRequest {
    fn is_set(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }
}

/// Sends the result, once. Dropping it unused sends a failure.
pub struct Responder {
    sources: Arc<SlowSources>,
    source: SlowSource,
    run: Arc<InFlight<SourceAnswer>>,
    answer: Option<SourceAnswer>,
    waiters: Arc<Waiters>,
}

impl Responder {
    /// Set when nobody waits for the result any longer.
    #[must_use]
    pub fn stop_request(&self) -> StopRequest {
        StopRequest(Arc::clone(&self.waiters))
    }

    /// Sends the result to all waiting callers, and caches it for later ones if it may be reused.
    pub fn send(mut self, answer: SourceAnswer) {
        let keeps = match (&self.source, &answer) {
            (SlowSource::Vault(_), _) | (_, SourceAnswer::Value { .. }) => true,
            (SlowSource::Command(_) | SlowSource::Keyring(_), _) => false,
        };
        if keeps {
            let now = Instant::now();
            lock_ignoring_poison(&self.sources.cached)
                .insert(self.source.clone(), (now, answer.clone()));
        }
        self.answer = Some(answer);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let answer = self
            .answer
            .take()
            .unwrap_or_else(|| SourceAnswer::Failed("gave no answer".to_owned()));
        lock_ignoring_poison(&self.sources.waiters).remove(&self.source);
        self.sources.runs.complete(&self.source, &self.run, answer);
    }
}

impl SlowSources {
    /// Returns the cached result, or waits for a query in flight, or starts one. `start` must not
    /// block.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`]. A timeout is not an error but a failed result.
    pub fn ask(
        self: &Arc<Self>,
        source: &SlowSource,
        timeout: Duration,
        interrupt: &dyn Interrupt,
        start: impl FnOnce(Responder),
    ) -> Result<SourceAnswer, Error> {
        let (run, waiters) = match self
            .runs
            .join(source, Instant::now(), None, || self.cached(source))
        {
            Joined::Cached(answer) => return Ok(answer),
            Joined::Follower(run) | Joined::Superseded(run) => (run, self.wait_for(source)),
            Joined::Leader(run) => {
                let waiters = self.wait_for(source);
                start(Responder {
                    waiters: Arc::clone(&waiters),
                    sources: Arc::clone(self),
                    source: source.clone(),
                    run: Arc::clone(&run),
                    answer: None,
                });
                (run, waiters)
            }
        };
        let outcome = run.wait(timeout.saturating_sub(run.age()), interrupt);
        let is_last = waiters.number.fetch_sub(1, Ordering::Relaxed) == 1;
        match outcome {
            Ok(answer) => Ok(answer),
            Err(WaitError::Interrupted) => {
                if is_last && matches!(source, SlowSource::Command(_)) {
                    waiters.stop.store(true, Ordering::Relaxed);
                    // The caller may end this process, and with it the thread that stops the
                    // command.
                    let _ = run.wait(STOP_GRACE, &NeverInterrupted);
                }
                Err(Error::Interrupted)
            }
            Err(WaitError::TimedOut) => Ok(SourceAnswer::Failed(format!(
                "has not answered for {} seconds",
                run.age().as_secs()
            ))),
        }
    }

    fn wait_for(&self, source: &SlowSource) -> Arc<Waiters> {
        let mut waiters = lock_ignoring_poison(&self.waiters);
        let waiters = waiters.entry(source.clone()).or_default();
        waiters.number.fetch_add(1, Ordering::Relaxed);
        Arc::clone(waiters)
    }

    /// Whether a query would return another value than this one, as far as that is known without
    /// one: the cached value is another one, or there is none since the results were cleared.
    #[must_use]
    pub fn may_have_changed(&self, source: &SlowSource, is_same: impl Fn(&str) -> bool) -> bool {
        match self.cached(source) {
            Some(SourceAnswer::Value { text, .. }) => !is_same(&text),
            Some(_) => false,
            None => self.cleared.load(Ordering::Relaxed),
        }
    }

    /// Whether a result is cached, so that [`SlowSources::ask`] starts no query.
    #[must_use]
    pub fn has_cached(&self, source: &SlowSource) -> bool {
        self.cached(source).is_some()
    }

    fn cached(&self, source: &SlowSource) -> Option<SourceAnswer> {
        let cached = lock_ignoring_poison(&self.cached);
        let (since, answer) = cached.get(source)?;
        let is_good = match (source, answer) {
            (SlowSource::Vault(_), _) => true,
            (_, SourceAnswer::Value { expires_at, .. }) => match expires_at {
                // Compared with the wall clock, because the expiry is a wall-clock time.
                Some(end) => end
                    .duration_since(SystemTime::now())
                    .is_ok_and(|left| left > EXPIRY_MARGIN),
                None => since.elapsed() < COMMAND_LIFETIME,
            },
            _ => false,
        };
        is_good.then(|| answer.clone())
    }

    /// Clears all cached results.
    pub fn clear(&self) {
        self.cleared.store(true, Ordering::Relaxed);
        lock_ignoring_poison(&self.cached).clear();
    }

    /// The state for a forked child: its parent's cached results, since the child cannot query a
    /// notebook itself. Empty if another thread of the parent held the lock at the fork.
    #[must_use]
    pub fn after_fork(&self) -> Self {
        let cached = self.cached.try_lock().map(|cached| cached.clone());
        Self {
            cached: Mutex::new(cached.unwrap_or_default()),
            cleared: AtomicBool::new(self.cleared.load(Ordering::Relaxed)),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn value(text: &str) -> SourceAnswer {
        SourceAnswer::value(Zeroizing::new(text.to_owned()))
    }

    fn text(answer: &SourceAnswer) -> &str {
        match answer {
            SourceAnswer::Value { text, .. } => text.as_str(),
            SourceAnswer::Absent => "absent",
            SourceAnswer::Refused => "refused",
            SourceAnswer::Failed(problem) => problem,
        }
    }

    fn command() -> SlowSource {
        SlowSource::Command(vec!["program".to_owned()])
    }

    #[test]
    fn concurrent_callers_share_one_run() {
        let sources = Arc::new(SlowSources::default());
        let sent = AtomicUsize::new(0);
        let together = Barrier::new(16);
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        together.wait();
                        sources.ask(&command(), MINUTE, &NeverInterrupted, |responder| {
                            sent.fetch_add(1, Ordering::Relaxed);
                            std::thread::spawn(move || responder.send(value("a")));
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
        let sources = Arc::new(SlowSources::default());
        for (source, answers) in [
            (SlowSource::Vault(Notebook::Colab), ["refused", "refused"]),
            (command(), ["refused", "absent"]),
        ] {
            for (answer, expected) in [SourceAnswer::Refused, SourceAnswer::Absent]
                .into_iter()
                .zip(answers)
            {
                let answer = sources
                    .ask(&source, MINUTE, &NeverInterrupted, |responder| {
                        responder.send(answer);
                    })
                    .unwrap();
                assert_eq!(text(&answer), expected);
            }
        }
        sources.clear();
        let answer = sources
            .ask(
                &SlowSource::Vault(Notebook::Colab),
                MINUTE,
                &NeverInterrupted,
                |responder| {
                    responder.send(value("a"));
                },
            )
            .unwrap();
        assert_eq!(text(&answer), "a");
    }

    #[test]
    fn a_commands_token_is_used_until_shortly_before_its_end() {
        let sources = Arc::new(SlowSources::default());
        let ask = |text: &str, left: i64| {
            let now = SystemTime::now();
            let end = Duration::from_secs(left.unsigned_abs());
            let answer = SourceAnswer::Value {
                text: Arc::new(Zeroizing::new(text.to_owned())),
                expires_at: Some(if left < 0 { now - end } else { now + end }),
            };
            sources
                .ask(&command(), MINUTE, &NeverInterrupted, |responder| {
                    responder.send(answer);
                })
                .unwrap()
        };
        // Expired, or nearly: used by the caller that requested it, but not reused.
        assert_eq!(text(&ask("a", -3600)), "a");
        assert_eq!(text(&ask("b", 30)), "b");
        assert_eq!(text(&ask("c", 3600)), "c");
        assert_eq!(text(&ask("d", 3600)), "c");
    }

    #[test]
    fn a_run_that_missed_its_deadline_is_not_waited_for_again() {
        let sources = Arc::new(SlowSources::default());
        let vault = SlowSource::Vault(Notebook::Kaggle);
        let mut kept = None;
        let timeout = Duration::from_millis(30);
        let answer = sources
            .ask(&vault, timeout, &NeverInterrupted, |responder| {
                kept = Some(responder);
            })
            .unwrap();
        assert!(text(&answer).contains("has not answered"));
        let asked = Instant::now();
        let answer = sources
            .ask(&vault, timeout, &NeverInterrupted, |_| {
                unreachable!("a run is in progress")
            })
            .unwrap();
        assert!(text(&answer).contains("has not answered"));
        assert!(asked.elapsed() < MINUTE);
        // The result arrives after all.
        kept.unwrap().send(value("late"));
        let answer = sources
            .ask(&vault, timeout, &NeverInterrupted, drop)
            .unwrap();
        assert_eq!(text(&answer), "late");
    }

    struct Always;

    impl Interrupt for Always {
        fn is_set(&self) -> bool {
            true
        }
    }

    #[test]
    fn an_interrupted_caller_leaves_the_run_to_the_others() {
        let sources = Arc::new(SlowSources::default());
        let vault = SlowSource::Vault(Notebook::Colab);
        let mut kept = None;
        let gone = sources.ask(&vault, MINUTE, &Always, |responder| {
            kept = Some(responder);
        });
        assert!(matches!(gone, Err(Error::Interrupted)));
        let responder = kept.unwrap();
        // A vault cannot be stopped.
        assert!(!responder.stop_request().is_set());
        responder.send(value("a"));
        let answer = sources.ask(&vault, MINUTE, &Always, drop).unwrap();
        assert_eq!(text(&answer), "a");
    }

    #[test]
    fn a_command_is_stopped_when_nobody_waits_for_it() {
        let sources = Arc::new(SlowSources::default());
        let outcome = sources.ask(&command(), MINUTE, &Always, |responder| {
            std::thread::spawn(move || {
                let stop = responder.stop_request();
                while !stop.is_set() {
                    std::thread::yield_now();
                }
                responder.send(SourceAnswer::Failed("was stopped".to_owned()));
            });
        });
        assert!(matches!(outcome, Err(Error::Interrupted)));
        // Another caller starts a run of its own.
        let answer = sources
            .ask(&command(), MINUTE, &NeverInterrupted, |responder| {
                assert!(!responder.stop_request().is_set());
                responder.send(value("a"));
            })
            .unwrap();
        assert_eq!(text(&answer), "a");
    }

    #[test]
    fn a_command_goes_on_while_another_caller_waits() {
        let sources = Arc::new(SlowSources::default());
        let (started, start) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                sources.ask(&command(), MINUTE, &NeverInterrupted, |responder| {
                    started.send(responder).unwrap();
                })
            });
            let responder = start.recv().unwrap();
            let gone = sources.ask(&command(), MINUTE, &Always, drop);
            assert!(matches!(gone, Err(Error::Interrupted)));
            assert!(!responder.stop_request().is_set());
            responder.send(value("a"));
            assert_eq!(text(&first.join().unwrap().unwrap()), "a");
        });
    }

    #[test]
    fn a_responder_that_is_dropped_has_failed() {
        let sources = Arc::new(SlowSources::default());
        let answer = sources
            .ask(&command(), MINUTE, &NeverInterrupted, drop)
            .unwrap();
        assert_eq!(text(&answer), "gave no answer");
    }
}
