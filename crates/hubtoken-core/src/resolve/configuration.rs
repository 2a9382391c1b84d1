//! Parses configuration files and restricts which settings each may contain.
//!
//! A project's file comes with a cloned repository, so it is not trusted. It may only select from
//! what the user already has (a profile, a role, a repository, fewer sources). Only the user's own
//! file may say where a token is read from or sent to. Neither file may contain a token. Messages
//! name the file and the key but never quote a value, because the value may be a secret that does
//! not belong there.
//!
//! A configuration cannot turn off the environment. Its `sources` key restricts the sources that
//! rank below the environment (`config`, `command`, `file`, `colab`, `kaggle`), and one file cannot
//! restore a source that another file excluded. The user who starts a process outranks the author
//! of a file. A token from the environment is therefore used whatever the files say. They are still
//! looked for when it is resolved anew, but not while the cached result is valid: if one is broken
//! or names what it may not, that is a warning.
//!
//! # Two files
//!
//! Of the project files above a folder, only the nearest applies. The user's own file adds what
//! that one does not name, with two exceptions. A repository belongs to the role in the same file:
//! the user's applies only if the project names neither a role nor a repository, so that a project's
//! role is never checked on the user's repository. And `endpoint` belongs to the token that the same
//! file names: a project's `profile` goes to the Hub that the login recorded. `sources` of both
//! restrict.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::bounded_file;
use crate::endpoint::{Endpoint, InsecureHosts};
use crate::error::Error;
use crate::repository::RepositoryType;
use crate::role::Role;
use crate::sanitize::{contains_secret, redacted, redacted_path};
use crate::target::Target;

/// The maximum size of a configuration file, in bytes.
pub(super) const MAXIMUM_SIZE: u64 = 1024 * 1024;

/// The ambient sources that `sources` may list. The argument and the environment come from the user
/// who starts the process and rank above every file, so no file can turn them off.
pub const SOURCES: [&str; 5] = ["config", "command", "file", "colab", "kaggle"];

/// The contents of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The file.
    pub path: PathBuf,
    /// The name of a stored token.
    pub profile: Option<String>,
    /// The role that the project needs.
    pub role: Option<Role>,
    /// The repository that the project works on.
    pub repo: Option<String>,
    /// The sources that may be used; `None` for all.
    pub sources: Option<Vec<String>>,
    /// The Hub that the token file and the token of the command belong to, and a profile in the same
    /// file if its login recorded none. The user's own file only.
    pub endpoint: Option<Endpoint>,
    /// A file with a token. The user's own file only.
    pub token_file: Option<String>,
    /// A program that prints a token, with its arguments. The user's own file only.
    pub token_command: Option<Vec<String>>,
    /// Hosts that tokens may be sent to over plain http. The user's own file only.
    pub insecure_hosts: InsecureHosts,
    /// Folders whose project files are trusted regardless of their owner. The user's own file only.
    pub safe_directories: Vec<String>,
}

impl Configuration {
    /// The path of `token_file`, with `~` for the home folder.
    #[must_use]
    pub fn token_file(&self, home: Option<&Path>) -> Option<PathBuf> {
        self.token_file.as_ref().map(|text| in_home(text, home))
    }

    /// The paths of `safe_directories`, with `~` for the home folder.
    #[must_use]
    pub(super) fn safe_directories(&self, home: Option<&Path>) -> Vec<PathBuf> {
        let texts = self.safe_directories.iter();
        texts.map(|text| in_home(text, home)).collect()
    }
}

fn in_home(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

/// The kind of file, which decides whether it is trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The user's own file: trusted.
    User,
    /// A file from a repository: not trusted.
    Project,
}

pub(super) fn read(path: &Path) -> Result<Option<zeroize::Zeroizing<String>>, Error> {
    bounded_file::read_secret(path, MAXIMUM_SIZE)
        .map_err(|problem| Error::Configuration(format!("the configuration {problem}")))
}

/// Parses a whole file as a configuration.
///
/// # Errors
///
/// [`Error::Configuration`].
pub fn parse(text: &str, path: &Path, owner: Owner) -> Result<Configuration, Error> {
    from_table(&to_table(text, path)?, path, owner)
}

