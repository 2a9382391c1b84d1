//! Reads everything that resolution needs from the environment in one step.
//!
//! The chain itself therefore never reads the environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::cache::{SearchPaths, Variables};
use super::host::{Host, NoHost};
use super::plain_http::{self, PlainHttp};
use super::trust::Trust;
use crate::endpoint::{self, Endpoint};
use crate::env::{self, Environment};
use crate::error::Error;
use crate::oauth::{IdTokenSource, Resource};
use crate::paths::Paths;
use crate::source_timeout::source_timeout;
use crate::store::keyring::KeyringAccess;

/// The variables that hold a token, in order of precedence.
pub const TOKEN_VARIABLES: [&str; 2] = [env::HF_TOKEN, env::HUGGING_FACE_HUB_TOKEN];

/// A snapshot of the environment.
pub struct Inputs<'a> {
    pub(super) slow_sources: SlowSourceInputs<'a>,
    pub(super) implicit_disabled: bool,
    /// The exchange that is asked for.
    pub(super) oidc: Option<OidcInputs>,
    pub(super) tokens: [Option<OsString>; 2],
    /// Where the token in `HF_TOKEN` came from, as recorded by the process that set it.
    pub(super) origin: Option<OsString>,
    pub(super) endpoint: Result<Endpoint, Error>,
    pub(super) lookalikes: Vec<&'static str>,
    pub(super) paths: Paths,
    /// The variables that the result depends on.
    pub(super) variables: Variables,
    /// For `~` in the `token_file` of the user's configuration.
    pub(super) home: Option<PathBuf>,
    /// Which project files are trusted.
    pub(super) trust: Trust,
    /// Which hosts may be sent a token over plain http.
    pub(super) plain_http: PlainHttp,
    /// The working directory; `None` if it was deleted or cannot be determined.
    pub(super) folder: Option<PathBuf>,
}

/// What an exchange of id tokens needs. Read only if one is asked for.
pub(super) struct OidcInputs {
    /// What for.
    pub(super) resource: Result<Resource, Error>,
    /// Of what.
    pub(super) id_tokens: Result<IdTokenSource, Error>,
}

impl OidcInputs {
    fn read(environment: &dyn Environment) -> Option<Self> {
        let resource = environment.get(env::HF_OIDC_RESOURCE)?;
        // What is not text names no resource, and must not count as unset.
        let resource = resource.to_string_lossy();
        (!resource.trim().is_empty()).then(|| Self {
            resource: Resource::parse(&resource),
            id_tokens: IdTokenSource::read(environment),
        })
    }
}

/// The settings for commands and vaults.
pub(super) struct SlowSourceInputs<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) vaults_disabled: bool,
    pub(super) in_token_command: bool,
    /// The time limit for one of them.
    pub(super) timeout: Result<Duration, Error>,
    /// Where the values of some stored tokens are.
    pub(super) keyring: KeyringAccess,
}

impl<'a> Inputs<'a> {
    /// Adds access to commands and vaults, which are unavailable without it.
    #[must_use]
    pub fn with_host<'b>(self, host: &'b dyn Host) -> Inputs<'b>
    where
        'a: 'b,
    {
        let slow_sources = SlowSourceInputs {
            host,
            ..self.slow_sources
        };
        Inputs {
            slow_sources,
            ..self
        }
    }

    /// Reads the environment; `folder` is the working directory.
    #[must_use]
    pub fn read(environment: &dyn Environment, folder: Option<PathBuf>) -> Self {
        let lookalikes = env::LOOKALIKES.into_iter();
        let is_set = |name: &&str| env::text(environment, name).is_some();
        Self {
            lookalikes: lookalikes.filter(is_set).collect(),
            ..Self::read_for_token(environment, folder)
        }
    }

    /// The same where only the token matters, and not what a trace says of variables that nobody
    /// reads.
    #[must_use]
    pub fn read_for_token(environment: &dyn Environment, folder: Option<PathBuf>) -> Self {
        Self {
            slow_sources: SlowSourceInputs {
                host: &NoHost,
                vaults_disabled: env::is_on(environment, env::HUBTOKEN_DISABLE_VAULTS),
                in_token_command: env::is_on(environment, env::HUBTOKEN_IN_TOKEN_COMMAND),
                timeout: source_timeout(environment),
                keyring: KeyringAccess::read(environment),
            },
            folder,
            implicit_disabled: env::is_on(environment, env::HF_HUB_DISABLE_IMPLICIT_TOKEN),
            oidc: OidcInputs::read(environment),
            tokens: TOKEN_VARIABLES.map(|name| environment.get(name)),
            origin: environment.get(env::HUBTOKEN_TOKEN_ORIGIN),
            endpoint: ambient_endpoint(environment),
            lookalikes: Vec::new(),
            paths: Paths::new(environment),
            home: crate::paths::home(environment),
            trust: Trust::read(environment),
            plain_http: PlainHttp::read(environment),
            variables: Variables::read(environment),
        }
    }

    /// Where to look for configuration files.
    pub(super) fn search_paths(&self) -> SearchPaths<'_> {
        SearchPaths {
            user: self.paths.user_configuration.as_deref(),
            home: self.home.as_deref(),
            trust: &self.trust,
        }
    }

    /// Parses an endpoint, which may be plain http to a host that the user named.
    ///
    /// # Errors
    ///
    /// As [`PlainHttp::parse`].
    pub fn parse_endpoint(&self, text: &str) -> Result<Endpoint, Error> {
        self.plain_http.parse(text)
    }
}

/// The Hub that ambient tokens belong to: `HF_ENDPOINT`, or the public Hub.
///
/// # Errors
///
/// [`Error::UntrustedEndpoint`], which names the variable.
pub fn ambient_endpoint(environment: &dyn Environment) -> Result<Endpoint, Error> {
    ambient_endpoint_by(environment, |text| {
        plain_http::parse_endpoint(text, environment)
    })
}

/// The same where no token is sent, so that plain http to any host is allowed.
///
/// # Errors
///
/// [`Error::UntrustedEndpoint`] for what cannot be an endpoint.
pub fn recorded_ambient_endpoint(environment: &dyn Environment) -> Result<Endpoint, Error> {
    ambient_endpoint_by(environment, Endpoint::parse_recorded)
}

fn ambient_endpoint_by(
    environment: &dyn Environment,
    parse: impl FnOnce(&str) -> Result<Endpoint, Error>,
) -> Result<Endpoint, Error> {
    if env::is_on(environment, env::HUGGINGFACE_CO_STAGING) {
        return Endpoint::parse(endpoint::STAGING);
    }
    match environment.get(env::HF_ENDPOINT) {
        None => Ok(Endpoint::default_hub()),
        Some(value) => match value.to_str() {
            Some(text) if text.trim().is_empty() => Ok(Endpoint::default_hub()),
            Some(text) => parse(text).map_err(|error| error.context(env::HF_ENDPOINT)),
            None => Err(Error::UntrustedEndpoint(format!(
                "{}: the endpoint is not text",
                env::HF_ENDPOINT
            ))),
        },
    }
}
