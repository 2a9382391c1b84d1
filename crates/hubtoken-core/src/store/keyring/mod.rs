//! Keeps the values of chosen tokens in the system's keyring: the Secret Service, the macOS
//! keychain, the Windows credential manager.
//!
//! The keyring is another program, and may ask the user for a password, be locked, be missing, or
//! hang. Each operation therefore runs on its own thread and has a deadline, and each of these
//! outcomes has a sentence of its own that says what to do ([`Failure`]). In CI nobody answers a
//! prompt, so the keyring is not asked there at all.
//!
//! What is in the keyring is found by a random ID, which `stored_tokens` has together with the
//! value's digest: see [`KeyringItem`]. The keyring is asked for one value at a time, and only when
//! the token is asked for by name.

mod failure;
mod item;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(any(target_os = "macos", windows))]
#[path = "native.rs"]
mod system;
#[cfg(all(unix, not(target_os = "macos")))]
#[path = "secret_service.rs"]
mod system;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

pub use self::failure::Failure;
pub(crate) use self::item::FIELD;
pub use self::item::KeyringItem;
use self::system::SystemKeyring;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::single_flight::{Joined, SingleFlight, WaitError};
use crate::source_timeout::source_timeout;

/// The service that all items are stored under.
pub const SERVICE: &str = "hubtoken";

/// A place for secrets, each under an ID. Its methods block.
pub trait Keyring: Send + Sync {
    /// Stores a value. `label` is what the system's own programs show.
    ///
    /// # Errors
    ///
    /// Why the value was not stored.
    fn write(&self, id: &str, label: &Label, value: &str) -> Result<(), Failure>;

    /// Changes what the system's own programs show of an item, if there is one.
    ///
    /// # Errors
    ///
    /// Why they may still show something else.
    fn relabel(&self, id: &str, label: &Label) -> Result<(), Failure>;

    /// The value of an item; `None` if there is no such item.
    ///
    /// # Errors
    ///
    /// Why it cannot be told.
    fn read(&self, id: &str) -> Result<Option<Zeroizing<String>>, Failure>;

    /// Removes an item, if there is one.
    ///
    /// # Errors
    ///
    /// Why it may still be there.
    fn delete(&self, id: &str) -> Result<(), Failure>;
}

/// What the system's own programs show of an item.
#[derive(Clone, Debug)]
pub struct Label {
    /// The token's name.
    pub name: String,
    /// Its Hub.
    pub endpoint: String,
}

/// The keyring of an environment, and how it may be asked.
#[derive(Clone)]
pub struct KeyringAccess {
    keyring: Arc<dyn Keyring>,
    is_in_ci: bool,
    timeout: Result<Duration, Error>,
}

impl KeyringAccess {
    /// The system's keyring. Nothing is asked for this.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        Self {
            keyring: Arc::new(SystemKeyring::read(environment)),
            is_in_ci: is_in_ci(environment),
            timeout: source_timeout(environment),
        }
    }

    /// Another keyring.
    #[cfg(test)]
    pub(crate) fn of(keyring: Arc<dyn Keyring>, timeout: Duration) -> Self {
        Self {
            keyring,
            is_in_ci: false,
            timeout: Ok(timeout),
        }
    }

    /// The keyring and its deadline.
    ///
    /// # Errors
    ///
    /// [`Failure::InCi`], or [`Failure::Settings`] for a deadline that is none.
    pub(crate) fn open(&self) -> Result<(Arc<dyn Keyring>, Duration), Failure> {
        if self.is_in_ci {
            return Err(Failure::InCi);
        }
        let timeout = self.timeout.clone().map_err(Failure::Settings)?;
        Ok((Arc::clone(&self.keyring), timeout))
    }

    /// Stores a value, and reads it back.
    pub(super) fn write(
        &self,
        id: &str,
        label: Label,
        value: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<(), Failure> {
        let (id, value) = (id.to_owned(), Zeroizing::new(value.to_owned()));
        self.ask(interrupt, move |keyring| {
            keyring.write(&id, &label, &value)?;
            match keyring.read(&id)? {
                Some(read) if *read == *value => Ok(()),
                _ => {
                    // What it has instead is of no use to anybody.
                    let _ = keyring.delete(&id);
                    Err(Failure::Other(
                        "did not return what was stored in it".to_owned(),
                    ))
                }
            }
        })
    }

    /// Changes what the system's own programs show of an item.
    pub(super) fn relabel(
        &self,
        id: &str,
        label: Label,
        interrupt: &dyn Interrupt,
    ) -> Result<(), Failure> {
        let id = id.to_owned();
        self.ask(interrupt, move |keyring| keyring.relabel(&id, &label))
    }

    /// The value of an item.
    pub(super) fn value(
        &self,
        id: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<Option<Arc<Zeroizing<String>>>, Failure> {
        let id = id.to_owned();
        self.ask(interrupt, move |keyring| {
            Ok(keyring.read(&id)?.map(Arc::new))
        })
    }

    /// Removes an item.
    pub(super) fn delete(&self, id: &str, interrupt: &dyn Interrupt) -> Result<(), Failure> {
        let id = id.to_owned();
        self.ask(interrupt, move |keyring| keyring.delete(&id))
    }

    /// Runs an operation on a thread of its own, and waits until the deadline.
    fn ask<T: Clone + Send + Sync + 'static>(
        &self,
        interrupt: &dyn Interrupt,
        operation: impl FnOnce(&dyn Keyring) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (keyring, timeout) = self.open()?;
        let operations = Arc::new(SingleFlight::<(), Result<T, Failure>>::default());
        let run = match operations.join(&(), Instant::now(), None, || None) {
            Joined::Leader(run) | Joined::Follower(run) | Joined::Superseded(run) => run,
            Joined::Cached(answer) => return answer,
        };
        let answered = Arc::clone(&run);
        thread::spawn(move || {
            let answer = operation(&*keyring);
            operations.complete(&(), &answered, answer);
        });
        match run.wait(timeout, interrupt) {
            Ok(answer) => answer,
            Err(WaitError::Interrupted) => Err(Failure::Interrupted),
            Err(WaitError::TimedOut) => Err(Failure::Silent(timeout)),
        }
    }
}

/// Whether this is a CI job, where nobody answers a prompt. Every CI service sets `CI`.
fn is_in_ci(environment: &dyn Environment) -> bool {
    env::text(environment, env::CI)
        .is_some_and(|value| !matches!(value.trim().to_lowercase().as_str(), "0" | "false"))
}

#[cfg(test)]
mod tests;
