//! Provides what the lock and the writer share: a file's folder, related file names, and error
//! messages.

use std::io;
use std::path::{Path, PathBuf};

use crate::bounded_file;
use crate::error::Error;
use crate::folder;
use crate::sanitize::redacted_path;

/// Creates a folder that only its owner can access, along with `home` if the folder is inside it.
/// An existing folder keeps its mode.
/// `user` is the [user of the home](folder::HomeUser).
pub(super) fn make_folder(folder: &Path, home: Option<&Path>, user: Option<u32>) -> io::Result<()> {
    folder::make_private(folder, home.unwrap_or(folder), user)
}

/// The folder that contains a file.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The path with a suffix appended.
pub(super) fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// An error for a failed file operation, with advice on how to fix it.
pub(super) fn io_error(action: &str, path: &Path, error: &io::Error) -> Error {
    if bounded_file::is_special(error) {
        return Error::Store(format!(
            "{} {error}: hubtoken replaces and removes regular files only, so nothing was changed. \
             Set HF_TOKEN_PATH (or HF_HOME) to a path for files, or unset it",
            redacted_path(path)
        ));
    }
    Error::Store(format!(
        "hubtoken cannot {action} {}: {}. Check the folder's owner, its mode and the space on the \
         disk, or set HF_HOME to another folder",
        redacted_path(path),
        bounded_file::io_error_text(error)
    ))
}
