//! What the environment says, read at one moment, so that the walk needs to read none of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::errand;
use super::memory::{Places, Variables};
use super::outside::{Nowhere, Outside};
use super::trust::Trust;
use crate::endpoint::{self, Endpoint};
use crate::env::{self, Environment};
use crate::error::Error;
use crate::paths::Paths;
use crate::store;
use crate::token::Token;

/// The variables that hold a token, in order.
pub const TOKEN_VARIABLES: [&str; 2] = [env::HF_TOKEN, env::HUGGING_FACE_HUB_TOKEN];

/// The longest that `HUBTOKEN_SOURCE_TIMEOUT` may ask for.
const MAXIMUM_PATIENCE: Duration = Duration::from_hours(24);

/// What the environment says, read at one moment.
pub struct Inputs<'a> {
    pub(super) beyond: Beyond<'a>,
    pub(super) implicit_disabled: bool,
    pub(super) oidc_resource: bool,
    pub(super) tokens: [Option<OsString>; 2],
    /// Where the token in `HF_TOKEN` came from, as the process that put it there wrote it.
    pub(super) origin: Option<OsString>,
    pub(super) endpoint: Result<Endpoint, Error>,
    pub(super) lookalikes: Vec<&'static str>,
    pub(super) paths: Paths,
    /// The variables that the answer rests on.
    pub(super) variables: Variables,
    /// For `~` in the `token_file` of the user's configuration.
    pub(super) home: Option<PathBuf>,
    /// Whose project files count.
    pub(super) trust: Trust,
    /// The working directory; `None` when it is gone, or cannot be told.
    pub(super) folder: Option<PathBuf>,
}

/// How commands and vaults may be asked.
pub(super) struct Beyond<'a> {
    pub(super) outside: &'a dyn Outside,
    pub(super) vaults_disabled: bool,
    pub(super) in_token_command: bool,
    /// How long one may take.
    pub(super) patience: Result<Duration, Error>,
}

impl<'a> Inputs<'a> {
    /// Adds what may be asked beyond variables and files; without it, nothing may.
    #[must_use]
    pub fn with_outside<'b>(self, outside: &'b dyn Outside) -> Inputs<'b>
    where
        'a: 'b,
    {
        let beyond = Beyond {
            outside,
            ..self.beyond
        };
        Inputs { beyond, ..self }
    }

    /// Reads the environment; `folder` is the working directory.
    #[must_use]
    pub fn read(environment: &dyn Environment, folder: Option<PathBuf>) -> Self {
        Self {
            beyond: Beyond {
                outside: &Nowhere,
                vaults_disabled: env::is_on(environment, env::HUBTOKEN_DISABLE_VAULTS),
                in_token_command: env::is_on(environment, env::HUBTOKEN_IN_TOKEN_COMMAND),
                patience: patience(environment),
            },
            folder,
            implicit_disabled: env::is_on(environment, env::HF_HUB_DISABLE_IMPLICIT_TOKEN),
            oidc_resource: env::text(environment, env::HF_OIDC_RESOURCE).is_some(),
            tokens: TOKEN_VARIABLES.map(|name| environment.get(name)),
            origin: environment.get(env::HUBTOKEN_TOKEN_ORIGIN),
            endpoint: ambient_endpoint(environment),
            lookalikes: env::LOOKALIKES
                .into_iter()
                .filter(|name| env::text(environment, name).is_some())
                .collect(),
            paths: Paths::new(environment),
            home: crate::paths::home(environment),
            trust: Trust::read(environment),
            variables: Variables::read(environment),
        }
    }

    /// Where configurations are looked for.
    pub(super) fn places(&self) -> Places<'_> {
        Places {
            user: self.paths.user_configuration.as_deref(),
            home: self.home.as_deref(),
            trust: &self.trust,
        }
    }

    /// When a token ends, in Unix seconds, if it is stored with that. Whoever asks has the token
    /// already, so stored tokens that cannot be read are no problem here.
    #[must_use]
    pub fn stored_expiry(&self, token: &Token) -> Option<i64> {
        let stored = store::read(self.paths.stored_tokens.as_deref()?).ok()?;
        stored
            .into_iter()
            .filter(|entry| entry.expires_at.is_some())
            .find(|entry| {
                Token::parse(&entry.value).is_ok_and(|value| value.as_ref() == Some(token))
            })?
            .expires_at
    }
}

fn patience(environment: &dyn Environment) -> Result<Duration, Error> {
    let Some(text) = env::text(environment, env::HUBTOKEN_SOURCE_TIMEOUT) else {
        return Ok(errand::PATIENCE);
    };
    text.trim()
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|patience| !patience.is_zero() && *patience <= MAXIMUM_PATIENCE)
        .ok_or_else(|| {
            Error::Configuration(format!(
                "{} is a number of seconds, more than 0 and at most {}",
                env::HUBTOKEN_SOURCE_TIMEOUT,
                MAXIMUM_PATIENCE.as_secs()
            ))
        })
}

/// The Hub that ambient tokens belong to: `HF_ENDPOINT`, or the public one.
///
/// # Errors
///
/// [`Error::UntrustedEndpoint`] that names the variable.
pub fn ambient_endpoint(environment: &dyn Environment) -> Result<Endpoint, Error> {
    if env::is_on(environment, env::HUGGINGFACE_CO_STAGING) {
        return Endpoint::parse(endpoint::STAGING);
    }
    match environment.get(env::HF_ENDPOINT) {
        None => Ok(Endpoint::default_hub()),
        Some(value) => match value.to_str() {
            Some(text) if text.trim().is_empty() => Ok(Endpoint::default_hub()),
            Some(text) => Endpoint::parse(text).map_err(|error| error.context(env::HF_ENDPOINT)),
            None => Err(Error::UntrustedEndpoint(format!(
                "{}: the endpoint is not text",
                env::HF_ENDPOINT
            ))),
        },
    }
}
