//! Adds the helper to git's configuration, by running git.
//!
//! Two values are added to `credential.<endpoint>.helper`: an empty one, which makes git ignore the
//! helpers configured for all hosts, and ours. Both apply only to the Hub's address. Helpers that
//! the user configured for that address stay in the file, in their order, before our two values, so
//! that undoing the setup restores the file.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::failure::{self, not_run};
use super::helper_command::is_ours;
use crate::endpoint::Endpoint;
use crate::env::{self, Environment};

/// The variables that determine where git looks for its configuration. A separate process would
/// inherit them anyway.
const STEERING: [&str; 9] = [
    env::HOME,
    env::USERPROFILE,
    env::XDG_CONFIG_HOME,
    env::GIT_CONFIG_GLOBAL,
    env::GIT_CONFIG_NOSYSTEM,
    env::GIT_DIR,
    env::GIT_WORK_TREE,
    env::GIT_CEILING_DIRECTORIES,
    env::PATH,
];

/// The git configuration file to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's file.
    Global,
    /// The repository's file.
    Local,
}

impl Scope {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Local => "local",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Global => "--global",
            Self::Local => "--local",
        }
    }
}

/// The configuration key for a Hub's helpers.
#[must_use]
pub fn key(endpoint: &Endpoint) -> String {
    format!("credential.{endpoint}.helper")
}

/// The values without ours.
fn others(current: &[String]) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for value in current {
        if is_ours(value) {
            others.pop_if(|before| before.is_empty());
        } else {
            others.push(value.clone());
        }
    }
    others
}

/// The `git` program, with a working directory and an environment.
pub struct Git<'a> {
    /// The environment variables.
    pub environment: &'a dyn Environment,
    /// The working directory, which only matters for a repository's file. `None` if it was deleted.
    pub folder: Option<&'a Path>,
    /// The file to change.
    pub scope: Scope,
}

impl Git<'_> {
    /// Adds the helper to a key. Returns whether anything was changed.
    ///
    /// # Errors
    ///
    /// A sentence that describes the problem.
    pub fn set_up(&self, key: &str, helper: &str) -> Result<bool, String> {
        let current = self.values(key)?;
        let mut wanted = others(&current);
        wanted.extend([String::new(), helper.to_owned()]);
        self.write(key, &current, &wanted)
    }

    /// Removes our helper. Returns whether it was present.
    ///
    /// # Errors
    ///
    /// A sentence that describes the problem.
    pub fn undo(&self, key: &str) -> Result<bool, String> {
        let current = self.values(key)?;
        self.write(key, &current, &others(&current))
    }

    /// The values of a key, in order.
    fn values(&self, key: &str) -> Result<Vec<String>, String> {
        let output = self.git(&["--null", "--get-all", key])?;
        match output.status.code() {
            Some(0) => Ok(String::from_utf8_lossy(&output.stdout)
                .split_terminator('\0')
                .map(str::to_owned)
                .collect()),
            // The key does not exist.
            Some(1) => Ok(Vec::new()),
            _ => Err(self.refusal("read", &output)),
        }
    }

    fn write(&self, key: &str, current: &[String], wanted: &[String]) -> Result<bool, String> {
        if current == wanted {
            return Ok(false);
        }
        let mut left = current.to_vec();
        if !wanted.starts_with(&left) {
            let kept = others(current);
            if kept.iter().any(String::is_empty) {
                // An empty value of the user's cannot be distinguished from ours, and git cannot
                // address a value by its position, so all values are rewritten.
                self.change(&["--unset-all", key])?;
                left.clear();
            } else {
                let mut gone: Vec<&String> = current
                    .iter()
                    .filter(|value| !kept.contains(value))
                    .collect();
                gone.sort();
                gone.dedup();
                // Sorted, so that the empty value is removed first: until ours is removed too,
                // other helpers apply as well.
                for value in gone {
                    self.change(&["--fixed-value", "--unset-all", key, value])?;
                }
                left = kept;
            }
        }
        for value in &wanted[left.len()..] {
            if let Err(problem) = self.change(&["--add", key, value]) {
                // Without our helper, the empty value would leave git without any.
                if !value.is_empty() && !left.iter().any(String::is_empty) {
                    self.change(&["--fixed-value", "--unset-all", key, ""])?;
                }
                return Err(problem);
            }
        }
        Ok(true)
    }

    fn change(&self, arguments: &[&str]) -> Result<(), String> {
        let output = self.git(arguments)?;
        if output.status.success() {
            return Ok(());
        }
        Err(self.refusal("written", &output))
    }

    fn git(&self, arguments: &[&str]) -> Result<Output, String> {
        let scope = [self.scope.option()];
        // The user's file is the same from any working directory, including one that cannot be
        // entered.
        let folder = self.folder.filter(|_| self.scope == Scope::Local);
        self.config(&[&scope, arguments].concat(), folder)
    }

    /// Runs `git config` in a folder.
    pub(super) fn config(
        &self,
        arguments: &[&str],
        folder: Option<&Path>,
    ) -> Result<Output, String> {
        let mut command = Command::new("git");
        command
            .arg("config")
            .args(arguments.iter().map(OsStr::new))
            .stdin(Stdio::null());
        for name in STEERING {
            match self.environment.get(name) {
                Some(value) => command.env(name, value),
                None if name == env::PATH => &mut command,
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        command.output().map_err(|error| not_run(&error))
    }

    pub(super) fn refusal(&self, what: &str, output: &Output) -> String {
        let scope = self.scope.name();
        failure::refusal(
            &format!("git's {scope} configuration cannot be {what}"),
            output,
        )
    }
}

#[cfg(test)]
mod tests;
