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
use crate::error::Error;
use crate::file::describe;
use crate::paths::PROJECT_FILE;

/// What became of a folder's file.
#[derive(Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The file.
    pub file: PathBuf,
    /// Whether it was written.
    pub changed: bool,
    /// A file in a folder above, which no longer counts here.
    pub hides: Option<PathBuf>,
}

/// Pins a folder to a stored token, or with `None` takes that back.
///
/// # Errors
///
/// [`Error::Configuration`] when the folder's file is broken, which is then left as it is;
/// [`Error::Store`] when it cannot be written.
pub fn pin(folder: &Path, profile: Option<&str>) -> Result<Pinned, Error> {
    let known = configuration::of_folder(folder)?;
    let file = known
        .as_ref()
        .map_or_else(|| folder.join(PROJECT_FILE), |known| known.path.clone());
    if known.as_ref().and_then(|known| known.profile.as_deref()) == profile {
        return Ok(Pinned {
            file,
            changed: false,
            hides: None,
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
            file.display(),
            describe(&error)
        ))
    })?;
    Ok(Pinned {
        file,
        changed: true,
        hides: match &known {
            Some(_) => None,
            None => hidden(folder)?,
        },
    })
}

/// The configuration that counted before the folder had one.
fn hidden(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let above = match folder.parent() {
        Some(parent) => configuration::find_project(parent)?,
        None => None,
    };
    Ok(above.map(|above: Configuration| above.path))
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
            file.display()
        ))
    };
    let mut document: DocumentMut = text.trim_start_matches('\u{feff}').parse().map_err(|_| {
        // The parser's own message quotes the line, which may hold a secret.
        Error::Configuration(format!("{} is not TOML", file.display()))
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
