//! Pins a folder to a stored token, for `hubtoken use NAME`.
//!
//! The folder's own file gets `profile = "NAME"`: `hubtoken.toml`, or `pyproject.toml` if that has
//! a `[tool.hubtoken]` table. Nothing else changes, in the file or outside the folder. A name is
//! not a secret, so the file has the default mode.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike, value};

use super::configuration::{self, Configuration};
use super::search::{self, PassedOver};
use super::trust::Trust;
use crate::bounded_file::{self, io_error_text};
use crate::error::Error;
use crate::file_lock::{self, OperatingSystem};
use crate::paths::PROJECT_FILE;
use crate::sanitize::redacted_path;

/// The result of pinning a folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The file.
    pub file: PathBuf,
    /// Whether it was written.
    pub changed: bool,
    /// A file in a parent folder, which no longer applies here.
    pub shadows: Option<PathBuf>,
    /// Why the new file is not trusted, if it is not.
    pub objection: Option<String>,
}

/// Pins a folder to a stored token, or removes the pin if `profile` is `None`.
///
/// # Errors
///
/// [`Error::Configuration`] if the folder's file is broken or not trusted. The file is then left as
/// it is, because rewriting it would make this user the owner of what others wrote there.
/// [`Error::Store`] if it cannot be written.
pub fn pin(folder: &Path, profile: Option<&str>, trust: &Trust) -> Result<Pinned, Error> {
    let mut search = search::of_folder(folder, trust)?;
    if let Some(file) = search.passed_over.first() {
        if !trust.is_own(&file.path) {
            return Err(refused(file));
        }
        // This user's own file in a folder that any user can write to: it can still be edited.
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
            shadows: None,
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
            redacted_path(&file),
            io_error_text(&error)
        ))
    })?;
    Ok(Pinned {
        file,
        changed: true,
        shadows: match &known {
            Some(_) => None,
            None => shadowed(folder, trust)?,
        },
        objection,
    })
}

/// The configuration that applied before the folder had its own.
fn shadowed(folder: &Path, trust: &Trust) -> Result<Option<PathBuf>, Error> {
    let above = match folder.parent() {
        Some(parent) => search::find_project(parent, trust)?.found,
        None => None,
    };
    Ok(above.map(|above: Configuration| above.path))
}

fn refused(file: &PassedOver) -> Error {
    Error::Configuration(format!(
        "{} does not count, and is left as it is: {}",
        redacted_path(&file.path),
        file.reason
    ))
}

/// Sets or removes the profile in the text of a configuration. Everything else is preserved.
///
/// # Errors
///
/// [`Error::Configuration`] if the text is not TOML or has no table for the profile.
pub fn edit(text: &str, file: &Path, profile: Option<&str>) -> Result<String, Error> {
    let broken = || {
        Error::Configuration(format!(
            "{} cannot hold a profile: `tool.hubtoken` is not a table",
            redacted_path(file)
        ))
    };
    let mut document: DocumentMut = text.trim_start_matches('\u{feff}').parse().map_err(|_| {
        // The parser's own message quotes the line, which may contain a secret.
        Error::Configuration(format!("{} is not TOML", redacted_path(file)))
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
                // Keeps a comment after the value.
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

/// Replaces a file with a new one that has the same mode.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A symbolic link is kept: its target is replaced, or made.
    bounded_file::check_replaceable(path)?;
    let path = bounded_file::link_target(path)?;
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
        // Restricted by the umask.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Some(mode) = mode {
        // The file names a token and holds none, so a file system that refuses this does no harm.
        match file.as_file().set_permissions(mode) {
            Err(error) if !file_lock::is_refused(&error) => return Err(error),
            _ => {}
        }
    }
    file_lock::sync(file.as_file(), &OperatingSystem)?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
