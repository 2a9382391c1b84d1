//! Pinning a folder to a stored token: what `hubtoken use NAME` writes.
//!
//! The folder's own file gets `profile = "NAME"`: its `hubtoken.toml`, or its `pyproject.toml`
//! when that has a `[tool.hubtoken]` table. Nothing else in the file changes, and nothing outside
//! the folder does. A name is no secret, so the file has the mode that any new file has.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike, value};

use super::configuration::{self, Configuration};
use super::search::{self, PassedOver};
use super::trust::Trust;
use crate::error::Error;
use crate::file::describe;
use crate::paths::PROJECT_FILE;
use crate::printable::printable_path;

/// What became of a folder's file.
#[derive(Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The file.
    pub file: PathBuf,
    /// Whether it was written.
    pub changed: bool,
    /// A file in a folder above, which no longer counts here.
    pub hides: Option<PathBuf>,
    /// Why the file does not count although it was written, if it does not.
    pub objection: Option<String>,
}

/// Pins a folder to a stored token, or with `None` takes that back.
///
/// # Errors
///
/// [`Error::Configuration`] when the folder's file is broken, or does not count: it is then left
/// as it is, since to write it anew would make what others have written there this user's own.
/// [`Error::Store`] when it cannot be written.
pub fn pin(folder: &Path, profile: Option<&str>, trust: &Trust) -> Result<Pinned, Error> {
    let mut search = search::of_folder(folder, trust)?;
    if let Some(file) = search.passed_over.first() {
        if !trust.is_own(&file.path) {
            return Err(refused(file));
        }
        // This user's own file, in a folder of all: what is in it can still be changed.
        search = search::of_folder(folder, &trust.with_safe_directories(&[folder.to_owned()]))?;
    }
    let known = search.found;
    let objection = trust.objection_to_any(folder).filter(|_| profile.is_some());
    let file = known
        .as_ref()
        .map_or_else(|| folder.join(PROJECT_FILE), |known| known.path.clone());
    if known.as_ref().and_then(|known| known.profile.as_deref()) == profile {
        return Ok(Pinned {
            file,
            changed: false,
            hides: None,
            objection,
        });
    }
    let text = configuration::read(&file)?.unwrap_or_default();
    let text = edit(&text, &file, profile)?;
    let is_ours = file.ends_with(PROJECT_FILE);
    let written = if is_ours && text.trim().is_empty() {
        fs::remove_file(&file)
    } else {
        replace(&file, &text)
    };
    written.map_err(|error| {
        Error::Store(format!(
            "{} cannot be written: {}. Check the folder's owner and mode",
            printable_path(&file),
            describe(&error)
        ))
    })?;
    Ok(Pinned {
        file,
        changed: true,
        hides: match &known {
            Some(_) => None,
            None => hidden(folder, trust)?,
        },
        objection,
    })
}

/// The configuration that counted before the folder had one.
fn hidden(folder: &Path, trust: &Trust) -> Result<Option<PathBuf>, Error> {
    let above = match folder.parent() {
        Some(parent) => search::find_project(parent, trust)?.found,
        None => None,
    };
    Ok(above.map(|above: Configuration| above.path))
}

fn refused(file: &PassedOver) -> Error {
    Error::Configuration(format!(
        "{} does not count, and is left as it is: {}",
        printable_path(&file.path),
        file.reason
    ))
}

/// Sets or removes the profile in a configuration's text; all else stays as it is written.
///
/// # Errors
///
/// [`Error::Configuration`] when the text is not TOML, or has no place for it.
pub fn edit(text: &str, file: &Path, profile: Option<&str>) -> Result<String, Error> {
    let broken = || {
        Error::Configuration(format!(
            "{} has no place for a profile: `tool.hubtoken` is no table",
            printable_path(file)
        ))
    };
    let mut document: DocumentMut = text.trim_start_matches('\u{feff}').parse().map_err(|_| {
        // The parser's own message quotes the line, which may hold a secret.
        Error::Configuration(format!("{} is not TOML", printable_path(file)))
    })?;
    let table: &mut dyn TableLike = if file.ends_with(PROJECT_FILE) {
        document.as_table_mut()
    } else {
        document
            .get_mut("tool")
            .and_then(|tool| tool.get_mut("hubtoken"))
            .and_then(Item::as_table_like_mut)
            .ok_or_else(broken)?
    };
    match profile {
        Some(profile) => {
            let mut new = value(profile);
            if let (Some(old), Some(new)) = (
                table.get("profile").and_then(Item::as_value),
                new.as_value_mut(),
            ) {
                // A comment behind the value stays.
                *new.decor_mut() = old.decor().clone();
            }
            table.insert("profile", new);
        }
        None => {
            table.remove("profile");
        }
    }
    Ok(document.to_string())
}

/// A new file in the old one's place, with the old one's mode.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays a link: what it points to is replaced.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hubtoken-");
    let mode = match fs::metadata(&path) {
        Ok(metadata) => Some(metadata.permissions()),
        Err(_) => None,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What the umask leaves of it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Some(mode) = mode {
        file.as_file().set_permissions(mode)?;
    }
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
#[path = "pin_tests.rs"]
mod tests;
