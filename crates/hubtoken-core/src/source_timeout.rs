//! How long a source may take that waits for a person or another program: a command, a notebook's
//! vault, the system's keyring.

use std::time::Duration;

use crate::env::{self, Environment};
use crate::error::Error;

/// The time limit unless `HUBTOKEN_SOURCE_TIMEOUT` is set. The user needs time to find and read a
/// dialog.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// The maximum value of `HUBTOKEN_SOURCE_TIMEOUT`.
const MAXIMUM_TIMEOUT: Duration = Duration::from_hours(24);

/// The time limit that an environment sets.
///
/// # Errors
///
/// [`Error::Configuration`] if the variable has another value than a number of seconds.
pub fn source_timeout(environment: &dyn Environment) -> Result<Duration, Error> {
    let Some(text) = env::text(environment, env::HUBTOKEN_SOURCE_TIMEOUT) else {
        return Ok(DEFAULT_TIMEOUT);
    };
    text.trim()
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| !timeout.is_zero() && *timeout <= MAXIMUM_TIMEOUT)
        .ok_or_else(|| {
            Error::Configuration(format!(
                "{} must be a number of seconds, more than 0 and at most {}",
                env::HUBTOKEN_SOURCE_TIMEOUT,
                MAXIMUM_TIMEOUT.as_secs()
            ))
        })
}
