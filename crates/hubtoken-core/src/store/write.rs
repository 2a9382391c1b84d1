//! Writing files of tokens: all or nothing, and never through a link's back.
//!
//! A new content is written beside the old one first, which is all that can fail for want of
//! space, and takes its place in one step later. So whoever comes after a crash finds the old file
//! or the new one, whole, and a change of several files can prepare them all before it touches
//! one. The [`Lock`] must be held: what is prepared has one name per file, so that a crash leaves
//! no more than one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::folder::{beside, make_folder, parent, problem};
use super::lock::Lock;
use crate::error::Error;
use crate::file;
use crate::printable::printable_path;

/// How many links are followed: as many as Linux follows.
const LINKS: usize = 40;
/// How many broken files may lie beside the good one.
const BROKEN: usize = 10_000;

/// A content that is on the disk and has not taken its place yet; dropped, it is gone again.
pub struct Prepared {
    new: PathBuf,
    path: PathBuf,
    placed: bool,
}

impl Prepared {
    /// Writes a content beside a file, for the owner's eyes only.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; nothing was changed.
    pub fn new(path: &Path, content: &str, lock: &Lock) -> Result<Self, Error> {
        let failed = |error: io::Error| problem("write", path, &error);
        file::check_replaceable(path).map_err(failed)?;
        let target = target(path).map_err(failed)?;
        make_folder(parent(&target), lock.home()).map_err(failed)?;
        let new = being_written(&target);
        // What is wrong with it is no fault of the file beside it.
        remove_if_there(&new).map_err(|error| problem("clear", &new, &error))?;
        Self::write(target, new, content).map_err(failed)
    }

    fn write(path: PathBuf, new: PathBuf, content: &str) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&new)?;
        let prepared = Self {
            new,
            path,
            placed: false,
        };
        keep_owner(&file, &prepared.path);
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        Ok(prepared)
    }

    /// Takes the old content's place.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; the old content is in place.
    pub fn place(mut self) -> Result<(), Error> {
        fs::rename(&self.new, &self.path).map_err(|error| problem("write", &self.path, &error))?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed now is removed by the next change.
            let _ = fs::remove_file(&self.new);
        }
    }
}

/// Removes a file; it is no problem if there is none. Of a link, what it points to is removed: the
/// secret is there.
///
/// # Errors
///
/// [`Error::Store`].
pub fn remove(path: &Path, _lock: &Lock) -> Result<(), Error> {
    file::check_replaceable(path)
        .and_then(|()| target(path))
        .and_then(|path| remove_if_there(&path))
        .map_err(|error| problem("remove", path, &error))
}

/// Removes what a process that was killed had prepared for a file: it holds tokens.
///
/// # Errors
///
/// [`Error::Store`].
pub fn clear(path: &Path, _lock: &Lock) -> Result<(), Error> {
    target(path)
        .and_then(|path| remove_if_there(&being_written(&path)))
        .map_err(|error| problem("clear up beside", path, &error))
}

/// Gives a file that cannot be understood a second name, and returns that.
///
/// The first name stays until another content takes it, so that at no moment both are gone. A
/// file that has a second name already, since a crash came in between, gets no third.
///
/// # Errors
///
/// [`Error::Store`].
pub fn set_aside(path: &Path, _lock: &Lock) -> Result<PathBuf, Error> {
    let failed = |error: &io::Error| problem("set aside", path, error);
    file::check_replaceable(path).map_err(|error| failed(&error))?;
    // Not the link: it will point to the next content.
    let path = &target(path).map_err(|error| failed(&error))?;
    for number in 1..BROKEN {
        let aside = beside(path, &format!(".broken-{number}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if is_same(path, &aside) {
                    return Ok(aside);
                }
            }
            // A file system without links.
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
        "{} cannot be understood, and too many broken files lie beside it. Clear them away",
        printable_path(path)
    )))
}

/// Whether an error may mean that the file system has no hard links, or not for this file.
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
        file::check_regular(&metadata)?;
    }
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Makes what was done to a file's name last through a power cut. Where folders cannot be synced,
/// it is done all the same.
pub fn settle(path: &Path, _lock: &Lock) {
    if cfg!(unix) {
        let _ = target(path)
            .and_then(|path| File::open(parent(&path)))
            .and_then(|folder| folder.sync_all());
    }
}

/// The file that a path leads to: a link stays a link, also one that points to nothing yet.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = parent(&path).join(next),
            // No link, or nothing there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// Whoever writes in the home of somebody else, as root does, leaves the file its owner's: with
/// mode 0600 nobody else could read it.
#[cfg(unix)]
fn keep_owner(new: &File, old: &Path) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let (Ok(old), Ok(folder), Ok(new_file)) =
        (old.metadata(), parent(old).metadata(), new.metadata())
    else {
        return;
    };
    // In a folder that others share, a file's owner may be anybody.
    if old.uid() == folder.uid() && old.uid() != new_file.uid() {
        // Who may not give it away keeps it.
        let _ = fchown(new, Some(old.uid()), Some(old.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_new: &File, _old: &Path) {}

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
    // Not known there; a third name does no harm.
    false
}

fn being_written(path: &Path) -> PathBuf {
    beside(path, ".hubtoken-new")
}
