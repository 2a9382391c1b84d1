//! Writing the helper into git's configuration, through git itself.
//!
//! Two values go under `credential.<endpoint>.helper`: an empty one, which makes git forget the
//! helpers that it has for all hosts, and ours. Both count for the Hub's address alone. Helpers
//! that the user has given to that address stay in the file, in their order, before our two, so
//! that undoing leaves the file as it was.
//!
//! Ours is a program that does nothing else, which answers in a tenth of the time that Python's
//! interpreter takes to start. It is installed beside `hubtoken`; where it is not, the verb
//! `hubtoken git-credential` does the same.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::printable::{printable, printable_path};

/// How our helper's value ends where it is the verb; git adds the operation.
const VERB: &str = " git-credential";

/// The program that is the helper alone, without Windows's suffix.
const PROGRAM: &str = "git-credential-hubtoken";

/// What steers where git looks for its configuration. In a process of its own these are inherited
/// anyway.
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

/// Which of git's files is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's.
    Global,
    /// The repository's.
    Local,
}

impl Scope {
    /// The word.
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

/// The key that holds a Hub's helpers.
#[must_use]
pub fn key(endpoint: &Endpoint) -> String {
    format!("credential.{endpoint}.helper")
}

/// The helper's value for the `hubtoken` program; `None` when it is found by its name.
///
/// The exclamation mark hands the value to a shell, so the path is quoted for one.
///
/// # Errors
///
/// The path is not text.
pub fn helper(hubtoken: Option<&Path>) -> Result<String, String> {
    match hubtoken {
        None => Ok(format!("!hubtoken{VERB}")),
        Some(hubtoken) => match alone(hubtoken, EXE_SUFFIX) {
            Some(program) => Ok(format!("!{}", quoted(&program)?)),
            None => Ok(format!("!{}{VERB}", quoted(hubtoken)?)),
        },
    }
}

/// The program that is the helper alone: beside `hubtoken`, or beside what a link means by that.
fn alone(hubtoken: &Path, suffix: &str) -> Option<PathBuf> {
    // As it was called comes first: a link outlives the versions that it points to.
    [Some(hubtoken.to_owned()), hubtoken.canonicalize().ok()]
        .into_iter()
        .flatten()
        .map(|hubtoken| hubtoken.with_file_name(format!("{PROGRAM}{suffix}")))
        .find(|program| program.is_file())
}

fn quoted(program: &Path) -> Result<String, String> {
    let text = program.to_str().ok_or_else(|| {
        format!(
            "the path of hubtoken, {}, is not text, so it cannot be written into git's \
             configuration",
            printable_path(program)
        )
    })?;
    // git's shell on Windows takes both, and only one of them needs no quoting.
    let text = if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.to_owned()
    };
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

/// Whether a value is one that [`helper`] wrote, of either kind, for this program or for one that
/// has moved.
fn is_ours(value: &str) -> bool {
    let is_program = |path: &str| {
        path.rsplit_once('/')
            .is_some_and(|(_, name)| name.strip_suffix(".exe").unwrap_or(name) == PROGRAM)
    };
    value == format!("!hubtoken{VERB}")
        || value.strip_prefix("!'").is_some_and(|quoted| {
            quoted.ends_with(&format!("'{VERB}"))
                || quoted.strip_suffix('\'').is_some_and(is_program)
        })
}

/// The values without our pairs.
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

/// The `git` program, in one folder and with one environment.
pub struct Git<'a> {
    /// The variables.
    pub environment: &'a dyn Environment,
    /// The folder, which counts for a repository's file alone; `None` when it is gone.
    pub folder: Option<&'a Path>,
    /// Which file is meant.
    pub scope: Scope,
}

impl Git<'_> {
    /// Sets the helper of a key up; says whether anything had to be written.
    ///
    /// # Errors
    ///
    /// What went wrong, in a sentence.
    pub fn set_up(&self, key: &str, helper: &str) -> Result<bool, String> {
        let current = self.values(key)?;
        let mut wanted = others(&current);
        wanted.extend([String::new(), helper.to_owned()]);
        self.write(key, &current, &wanted)
    }

    /// Takes our helper away; says whether it was there.
    ///
    /// # Errors
    ///
    /// What went wrong, in a sentence.
    pub fn undo(&self, key: &str) -> Result<bool, String> {
        let current = self.values(key)?;
        self.write(key, &current, &others(&current))
    }

    /// A key's values, in order.
    fn values(&self, key: &str) -> Result<Vec<String>, String> {
        let output = self.git(&["--null", "--get-all", key])?;
        match output.status.code() {
            Some(0) => Ok(String::from_utf8_lossy(&output.stdout)
                .split_terminator('\0')
                .map(str::to_owned)
                .collect()),
            // There is no such key.
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
                // An empty value of the user's cannot be told from ours, and git has no "the
                // third one", so all of them are written anew.
                self.change(&["--unset-all", key])?;
                left.clear();
            } else {
                let mut gone: Vec<&String> = current
                    .iter()
                    .filter(|value| !kept.contains(value))
                    .collect();
                gone.sort();
                gone.dedup();
                // Sorted, so that the empty one goes first: in between, other helpers count again.
                for value in gone {
                    self.change(&["--fixed-value", "--unset-all", key, value])?;
                }
                left = kept;
            }
        }
        for value in &wanted[left.len()..] {
            self.change(&["--add", key, value])?;
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
        let mut command = Command::new("git");
        command
            .args(["config", self.scope.option()])
            .args(arguments.iter().map(OsStr::new))
            .stdin(Stdio::null());
        for name in STEERING {
            match self.environment.get(name) {
                Some(value) => command.env(name, value),
                None if name == env::PATH => &mut command,
                None => command.env_remove(name),
            };
        }
        // The user's file is the same from everywhere, also from a folder that may not be entered.
        if let (Some(folder), Scope::Local) = (self.folder, self.scope) {
            command.current_dir(folder);
        }
        command.output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                "there is no git program on PATH. Install git, and try again".to_owned()
            }
            kind => format!("the git program cannot be run: {kind}"),
        })
    }

    fn refusal(&self, what: &str, output: &Output) -> String {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.trim();
        format!(
            "git's {} configuration cannot be {what}: {}",
            self.scope.name(),
            if words.is_empty() {
                "git does not say why".to_owned()
            } else {
                printable(words)
            }
        )
    }
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
