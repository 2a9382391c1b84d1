//! Searches for a project's configuration and skips files that are not trusted or not readable.
//!
//! The nearest file from the working directory upwards applies: `hubtoken.toml`, or a
//! `pyproject.toml` with a `[tool.hubtoken]` table. On the way up there may be folders that this
//! user may not search, and files that this user does not own (see [`Trust`]). Neither is an error,
//! since programs that do not use hubtoken run in such folders too: each is skipped and recorded
//! for the trace. Settings in a skipped file have no effect, but a *role* that it names must not be
//! dropped silently, so the result says whether there is one.

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use zeroize::Zeroizing;

use super::configuration::{self, Configuration, MAXIMUM_SIZE, Owner};
use super::trust::Trust;
use crate::bounded_file::{self, Unreadable};
use crate::env::Environment;
use crate::error::Error;
use crate::paths::{self, PROJECT_FILE, PYPROJECT_FILE, Paths};
use crate::sanitize::{redacted, redacted_path};

/// How to make a skipped file count.
const REMEDY: &str = "If you trust it, list its folder in HUBTOKEN_SAFE_DIRECTORIES, or in \
                      safe_directories of your own configuration";

/// A file that was skipped, or a folder that cannot be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The file; for a folder that cannot be searched, the file that could be in it.
    pub path: PathBuf,
    /// The reason, phrased to follow "it was passed over".
    pub reason: String,
    /// The kind of reason.
    pub why: Why,
    /// Whether the file names a role.
    pub role: Mention,
}

/// Whether a skipped file names a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mention {
    /// It does not.
    Absent,
    /// It may: the file cannot be read or parsed.
    Possible,
    /// It does.
    Present,
}

/// The kinds of reasons for skipping a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Whether the file exists cannot be determined, which users of such a folder already know.
    Hidden,
    /// The file exists but cannot be read.
    Unreadable,
    /// The file is another user's, or others may write to it.
    Distrusted,
}

impl PassedOver {
    /// The warning for the user; `None` for what is only worth a line in the trace.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.why != Why::Hidden).then(|| {
            format!(
                "config:{} was passed over: {}",
                redacted_path(&self.path),
                redacted(&self.reason)
            )
        })
    }
}

/// The result of a search.
#[derive(Default)]
pub struct Search {
    /// The nearest configuration that applies.
    pub found: Option<Configuration>,
    /// The nearer files that were skipped.
    pub passed_over: Vec<PassedOver>,
}

/// Finds the nearest project file from a folder upwards.
///
/// # Errors
///
/// [`Error::Configuration`] if the nearest trusted file is broken or contains a setting that it may
/// not.
pub fn find_project(folder: &Path, trust: &Trust) -> Result<Search, Error> {
    let mut search = Search::default();
    for folder in folder.ancestors() {
        search.look_into(folder, trust)?;
        if search.found.is_some() {
            break;
        }
    }
    Ok(search)
}

/// Looks for a folder's own file.
///
/// # Errors
///
/// [`Error::Configuration`] if it is trusted and is broken or contains a setting that it may not.
pub(super) fn of_folder(folder: &Path, trust: &Trust) -> Result<Search, Error> {
    let mut search = Search::default();
    search.look_into(folder, trust)?;
    Ok(search)
}

/// Reads the user's own file, which is trusted regardless of its location. If it is not visible
/// because the home folder belongs to another user, it counts as absent.
///
/// # Errors
///
/// [`Error::Configuration`] if it is broken or cannot be read.
pub(super) fn read_user(path: &Path) -> Result<(Option<Configuration>, Option<PassedOver>), Error> {
    match bounded_file::open(path, MAXIMUM_SIZE) {
        Ok(Some(opened)) => {
            let text = as_text(opened.bytes, path)?;
            configuration::parse(&text, path, Owner::User).map(|found| (Some(found), None))
        }
        Ok(None) => Ok((None, None)),
        Err(Unreadable::Hidden(problem)) => Ok((None, Some(hidden(path, problem)))),
        Err(problem) => Err(unusable(&problem.to_string())),
    }
}

impl Trust {
    /// Reads the environment and the exceptions in the user's own configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if that configuration is broken.
    pub fn of_user(environment: &dyn Environment) -> Result<Self, Error> {
        let trust = Self::read(environment);
        let Some(path) = Paths::new(environment).user_configuration else {
            return Ok(trust);
        };
        let (user, _) = read_user(&path)?;
        let home = paths::home(environment);
        Ok(match user {
            Some(user) => trust.with_safe_directories(&user.safe_directories(home.as_deref())),
            None => trust,
        })
    }
}

