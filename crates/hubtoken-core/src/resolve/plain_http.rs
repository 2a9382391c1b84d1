//! Whether a token may be sent over plain http to another machine.
//!
//! Two places can name such a host: the variable `HUBTOKEN_INSECURE_HOSTS`, and `insecure_hosts` in
//! the user's own configuration. A project's file cannot, because a cloned repository must not
//! decide who reads the token. Neither place is read unless an endpoint is plain http to another
//! machine, so a mistake there affects nobody else.

use std::path::PathBuf;

use super::search;
use crate::endpoint::{Endpoint, InsecureHosts};
use crate::env::{self, Environment};
use crate::error::Error;
use crate::paths::Paths;
use crate::strict_url::Origin;

/// Where hosts may be named.
#[derive(Clone, Debug, Default)]
pub struct PlainHttp {
    listed: Option<String>,
    user_configuration: Option<PathBuf>,
}

impl PlainHttp {
    /// Reads the environment, but not yet the user's configuration.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        Self {
            listed: env::text(environment, env::HUBTOKEN_INSECURE_HOSTS),
            user_configuration: Paths::new(environment).user_configuration,
        }
    }

    /// Rejects an endpoint that is plain http to another machine, unless its host is named.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`]; [`Error::Configuration`] if a place where the host could be
    /// named is broken.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), Error> {
        if endpoint.is_insecure() {
            self.parse(endpoint.as_str())?;
        }
        Ok(())
    }

    /// Parses an endpoint.
    ///
    /// # Errors
    ///
    /// As [`PlainHttp::check`] and [`Endpoint::parse`].
    pub fn parse(&self, text: &str) -> Result<Endpoint, Error> {
        Endpoint::parse_with(text, |origin| self.names(origin))
    }

    fn names(&self, origin: &Origin) -> Result<bool, Error> {
        if let Some(list) = &self.listed {
            let hosts = InsecureHosts::parse(list.split(',')).map_err(|problem| {
                Error::Configuration(format!("{}: {problem}", env::HUBTOKEN_INSECURE_HOSTS))
            })?;
            if hosts.names(origin) {
                return Ok(true);
            }
        }
        let Some(path) = &self.user_configuration else {
            return Ok(false);
        };
        let (configuration, _) = search::read_user(path)?;
        Ok(configuration.is_some_and(|user| user.insecure_hosts.names(origin)))
    }
}

/// Parses an endpoint, which may be plain http to a host that the user named.
///
/// # Errors
///
/// [`Error::UntrustedEndpoint`]; [`Error::Configuration`] if a place where the host could be named
/// is broken.
///
/// ```
/// use hubtoken_core::env::StaticEnvironment;
/// use hubtoken_core::resolve::parse_endpoint;
///
/// let environment = StaticEnvironment::from([("HUBTOKEN_INSECURE_HOSTS", "hub:8080")]);
/// assert!(parse_endpoint("http://hub:8080", &environment).is_ok());
/// assert!(parse_endpoint("http://hub:8081", &environment).is_err());
/// ```
pub fn parse_endpoint(text: &str, environment: &dyn Environment) -> Result<Endpoint, Error> {
    PlainHttp::read(environment).parse(text)
}
