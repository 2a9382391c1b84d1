//! What a project says of itself: the role that it needs, and the repository that it works on.
//!
//! `require_role()` and `hubtoken require` take these where the caller says nothing, so that the
//! need is written once, beside the code that has it.

use std::path::Path;
use std::sync::Arc;

use super::Resolver;
use super::memory::{Found, Places};
use super::search::{Mention, PassedOver};
use super::trust::Trust;
use crate::env::Environment;
use crate::error::Error;
use crate::paths::Paths;
use crate::printable::{printable, printable_path};
use crate::role::Role;
use crate::sync::lock;

/// What counts when a caller does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The role that is needed.
    pub role: Option<Role>,
    /// The repository, as the file names it.
    pub repo: Option<String>,
    /// The nearer files that do not count.
    pub passed_over: Arc<[PassedOver]>,
}

impl Resolver {
    /// The defaults in a folder: the project's, else the user's own.
    ///
    /// The files are looked for at most once a second.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`].
    pub fn defaults(
        &self,
        environment: &dyn Environment,
        folder: Option<&Path>,
    ) -> Result<Defaults, Error> {
        let mut projects = lock(&self.projects);
        if let Some(found) = projects.fresh(folder) {
            return Ok(Defaults::of(found));
        }
        let paths = Paths::new(environment);
        let home = crate::paths::home(environment);
        let places = Places {
            user: paths.user_configuration.as_deref(),
            home: home.as_deref(),
            trust: &Trust::read(environment),
        };
        let found = projects.find(folder, &places)?;
        Ok(Defaults::of(&found))
    }
}

impl Defaults {
    fn of(found: &Found) -> Self {
        let files = || [&found.project, &found.user].into_iter().flatten();
        Self {
            role: files().find_map(|file| file.role),
            repo: files().find_map(|file| file.repo.clone()),
            passed_over: Arc::clone(&found.passed_over),
        }
    }

    /// The role to check where the caller names none.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] when a nearer file that does not count names a role, or may: to check
    /// another one, or nothing, is not what was meant.
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
            printable_path(&file.path),
            match file.role {
                Mention::Present => "names a role",
                _ => "may name a role",
            },
            printable(&file.reason)
        )))
    }

    /// What the user should hear of: the files that do not count.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.passed_over.iter().filter_map(PassedOver::warning)
    }

    /// The same in one sentence, to follow a complaint that nothing names a role.
    #[must_use]
    pub fn afterthought(&self) -> String {
        let warnings: Vec<String> = self.warnings().collect();
        if warnings.is_empty() {
            return String::new();
        }
        format!(" ({})", warnings.join("; "))
    }
}