impl Search {
    fn look_into(&mut self, folder: &Path, trust: &Trust) -> Result<(), Error> {
        for name in [PROJECT_FILE, PYPROJECT_FILE] {
            let path = folder.join(name);
            let opened = match bounded_file::open(&path, MAXIMUM_SIZE) {
                Ok(Some(opened)) => opened,
                Ok(None) => continue,
                Err(Unreadable::Hidden(problem)) => {
                    self.passed_over.push(hidden(&path, problem));
                    // The other file in the folder is not visible either.
                    return Ok(());
                }
                Err(problem) => {
                    self.pass_over_unreadable(&path, &problem, trust)?;
                    continue;
                }
            };
            if let Some(objection) = trust.objection(folder, &opened.metadata) {
                self.pass_over_distrusted(path, &opened.bytes, &objection);
                continue;
            }
            let text = as_text(opened.bytes, &path)?;
            self.found = if name == PROJECT_FILE {
                Some(configuration::parse(&text, &path, Owner::Project)?)
            } else {
                configuration::parse_tool_table(&text, &path)?
            };
            if self.found.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn pass_over_unreadable(
        &mut self,
        path: &Path,
        problem: &Unreadable,
        trust: &Trust,
    ) -> Result<(), Error> {
        let is_strange = matches!(problem, Unreadable::Unfit(_));
        let in_own_folder = path
            .parent()
            .is_none_or(|folder| trust.objection_to_any(folder).is_none());
        if is_strange && in_own_folder {
            return Err(unusable(&problem.to_string()));
        }
        // Most of these files belong to other tools.
        let (why, role) = if path.ends_with(PYPROJECT_FILE) {
            (Why::Hidden, Mention::Absent)
        } else if path.is_dir() {
            (Why::Unreadable, Mention::Absent)
        } else {
            (Why::Unreadable, Mention::Possible)
        };
        self.passed_over.push(PassedOver {
            path: path.to_owned(),
            reason: problem.to_string(),
            why,
            role,
        });
        Ok(())
    }

    fn pass_over_distrusted(&mut self, path: PathBuf, bytes: &[u8], objection: &str) {
        let Some(role) = mention_of_role(&path, &String::from_utf8_lossy(bytes)) else {
            return;
        };
        self.passed_over.push(PassedOver {
            path,
            reason: format!("{objection}. {REMEDY}"),
            why: Why::Distrusted,
            role,
        });
    }
}

/// Whether a skipped file names a role; `None` if it is not a hubtoken configuration. A file that
/// is not even TOML may name one if it contains the word. A `pyproject.toml` must also have our
/// table, since it is shared with other tools.
fn mention_of_role(path: &Path, text: &str) -> Option<Mention> {
    let is_shared = path.ends_with(PYPROJECT_FILE);
    if is_shared && !text.contains("hubtoken") {
        return None;
    }
    let Ok(mut table) = text.trim_start_matches('\u{feff}').parse::<Table>() else {
        return (!is_shared || text.contains("tool.hubtoken")).then(|| {
            if text.contains("role") {
                Mention::Possible
            } else {
                Mention::Absent
            }
        });
    };
    if is_shared {
        table = match table.remove("tool") {
            Some(Value::Table(mut tools)) => match tools.remove("hubtoken") {
                Some(Value::Table(table)) => table,
                _ => return None,
            },
            _ => return None,
        };
    }
    Some(if table.contains_key("role") {
        Mention::Present
    } else {
        Mention::Absent
    })
}

fn hidden(path: &Path, reason: String) -> PassedOver {
    PassedOver {
        path: path.to_owned(),
        reason,
        why: Why::Hidden,
        role: Mention::Absent,
    }
}

fn as_text(bytes: Zeroizing<Vec<u8>>, path: &Path) -> Result<Zeroizing<String>, Error> {
    bounded_file::into_utf8(bytes)
        .ok_or_else(|| unusable(&format!("{} is not text (UTF-8)", redacted_path(path))))
}

fn unusable(problem: &str) -> Error {
    Error::Configuration(format!("the configuration {problem}"))
}

#[cfg(test)]
mod tests;
