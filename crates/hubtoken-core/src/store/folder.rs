//! Provides what the lock and the writer share: a file's folder, related file names, and error
//! messages.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::file;
use crate::folder;
use crate::printable::printable_path;

/// Creates a folder that only its owner can access, along with `home` if the folder is inside it.
/// An existing folder keeps its mode.
pub(super) fn make_folder(folder: &Path, home: Option<&Path>) -> io::Result<()> {
    folder::make_private(folder, home.unwrap_or(folder))
}

/// The folder that contains a file.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The path with a suffix appended.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// An error for a failed file operation, with advice on how to fix it.
pub(super) fn problem(deed: &str, path: &Path, error: &io::Error) -> Error {
    if file::is_special(error) {
        return Error::Store(format!(
            "{} {error}: hubtoken replaces and removes regular files only, so nothing was changed. \
             Set HF_TOKEN_PATH (or HF_HOME) to a path for files, or unset it",
            printable_path(path)
        ));
    }
    Error::Store(format!(
        "hubtoken cannot {deed} {}: {}. Check the folder's owner, its mode and the space on the \
         disk, or set HF_HOME to another folder",
        printable_path(path),
        file::describe(error)
    ))
}
