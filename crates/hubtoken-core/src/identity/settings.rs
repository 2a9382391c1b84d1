//! What the environment says of a client: its way to the Hubs, and where it shares what it learns.

use std::path::PathBuf;

use crate::env::{self, Environment};
use crate::folder::HomeUser;
use crate::http;
use crate::paths::Paths;
use crate::record_folder::RecordFolder;
use crate::sanitize::redacted_path;

/// The environment's settings for a client.
#[derive(Clone, Default)]
pub struct Settings {
    /// How to reach a Hub.
    pub http: http::Settings,
    /// The folder of the cache that processes share; `None` if they share nothing.
    pub shared_cache: Option<PathBuf>,
    /// The folder of what tokens are used for; `None` if that is not recorded.
    pub uses: Option<PathBuf>,
    /// In whose home these folders are.
    pub home_user: HomeUser,
}

impl Settings {
    /// Reads the environment.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        let paths = Paths::new(environment);
        let is_kept = !env::is_on(environment, env::HUBTOKEN_DISABLE_CACHE);
        Self {
            http: http::Settings::read(environment),
            shared_cache: paths.identities.filter(|_| is_kept),
            uses: paths.uses.filter(|_| is_kept),
            home_user: paths.home_user,
        }
    }

    /// Why processes share nothing, in one sentence; `None` if they can.
    #[must_use]
    pub fn shared_cache_problem(&self, environment: &dyn Environment) -> Option<String> {
        if let Some(folder) = &self.shared_cache {
            let disk = RecordFolder::new(folder.clone()).in_home_of(&self.home_user);
            let problem = disk.problem()?;
            return Some(format!("{} {problem}", redacted_path(folder)));
        }
        Some(if env::is_on(environment, env::HUBTOKEN_DISABLE_CACHE) {
            format!("{} is set", env::HUBTOKEN_DISABLE_CACHE)
        } else {
            "there is no home folder. Set HF_HOME".to_owned()
        })
    }

    /// The same settings, with nothing shared between processes.
    #[must_use]
    pub fn unshared(self) -> Self {
        Self {
            shared_cache: None,
            uses: None,
            ..self
        }
    }
}
