//! What the environment says of the way to a Hub: certificates, a proxy, offline mode.

use std::path::PathBuf;

use super::certificates::Certificates;
use super::proxy;
use crate::env::{self, Environment};
use crate::paths::Paths;

/// The environment's settings for reaching a Hub.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub(super) certificates: Certificates,
    pub(super) proxy: Option<proxy::ProxyVariable>,
    pub(super) no_proxy: Option<String>,
    /// Whether requests are disabled.
    pub offline: bool,
    /// The folder of the cache that processes share; `None` if they share nothing.
    pub identities: Option<PathBuf>,
}

impl Settings {
    /// Reads the environment.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        Self {
            certificates: Certificates::read(environment),
            proxy: proxy::ProxyVariable::read(environment),
            no_proxy: env::first_text(environment, &env::NO_PROXY),
            offline: env::is_offline(environment),
            identities: Paths::new(environment)
                .identities
                .filter(|_| !env::is_on(environment, env::HUBTOKEN_DISABLE_CACHE)),
        }
    }
}

impl Settings {
    /// The same settings, with nothing shared between processes.
    #[must_use]
    pub fn unshared(self) -> Self {
        Self {
            identities: None,
            ..self
        }
    }

    /// The trusted certificates.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Whether requests use the same route. Where answers are cached does not matter.
    pub(super) fn same_route(&self, other: &Self) -> bool {
        self.certificates == other.certificates
            && self.proxy == other.proxy
            && self.no_proxy == other.no_proxy
    }
}
