//! Keeps the tokens that this process holds valid.
//!
//! [`Renewer::current`] is asked wherever a token is about to be used. It costs nothing for a token
//! that is not renewed, and a look at the clock for one that is not due. A renewal that is due is
//! made once for all threads ([`SingleFlight`]) and for all processes ([`TokenStore::renew`](crate::store::token_store::TokenStore::renew)), on a
//! thread of its own: a caller that is interrupted leaves, and the answer still gets to the disk.
//!
//! A failure does not take the old token away, which is valid to its end. `invalid_grant` means that
//! the login has ended: nothing is tried again in this process, and after the end of the old token
//! that is the error. Any other failure says nothing about the login: the renewal is tried again
//! after five minutes, and meanwhile the old token is used, after its end as well, since this
//! machine's clock may be wrong and the Hub knows better.

mod shared;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::shared::{Completion, Outcome, Renewed, Shared, Standing, unix_seconds};
use super::token_endpoint::client_id;
use crate::clock::Clock;
use crate::credential::{Credential, Renewal};
use crate::env::Environment;
use crate::error::{Error, UnknownKind};
use crate::http::{Settings, Transport};
use crate::interrupt::Interrupt;
use crate::paths::Paths;
use crate::runtime::Runtime;
use crate::single_flight::{Joined, SingleFlight, WaitError};
use crate::sync::lock_ignoring_poison;
use crate::token::Digest;

/// How long a caller waits: for another process that holds the lock, and then for the Hub.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// How many renewals may follow each other in one call: that of another process, which may be due
/// as well by now, and one of its own.
const ROUNDS: usize = 3;

/// What a renewal takes from the environment.
#[derive(Clone)]
pub struct RenewalSettings {
    paths: Paths,
    http: Settings,
    client_id: String,
}

impl RenewalSettings {
    /// Reads the environment.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        Self {
            paths: Paths::new(environment),
            http: Settings::read(environment),
            client_id: client_id(environment),
        }
    }
}

/// A token as it is now.
#[derive(Debug)]
pub struct Current {
    /// The token.
    pub credential: Arc<Credential>,
    /// The tokens that were replaced in this call, whose cached identities are outdated.
    pub replaced: Vec<Digest>,
    /// Warnings for the user that were not given before.
    pub warnings: Vec<String>,
}

/// Renews the tokens of a process.
pub struct Renewer {
    shared: Arc<Shared>,
    /// What the user was told, by the value and what it was about.
    warned: Mutex<HashSet<String>>,
}

