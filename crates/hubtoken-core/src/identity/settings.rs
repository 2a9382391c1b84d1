//! What the environment says of a client: its way to the Hubs, and where it shares what it learns.

use std::path::PathBuf;

use crate::env::{self, Environment};
use crate::http;
use crate::paths::Paths;

/// The environment's settings for a client.
#[derive(Clone, Default)]
pub struct Settings {
    /// How to reach a Hub.
    pub http: http::Settings,
    /// The folder of the cache that processes share; `None` if they share nothing.
    pub shared_cache: Option<PathBuf>,
}

impl Settings {
    /// Reads the environment.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        Self {
            http: http::Settings::read(environment),
            shared_cache: Paths::new(environment)
                .identities
                .filter(|_| !env::is_on(environment, env::HUBTOKEN_DISABLE_CACHE)),
        }
    }

    /// The same settings, with nothing shared between processes.
    #[must_use]
    pub fn unshared(self) -> Self {
        Self {
            shared_cache: None,
            ..self
        }
    }
}
