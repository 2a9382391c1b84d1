//! What the environment says of the way to a Hub: certificates, a proxy, offline mode.

use super::certificates::Certificates;
use super::proxy;
use crate::env::{self, Environment};

/// The environment's settings for reaching a Hub.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub(super) certificates: Certificates,
    pub(super) proxy: Option<proxy::ProxyVariable>,
    pub(super) no_proxy: Option<String>,
    /// Whether requests are disabled.
    pub offline: bool,
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
        }
    }

    /// The trusted certificates.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Whether requests use the same route.
    pub(super) fn same_route(&self, other: &Self) -> bool {
        self.certificates == other.certificates
            && self.proxy == other.proxy
            && self.no_proxy == other.no_proxy
    }
}
