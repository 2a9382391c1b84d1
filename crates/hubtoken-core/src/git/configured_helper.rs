//! Finds our helpers in git's configuration, and whether their programs are still there.
//!
//! A helper that was uninstalled or moved leaves git without a password: the empty value before it
//! still disables the other helpers. git itself only prints the shell's "not found" and prompts.

use std::path::Path;

use super::helper_command::{PROGRAM, program_exists};
use super::setup::Git;
use crate::sanitize::redacted;

/// The keys of helpers, for all hosts and for one.
const KEYS: &str = r"^credential\.(.*\.)?helper$";

/// One of our helpers in git's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredHelper {
    /// The address that it answers for, without a user; `None` for all addresses.
    pub url: Option<String>,
    /// The value.
    pub value: String,
    /// Where it is configured, as git says it: `file:/home/alice/.gitconfig`.
    pub origin: String,
    /// Whether its program is there.
    pub exists: bool,
}

impl ConfiguredHelper {
    /// A warning for a helper whose program has gone.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        if self.exists {
            return None;
        }
        let what = redacted(&format!(
            "git's helper {} (in {}) is not there",
            self.value, self.origin
        ));
        Some(match &self.url {
            Some(url) => {
                let url = redacted(url);
                let local = if self.is_local() { " --local" } else { "" };
                format!(
                    "{what}, so git gets no password for {url}: its other helpers are disabled for \
                     it. Set it up again with `hubtoken setup-git{local} --endpoint {url}`, or \
                     remove it with `--undo` as well"
                )
            }
            None => format!("{what}: `{PROGRAM}` is not on PATH"),
        })
    }

    /// Whether a repository's own file has it.
    fn is_local(&self) -> bool {
        let file = self.origin.strip_prefix("file:").unwrap_or_default();
        Path::new(file).ends_with(".git/config")
    }
}

/// An address without a user and a password: hubtoken writes none, but somebody may have.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

impl Git<'_> {
    /// Our helpers in all files that git reads in this folder, included ones as well.
    ///
    /// # Errors
    ///
    /// A sentence that describes the problem.
    pub fn configured_helpers(&self) -> Result<Vec<ConfiguredHelper>, String> {
        let folder = self.folder.filter(|folder| folder.is_dir());
        let arguments = ["--null", "--show-origin", "--get-regexp", KEYS];
        let output = self.config(&arguments, folder)?;
        match output.status.code() {
            Some(0) => {}
            // There is no such key.
            Some(1) => return Ok(Vec::new()),
            _ => return Err(self.refusal("read", &output)),
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let mut fields = text.split_terminator('\0');
        let mut helpers = Vec::new();
        while let (Some(origin), Some(entry)) = (fields.next(), fields.next()) {
            // A key without a value has no line break.
            let Some((key, value)) = entry.split_once('\n') else {
                continue;
            };
            if let Some(exists) = program_exists(value, self.environment) {
                helpers.push(ConfiguredHelper {
                    url: key
                        .strip_prefix("credential.")
                        .and_then(|rest| rest.strip_suffix(".helper"))
                        .map(without_user),
                    value: value.to_owned(),
                    origin: origin.to_owned(),
                    exists,
                });
            }
        }
        Ok(helpers)
    }
}

#[cfg(test)]
mod tests;