impl Renewer {
    /// A renewer that has not renewed anything yet.
    #[must_use]
    pub fn new(transport: Arc<Transport>, runtime: Arc<Runtime>, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                transport,
                runtime,
                clock,
                renewals: SingleFlight::default(),
                standings: Mutex::default(),
                unstored: Mutex::default(),
            }),
            warned: Mutex::default(),
        }
    }

    /// Whether [`Renewer::current`] would do more than to return the latest value.
    #[must_use]
    pub fn is_due(&self, credential: &Arc<Credential>) -> bool {
        let Some(renewal) = &credential.renewal else {
            return false;
        };
        let now = self.shared.clock.timestamp();
        let is_due = |renewal: &Renewal| renewal.is_due(unix_seconds(now));
        if !is_due(renewal) && !self.shared.has_unstored(now.instant) {
            return false;
        }
        let latest = credential.latest();
        self.shared.has_unstored(now.instant)
            || (latest.renewal.as_deref().is_some_and(is_due)
                && (self.shared.standing(latest.token.digest()).is_none()
                    || latest.expires_at.has_passed_at(now.wall)))
    }

    /// The token as it is now, renewed if that is due. `settings` is asked only then.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`] if the token has expired and its login has ended,
    /// [`Error::Interrupted`].
    pub fn current(
        &self,
        credential: &Arc<Credential>,
        settings: impl FnOnce() -> RenewalSettings,
        interrupt: &dyn Interrupt,
    ) -> Result<Current, Error> {
        let mut current = Current {
            credential: credential.latest(),
            replaced: Vec::new(),
            warnings: Vec::new(),
        };
        if credential.renewal.is_none() {
            return Ok(current);
        }
        self.store_again(&mut current);
        let mut settings = Some(settings);
        let mut known: Option<RenewalSettings> = None;
        for _ in 0..ROUNDS {
            let Some(renewal) = &current.credential.renewal else {
                break;
            };
            if !renewal.is_due(unix_seconds(self.shared.clock.timestamp())) {
                break;
            }
            if known.is_none() {
                known = settings.take().map(|read| read());
            }
            let Some(settings) = &known else { break };
            match self.renew(&current.credential, settings, interrupt)? {
                Ok(renewed) => {
                    current.replaced.push(current.credential.token.digest());
                    let warnings = renewed.warnings.into_iter();
                    current
                        .warnings
                        .extend(warnings.filter(|warning| self.is_new(warning.clone())));
                    current.credential = renewed.credential;
                }
                Err(standing) => {
                    self.fall_back(&mut current, standing)?;
                    break;
                }
            }
        }
        Ok(current)
    }

    /// Forgets failures, so that the next use tries again, and what the user was told.
    pub fn clear(&self) {
        lock_ignoring_poison(&self.shared.standings).clear();
        lock_ignoring_poison(&self.warned).clear();
    }

    /// Joins the renewal of a value, or starts it.
    fn renew(
        &self,
        credential: &Arc<Credential>,
        settings: &RenewalSettings,
        interrupt: &dyn Interrupt,
    ) -> Result<Outcome, Error> {
        let digest = credential.token.digest();
        let shared = &self.shared;
        let known = || {
            let latest = credential.latest();
            if !Arc::ptr_eq(&latest, credential) {
                return Some(Ok(Renewed {
                    credential: latest,
                    warnings: Vec::new(),
                }));
            }
            shared.standing(digest).map(Err)
        };
        let now = shared.clock.now();
        let in_flight = match shared.renewals.join(&digest, now, None, known) {
            Joined::Cached(outcome) => return Ok(outcome),
            Joined::Follower(in_flight) | Joined::Superseded(in_flight) => in_flight,
            Joined::Leader(in_flight) => {
                let completion = Completion {
                    shared: Arc::clone(shared),
                    digest,
                    in_flight: Arc::clone(&in_flight),
                    outcome: None,
                };
                let (old, settings) = (Arc::clone(credential), settings.clone());
                let thread = std::thread::Builder::new().name("hubtoken-renewal".to_owned());
                // Without a thread, the completion reports that when it is dropped.
                let _ = thread.spawn(move || completion.complete(&old, &settings));
                in_flight
            }
        };
        match in_flight.wait(LONGEST_WAIT, interrupt) {
            Ok(outcome) => {
                if let (Ok(renewed), Some(renewal)) = (&outcome, &credential.renewal) {
                    // Another object may hold the same value.
                    renewal.succeed(&renewed.credential);
                }
                Ok(outcome)
            }
            Err(WaitError::Interrupted) => Err(Error::Interrupted),
            Err(WaitError::TimedOut) => Ok(Err(shared.failed(Error::unknown(
                "another process renews the token, and is not done after a minute",
            )))),
        }
    }

    /// What happens to a token that is not renewed: it is used to its end, and the user is told why.
    fn fall_back(&self, current: &mut Current, standing: Standing) -> Result<(), Error> {
        let credential = &current.credential;
        let now = self.shared.clock.timestamp();
        let has_passed = credential.expires_at.has_passed_at(now.wall);
        match standing {
            Standing::Ended { failure, .. } => {
                let error = failure.into_error(
                    &format!("the renewal of {}", credential.describe()),
                    if has_passed {
                        "The token has expired as well: log in again with `hubtoken login`"
                    } else {
                        "The token is used until it expires: log in again with `hubtoken login`"
                    },
                );
                if has_passed {
                    return Err(Error::InvalidToken {
                        source_name: credential.source.to_string(),
                        response: error.response(),
                        message: match error {
                            Error::Login { message, .. } => message,
                            error => error.to_string(),
                        },
                    });
                }
                if self.is_new(format!("ended {}", credential.token.digest().fingerprint())) {
                    current.warnings.push(error.to_string());
                }
            }
            Standing::Failed { error, .. } => {
                if matches!(
                    error,
                    Error::Unknown {
                        kind: UnknownKind::Offline,
                        ..
                    }
                ) && !has_passed
                {
                    // Nothing is wrong, and it is what the user asked for.
                    return Ok(());
                }
                let state = if has_passed {
                    "It has expired by this machine's clock, and is used nevertheless: nothing is \
                     known against the login"
                } else {
                    "It is used as it is"
                };
                if self.is_new(format!("failed {has_passed}")) {
                    current.warnings.push(format!(
                        "{} was not renewed: {error}. {state}, and the renewal is tried again \
                         every five minutes",
                        credential.describe()
                    ));
                }
            }
            Standing::Gone { .. } => {}
        }
        Ok(())
    }

    /// Tries to store what could not be stored before.
    fn store_again(&self, current: &mut Current) {
        for warning in self.shared.store_again() {
            if self.is_new(warning.clone()) {
                current.warnings.push(warning);
            }
        }
    }

    /// Whether the user was not told something before.
    fn is_new(&self, what: String) -> bool {
        lock_ignoring_poison(&self.warned).insert(what)
    }
}

#[cfg(test)]
mod tests;
