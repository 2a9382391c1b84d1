//! Options that several verbs share.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::env::Environment;
use crate::error::Error;
use crate::require::Lasting;
use crate::resolve::{ambient_endpoint, parse_endpoint, recorded_ambient_endpoint};

/// Selects the token.
#[derive(clap::Args, Default)]
pub struct TokenArgs {
    /// Use only the stored token of this name
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The Hub that the token must belong to
    // A string: clap would repeat a value that it cannot parse, and it may contain a password.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

impl TokenArgs {
    /// The Hub given with `--endpoint`.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`].
    pub fn endpoint(&self, environment: &dyn Environment) -> Result<Option<Endpoint>, Error> {
        let named = self.endpoint.as_deref();
        named.map(|text| endpoint(text, environment)).transpose()
    }
}

/// The Hub given with `--endpoint`, or else the one that ambient tokens belong to.
///
/// # Errors
///
/// [`Error::UntrustedEndpoint`].
pub fn endpoint_or_ambient(
    named: Option<&str>,
    environment: &dyn Environment,
) -> Result<Endpoint, Error> {
    match named {
        Some(text) => endpoint(text, environment),
        None => ambient_endpoint(environment),
    }
}

/// The same for a verb that only takes back what was set up. No token is sent there, so plain http is
/// allowed, and its host may no longer be one of the named ones.
///
/// # Errors
///
/// [`Error::UntrustedEndpoint`] for what cannot be an endpoint.
pub fn endpoint_to_undo(
    named: Option<&str>,
    environment: &dyn Environment,
) -> Result<Endpoint, Error> {
    match named {
        Some(text) => Endpoint::parse_recorded(text).map_err(|error| error.context("--endpoint")),
        None => recorded_ambient_endpoint(environment),
    }
}

/// Parses the value of `--endpoint`.
fn endpoint(text: &str, environment: &dyn Environment) -> Result<Endpoint, Error> {
    parse_endpoint(text, environment).map_err(|error| error.context("--endpoint"))
}

/// How long to wait.
#[derive(clap::Args)]
pub struct TimeoutArgs {
    /// How many seconds to wait for the Hub [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
}

/// Parses how long a token is needed, such as `8h` or `1h30m`.
pub fn lasting(text: &str) -> Result<Lasting, String> {
    humantime::parse_duration(text)
        .ok()
        .and_then(|duration| Lasting::for_duration(duration).ok())
        .ok_or_else(|| "a time of at most 100 years, such as 8h, 1h30m, or 2days".to_owned())
}

/// Parses a number of seconds, with or without a fraction.
pub fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds, such as 10 or 0.5".to_owned())
}