/// Parses the `[tool.hubtoken]` table of a file that other tools share; `None` if it has none.
///
/// # Errors
///
/// [`Error::Configuration`]. A broken file without the table is not an error.
pub(super) fn parse_tool_table(text: &str, path: &Path) -> Result<Option<Configuration>, Error> {
    if !text.contains("hubtoken") {
        return Ok(None);
    }
    match tool_table(text, path) {
        Ok(Some(Value::Table(table))) => from_table(&table, path, Owner::Project).map(Some),
        Ok(_) => Ok(None),
        // A file without our table is other tools' business.
        Err(_) if !text.contains("tool.hubtoken") => Ok(None),
        Err(error) => Err(error),
    }
}

fn to_table(text: &str, path: &Path) -> Result<Table, Error> {
    text.trim_start_matches('\u{feff}')
        .parse::<Table>()
        .map_err(|error| {
            // The parser's own message quotes the line, which may contain a secret.
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            Error::Configuration(format!("{} is not TOML (line {line})", redacted_path(path)))
        })
}

fn tool_table(text: &str, path: &Path) -> Result<Option<Value>, Error> {
    let mut table = to_table(text, path)?;
    Ok(match table.remove("tool") {
        Some(Value::Table(mut tools)) => tools.remove("hubtoken"),
        _ => None,
    })
}

fn from_table(table: &Table, path: &Path, owner: Owner) -> Result<Configuration, Error> {
    let refuse = |problem: String| {
        Err(Error::Configuration(format!(
            "{}: {problem}",
            redacted_path(path)
        )))
    };
    let mut configuration = Configuration {
        path: path.to_owned(),
        ..Configuration::default()
    };
    for (key, value) in table {
        if holds_token(key, value) {
            return refuse(format!(
                "`{}` holds a token, visible to every reader of the file. Delete it there and \
                 revoke it on the Hub. Store a new one with `hubtoken login`, and set its name \
                 instead: profile = \"NAME\"",
                redacted(key)
            ));
        }
        match (key.as_str(), owner) {
            ("profile", _) => configuration.profile = Some(text(key, value, path)?),
            ("role", _) => match Role::parse(&text(key, value, path)?) {
                Ok(role) => configuration.role = Some(role),
                Err(_) => return refuse("`role` must be \"read\" or \"write\"".to_owned()),
            },
            ("repo", _) => configuration.repo = Some(repository(value, path)?),
            ("sources", _) => configuration.sources = Some(sources(value, path)?),
            ("endpoint", Owner::User) => {
                // The environment may name its host as well, so the chain checks that.
                let endpoint =
                    Endpoint::parse_recorded(&text(key, value, path)?).map_err(|error| {
                        error.context(&format!("{}: `endpoint`", redacted_path(path)))
                    })?;
                configuration.endpoint = Some(endpoint);
            }
            ("token_file", Owner::User) => {
                configuration.token_file = Some(text(key, value, path)?);
            }
            ("token_command", Owner::User) => {
                configuration.token_command = Some(command(value, path)?);
            }
            ("insecure_hosts", Owner::User) => {
                configuration.insecure_hosts = insecure_hosts(value, path)?;
            }
            ("insecure_hosts", Owner::Project) => {
                return refuse(
                    "`insecure_hosts` is not for a project's file: a cloned repository must not \
                     decide that a token travels unencrypted. Write it into your own \
                     configuration, hubtoken/config.toml in your configuration folder, or set \
                     HUBTOKEN_INSECURE_HOSTS"
                        .to_owned(),
                );
            }
            ("safe_directories", Owner::User) => {
                configuration.safe_directories = safe_directories(value, path)?;
            }
            ("safe_directories", Owner::Project) => {
                return refuse(
                    "`safe_directories` is not for a project's file: a folder cannot vouch for \
                     itself. Write it into your own configuration, hubtoken/config.toml in your \
                     configuration folder"
                        .to_owned(),
                );
            }
            ("endpoint" | "token_command" | "token_file", Owner::Project) => {
                return refuse(format!(
                    "`{key}` is not for a project's file: a cloned repository must not choose \
                     where tokens are read from or sent to. Write it into your own \
                     configuration, hubtoken/config.toml in your configuration folder"
                ));
            }
            _ => {
                return refuse(format!(
                    "`{}` is not a supported key; the keys are profile, role, repo, sources{}",
                    redacted(key),
                    if owner == Owner::User {
                        ", endpoint, token_command, token_file, insecure_hosts, safe_directories"
                    } else {
                        ""
                    }
                ));
            }
        }
    }
    Ok(configuration)
}

