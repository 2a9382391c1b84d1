//! Why a keyring did not do what it was asked, and what to do about it.

use std::time::Duration;

use crate::error::Error;
use crate::sanitize::redacted;

/// Why an operation did not succeed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The keyring was not asked: a setting has no valid value.
    Settings(Error),
    /// The caller stopped waiting.
    Interrupted,
    /// This is a CI job.
    InCi,
    /// There is no keyring service.
    Absent(String),
    /// The keyring is locked, and nobody can be asked to unlock it.
    Locked,
    /// The user dismissed the prompt, or it could not be shown.
    Dismissed,
    /// The service has not answered for this long.
    Silent(Duration),
    /// Anything else, to follow "the keyring".
    Other(String),
}

impl Failure {
    /// What happened and what to do, as a sentence without the final period.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Settings(error) => error.to_string(),
            Self::Interrupted => "the wait for the keyring was interrupted".to_owned(),
            Self::InCi => {
                "the keyring is not asked in CI (the variable CI is set), because nobody \
                           would answer its prompt. Hand the token over in HF_TOKEN, or use a \
                           trusted publisher"
                    .to_owned()
            }
            Self::Absent(reason) => format!(
                "there is no keyring service here ({}), as in most containers, in WSL and over \
                 ssh. Start one, such as gnome-keyring in a D-Bus session, or keep the token in a \
                 file (without --keyring) or in HF_TOKEN",
                redacted(reason)
            ),
            Self::Locked => "the keyring is locked, and there is no screen here on which it could \
                             ask for its password. Unlock it, for example by logging in to the \
                             desktop, and try again"
                .to_owned(),
            Self::Dismissed => "the prompt to unlock the keyring was dismissed, or could not be \
                                shown. Nothing was changed; try again and answer it"
                .to_owned(),
            Self::Silent(timeout) => format!(
                "the keyring has not answered for {} seconds. Answer its prompt if it shows one, \
                 or restart its service; HUBTOKEN_SOURCE_TIMEOUT sets how long to wait",
                timeout.as_secs_f64()
            ),
            Self::Other(problem) => format!(
                "the keyring {}. See whether the system's own program for passwords works",
                redacted(problem)
            ),
        }
    }

    /// Whether nothing was done for certain. After any other failure, the service may still carry
    /// out what it was asked.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        matches!(
            self,
            Self::Settings(_) | Self::InCi | Self::Absent(_) | Self::Locked | Self::Dismissed
        )
    }

    /// The same as an error.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self {
            Self::Settings(error) => error,
            Self::Interrupted => Error::Interrupted,
            failure => Error::Store(failure.sentence()),
        }
    }
}
