//! A home folder with a configuration of its own, for tests that run the real git.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::setup::{Git, Scope};
use crate::env::StaticEnvironment;

pub(super) struct Machine {
    home: TempDir,
    pub(super) environment: StaticEnvironment,
}

impl Machine {
    /// A machine with this text in the user's configuration.
    pub(super) fn new(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut environment = StaticEnvironment::default();
        environment.set("HOME", home.path());
        environment.set("GIT_CONFIG_GLOBAL", home.path().join("gitconfig"));
        environment.set("GIT_CONFIG_NOSYSTEM", "1");
        environment.set("GIT_CEILING_DIRECTORIES", home.path().parent().unwrap());
        let machine = Self { home, environment };
        machine.write("gitconfig", config);
        machine
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The user's configuration.
    pub(super) fn config(&self) -> String {
        std::fs::read_to_string(self.home().join("gitconfig")).unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// git in the home folder.
    pub(super) fn git(&self, scope: Scope) -> Git<'_> {
        Git {
            environment: &self.environment,
            folder: Some(self.home()),
            scope,
        }
    }
}
