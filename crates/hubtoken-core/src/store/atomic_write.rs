//! Writes token files atomically and follows symbolic links instead of replacing them.
//!
//! New content is first written next to the old file, which is the only step that can fail for lack
//! of space, and replaces it later in one step. After a crash, readers therefore find the complete
//! old file or the complete new one, and a change of several files can prepare all of them before
//! it replaces any. The [`Lock`] must be held: a prepared file has a fixed name, so a crash leaves
//! at most one per file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::folder::{io_error, make_folder, parent, sibling};
use super::lock::Lock;
use crate::bounded_file;
use crate::error::Error;
use crate::file_lock;
use crate::folder;
use crate::sanitize::redacted_path;

/// The maximum number of broken files next to the good one.
const MAXIMUM_QUARANTINED: usize = 10_000;

/// Content that is on disk but has not replaced the file yet. Removed on drop.
pub struct StagedFile {
    new: PathBuf,
    path: PathBuf,
    committed: bool,
    /// Whether other users can read it, and why that could not be changed.
    exposed: Option<String>,
}

impl StagedFile {
    /// Writes content next to a file, readable only by its owner.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]. Nothing was changed.
    pub fn new(path: &Path, content: &str, lock: &Lock) -> Result<Self, Error> {
        let failed = |error: io::Error| io_error("write", path, &error);
        bounded_file::check_replaceable(path).map_err(failed)?;
        let target = bounded_file::link_target(path).map_err(failed)?;
        make_folder(parent(&target), lock.home(), lock.user()).map_err(failed)?;
        let new = staging_path(&target);
        // The error names the leftover file rather than the file next to it.
        remove_if_there(&new).map_err(|error| io_error("clear", &new, &error))?;
        Self::write(target, new, content, lock).map_err(failed)
    }

    fn write(path: PathBuf, new: PathBuf, content: &str, lock: &Lock) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&new)?;
        let mut staged = Self {
            new,
            path,
            committed: false,
            exposed: None,
        };
        staged.exposed = restrict(&file, lock);
        keep_owner(&file, &staged.path, lock.user());
        file.write_all(content.as_bytes())?;
        file_lock::sync(&file, lock.calls())?;
        Ok(staged)
    }

    /// The file that it replaces.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Why other users can read the file; `None` if they cannot.
    pub(super) fn exposed(&self) -> Option<&str> {
        self.exposed.as_deref()
    }

    /// Replaces the old content.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]. The old content is still in place.
    pub fn commit(mut self) -> Result<(), Error> {
        fs::rename(&self.new, &self.path).map_err(|error| io_error("write", &self.path, &error))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.committed {
            // If it cannot be removed now, the next change removes it.
            let _ = fs::remove_file(&self.new);
        }
    }
}

/// Removes a file; a missing file is not an error. For a symbolic link, removes the target, which
/// contains the secret.
///
/// # Errors
///
/// [`Error::Store`].
pub fn remove(path: &Path, _lock: &Lock) -> Result<(), Error> {
    bounded_file::check_replaceable(path)
        .and_then(|()| bounded_file::link_target(path))
        .and_then(|path| remove_if_there(&path))
        .map_err(|error| io_error("remove", path, &error))
}

/// Removes what a killed process had prepared for a file, since it contains tokens.
///
/// # Errors
///
/// [`Error::Store`].
pub fn remove_leftovers(path: &Path, _lock: &Lock) -> Result<(), Error> {
    bounded_file::link_target(path)
        .and_then(|path| remove_if_there(&staging_path(&path)))
        .map_err(|error| io_error("clear up beside", path, &error))
}

/// Gives a file that cannot be parsed a second name, and returns that name.
///
/// The first name stays until new content replaces it, so the file is never missing. If a crash in
/// between left a file with a second name, it does not get a third one.
///
/// # Errors
///
/// [`Error::Store`].
pub fn quarantine(path: &Path, _lock: &Lock) -> Result<PathBuf, Error> {
    let failed = |error: &io::Error| io_error("set aside", path, error);
    bounded_file::check_replaceable(path).map_err(|error| failed(&error))?;
    // Not the symbolic link itself, which will point to the new content.
    let path = &bounded_file::link_target(path).map_err(|error| failed(&error))?;
    for number in 1..MAXIMUM_QUARANTINED {
        let aside = sibling(path, &format!(".broken-{number}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if is_same(path, &aside) {
                    return Ok(aside);
                }
            }
            // The file system does not support hard links.
            Err(error) if unlinkable(&error) && fs::symlink_metadata(&aside).is_err() => {
                return match fs::rename(path, &aside) {
                    Ok(()) => Ok(aside),
                    Err(error) => Err(failed(&error)),
                };
            }
            Err(error) if unlinkable(&error) => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Err(Error::Store(format!(
        "{} cannot be understood, and there are too many broken files next to it. Remove them",
        redacted_path(path)
    )))
}

/// Whether an error may mean that the file system, or this file, does not support hard links.
fn unlinkable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unsupported | ErrorKind::PermissionDenied | ErrorKind::TooManyLinks
    )
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    if let Ok(metadata) = path.symlink_metadata()
        && !metadata.is_symlink()
    {
        bounded_file::check_regular(&metadata)?;
    }
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Syncs the folder of a file, so that changes to its name survive a power failure. Ignores errors,
/// since some folders cannot be synced.
pub fn sync_folder(path: &Path, lock: &Lock) {
    if cfg!(unix) {
        let _ = bounded_file::link_target(path)
            .and_then(|path| File::open(parent(&path)))
            .and_then(|folder| lock.calls().sync(&folder));
    }
}

/// Restricts a new file to its owner on a file system that ignored the mode it was created with.
/// Returns why that failed.
fn restrict(file: &File, lock: &Lock) -> Option<String> {
    let calls = lock.calls();
    // Without a mode to see, the one that it was created with is believed.
    if !calls.is_exposed(file).unwrap_or(false) {
        return None;
    }
    match calls.make_private(file) {
        Err(error) => Some(bounded_file::io_error_text(&error)),
        Ok(()) if calls.is_exposed(file).unwrap_or(false) => Some("it keeps no modes".to_owned()),
        Ok(()) => None,
    }
}

/// Keeps the owner of the old file when another user, such as root, writes it: with mode 0600, the
/// owner could not read it otherwise. A file that is new in a user's home belongs to that user.
#[cfg(unix)]
fn keep_owner(new: &File, path: &Path, user: Option<u32>) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let (Ok(old), Ok(folder), Ok(new_file)) =
        (path.metadata(), parent(path).metadata(), new.metadata())
    else {
        return folder::give(new, parent(path), user);
    };
    // In a shared folder, the file's owner may be any user.
    if old.uid() == folder.uid() && old.uid() != new_file.uid() {
        // Without the privilege to change it, the current user stays the owner.
        let _ = fchown(new, Some(old.uid()), Some(old.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_new: &File, _path: &Path, _user: Option<u32>) {}

#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (one.symlink_metadata(), other.symlink_metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same(_one: &Path, _other: &Path) -> bool {
    // Unknown on such systems. A third name does no harm.
    false
}

fn staging_path(path: &Path) -> PathBuf {
    sibling(path, ".hubtoken-new")
}
