//! Reads a project's defaults: the role it needs and the repository it works on.
//!
//! `require_role()` and `hubtoken require` use them when the caller specifies neither, so that a
//! requirement is written once, next to the code that has it.

use std::path::Path;
use std::sync::Arc;

use super::Resolver;
use super::cache::{DiscoveredConfigurations, SearchPaths};
use super::configuration::Configuration;
use super::search::{Mention, PassedOver};
use super::trust::Trust;
use crate::env::Environment;
use crate::error::Error;
use crate::paths::Paths;
use crate::role::Role;
use crate::sanitize::{redacted, redacted_path};
use crate::sync::lock_ignoring_poison;

/// The values to use when a caller specifies none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The required role.
    pub role: Option<Role>,
    /// The repository, as written in the file.
    pub repo: Option<String>,
    /// The nearer files that were skipped.
    pub passed_over: Arc<[PassedOver]>,
}

impl Resolver {
    /// The defaults for a folder: the project's, and from the user's own file what that leaves out
    /// (see [`configuration`](super::configuration)).
    ///
    /// The disk is searched at most once per second.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`].
    pub fn defaults(
        &self,
        environment: &dyn Environment,
        folder: Option<&Path>,
    ) -> Result<Defaults, Error> {
        if let Some(known) = self.known_defaults(folder) {
            return Ok(known);
        }
        let mut configurations = lock_ignoring_poison(&self.configurations);
        let paths = Paths::new(environment);
        let home = crate::paths::home(environment);
        let search_paths = SearchPaths {
            user: paths.user_configuration.as_deref(),
            home: home.as_deref(),
            trust: &Trust::read(environment),
        };
        let found = configurations.find(folder, &search_paths)?;
        Ok(Defaults::of(&found))
    }

    /// The defaults for a folder, if the disk was searched within the last second. Reads neither
    /// the disk nor the environment.
    #[must_use]
    pub fn known_defaults(&self, folder: Option<&Path>) -> Option<Defaults> {
        let mut configurations = lock_ignoring_poison(&self.configurations);
        configurations.fresh(folder).map(Defaults::of)
    }
}

impl Defaults {
    fn of(found: &DiscoveredConfigurations) -> Self {
        let (project, user) = (found.project.as_deref(), found.user.as_deref());
        let role = |file: Option<&Configuration>| file.and_then(|file| file.role);
        // A project's role was not meant for the user's repository.
        let for_repo = match project {
            Some(file) if file.role.is_some() || file.repo.is_some() => Some(file),
            _ => user,
        };
        Self {
            role: role(project).or_else(|| role(user)),
            repo: for_repo.and_then(|file| file.repo.clone()),
            passed_over: Arc::clone(&found.passed_over),
        }
    }

    /// The role to check when the caller specifies none.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a nearer file that was skipped names a role, or may name one:
    /// checking another role, or none, could differ from what the project requires.
    pub fn needed_role(&self) -> Result<Option<Role>, Error> {
        let Some(file) = self
            .passed_over
            .iter()
            .find(|file| file.role != Mention::Absent)
        else {
            return Ok(self.role);
        };
        Err(Error::Configuration(format!(
            "{} {}, and was passed over: {}. Or name the role yourself",
            redacted_path(&file.path),
            match file.role {
                Mention::Present => "names a role",
                _ => "may name a role",
            },
            redacted(&file.reason)
        )))
    }

    /// Warnings for the user about skipped files.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.passed_over.iter().filter_map(PassedOver::warning)
    }

    /// The same warnings in one sentence, to append to an error that no role is specified.
    #[must_use]
    pub fn afterthought(&self) -> String {
        let warnings: Vec<String> = self.warnings().collect();
        if warnings.is_empty() {
            return String::new();
        }
        format!(" ({})", warnings.join("; "))
    }
}