fn text(key: &str, value: &Value, path: &Path) -> Result<String, Error> {
    match value.as_str().map(str::trim) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Error::Configuration(format!(
            "{}: `{key}` is not a quoted string",
            redacted_path(path)
        ))),
    }
}

fn repository(value: &Value, path: &Path) -> Result<String, Error> {
    let repo = text("repo", value, path)?;
    Target::repository(&repo, RepositoryType::Model, "somebody").map_err(|_| {
        Error::Configuration(format!(
            "{}: `repo` must be a repository such as \"acme/tiny\" or \"datasets/acme/tiny\"",
            redacted_path(path)
        ))
    })?;
    Ok(repo)
}

/// Parses a program and its arguments. No shell is involved, so a single string is an error, and so
/// is a program with a relative path, which would depend on the working directory.
fn command(value: &Value, path: &Path) -> Result<Vec<String>, Error> {
    let words: Option<Vec<&str>> = value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect());
    let is_sound = |words: &[&str]| {
        let program = words.first().copied().unwrap_or_default();
        let is_somewhere = Path::new(program).is_absolute() || !program.contains(['/', '\\']);
        !program.trim().is_empty() && is_somewhere && !words.iter().any(|word| word.contains('\0'))
    };
    match words {
        Some(words) if is_sound(&words) => Ok(words.into_iter().map(str::to_owned).collect()),
        _ => Err(Error::Configuration(format!(
            "{}: `token_command` must be a list of strings, the program and its arguments, such \
             as [\"op\", \"read\", \"op://vault/hub/token\"]. The program is a name on PATH or an \
             absolute path; no shell is involved",
            redacted_path(path)
        ))),
    }
}

/// Absolute paths only: a relative path would depend on the working directory.
fn safe_directories(value: &Value, path: &Path) -> Result<Vec<String>, Error> {
    let paths: Option<Vec<&str>> = value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect());
    let is_whole = |path: &&str| path.starts_with("~/") || Path::new(path).is_absolute();
    match paths {
        Some(paths) if paths.iter().all(is_whole) => {
            Ok(paths.into_iter().map(str::to_owned).collect())
        }
        _ => Err(Error::Configuration(format!(
            "{}: `safe_directories` must be a list of absolute paths of folders, such as \
             [\"/srv/shared/project\"]",
            redacted_path(path)
        ))),
    }
}

fn insecure_hosts(value: &Value, path: &Path) -> Result<InsecureHosts, Error> {
    let refuse = |problem: String| {
        let path = redacted_path(path);
        Error::Configuration(format!("{path}: `insecure_hosts`: {problem}"))
    };
    let entries: Option<Vec<&str>> = value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect());
    let entries = entries.ok_or_else(|| {
        refuse("it must be a list of hosts, such as [\"hub\", \"hub:8080\"]".to_owned())
    })?;
    InsecureHosts::parse(entries).map_err(|problem| refuse(problem.to_string()))
}

fn sources(value: &Value, path: &Path) -> Result<Vec<String>, Error> {
    let names: Option<Vec<&str>> = value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect());
    match names {
        Some(names) if names.iter().all(|name| SOURCES.contains(name)) => {
            Ok(names.into_iter().map(str::to_owned).collect())
        }
        _ => Err(Error::Configuration(format!(
            "{}: `sources` must be a list of some of {SOURCES:?}; the argument and the environment \
             always come first",
            redacted_path(path)
        ))),
    }
}

/// Whether a key or its value looks like a token.
fn holds_token(key: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => {
            matches!(
                key.to_ascii_lowercase().as_str(),
                "token" | "hf_token" | "access_token" | "api_key" | "secret"
            ) || contains_secret(text)
                || contains_secret(key)
        }
        Value::Array(items) => items.iter().any(|item| holds_token(key, item)),
        Value::Table(table) => table.iter().any(|(key, value)| holds_token(key, value)),
        _ => contains_secret(key),
    }
}

#[cfg(test)]
mod tests;
