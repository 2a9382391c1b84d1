//! What a project says of itself: the role that it needs, and the repository that it works on.
//!
//! `require_role()` and `hubtoken require` take these where the caller says nothing, so that the
//! need is written once, beside the code that has it.

use std::path::Path;

use super::Resolver;
use super::memory::Found;
use crate::env::Environment;
use crate::error::Error;
use crate::paths::Paths;
use crate::role::Role;
use crate::sync::lock;

/// What counts when a caller does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The role that is needed.
    pub role: Option<Role>,
    /// The repository, as the file names it.
    pub repo: Option<String>,
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
        let found = projects.find(folder, &Paths::new(environment))?;
        Ok(Defaults::of(&found))
    }
}

impl Defaults {
    fn of((project, user): &Found) -> Self {
        let files = || [project, user].into_iter().flatten();
        Self {
            role: files().find_map(|file| file.role),
            repo: files().find_map(|file| file.repo.clone()),
        }
    }
}
