//! Writing files of tokens: under a lock, and all or nothing.
//!
//! The lock is the file that `huggingface_hub` locks for its own refresh, by `flock` as its
//! `filelock` does. A new content is written beside the old one and takes its place in one step,
//! so that a reader, or whoever comes after a crash, finds the old file or the new one, whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How long another process may hold the lock: as long as `huggingface_hub` waits.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait between two looks at the lock.
const PAUSE: Duration = Duration::from_millis(5);

/// The lock of a folder of tokens; dropped, it is free.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks `stored_tokens`, and makes its folder if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the lock cannot be had.
    pub fn take(stored_tokens: &Path, patience: Duration) -> Result<Self, Error> {
        let folder = parent(stored_tokens);
        make_folder(folder).map_err(|error| problem("create the folder", folder, &error))?;
        let path = beside(stored_tokens, ".lock");
        let failed = |error: &io::Error| problem("lock", &path, error);
        let start = Instant::now();
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)
                .map_err(|error| failed(&error))?;
            match file.try_lock() {
                // `filelock` may remove the file when it lets go; then this locks nothing.
                Ok(()) if is_at(&file, &path) => return Ok(Self { _file: file }),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
            if start.elapsed() >= patience {
                return Err(Error::Store(format!(
                    "another process has held {} for {} seconds. Nothing was changed; try again \
                     when it is done",
                    path.display(),
                    patience.as_secs()
                )));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Replaces a file's content, for the owner's eyes only. The lock must be held: the file beside
/// it that the content is written to has one name, so that a crash leaves no more than one.
///
/// # Errors
///
/// [`Error::Store`]; the old content is in place.
pub fn replace(path: &Path, content: &str, _lock: &Lock) -> Result<(), Error> {
    // A link stays a link: what it points to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    write_beside(path, content).map_err(|error| problem("write", path, &error))
}

fn write_beside(path: &Path, content: &str) -> io::Result<()> {
    let folder = parent(path);
    make_folder(folder)?;
    let new = beside(path, ".hubtoken-new");
    remove_if_there(&new)?;
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&new)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    })();
    if written.is_err() {
        // The first problem is the one to tell; the next write removes what is left.
        let _ = fs::remove_file(&new);
    }
    written?;
    sync_folder(folder);
    Ok(())
}

/// Removes a file; it is no problem if there is none.
///
/// # Errors
///
/// [`Error::Store`].
pub fn remove(path: &Path, _lock: &Lock) -> Result<(), Error> {
    remove_if_there(path).map_err(|error| problem("remove", path, &error))?;
    sync_folder(parent(path));
    Ok(())
}

/// Gives a file that cannot be understood a second name that no file has, and returns that.
///
/// The first name stays until the next [`replace`], so that at no moment both are gone.
///
/// # Errors
///
/// [`Error::Store`].
pub fn set_aside(path: &Path, _lock: &Lock) -> Result<PathBuf, Error> {
    for number in 1..10_000 {
        let aside = beside(path, &format!(".broken-{number}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // A file system without links.
            Err(_) if fs::symlink_metadata(&aside).is_err() => {
                return fs::rename(path, &aside)
                    .map(|()| aside)
                    .map_err(|error| problem("set aside", path, &error));
            }
            Err(_) => {}
        }
    }
    Err(Error::Store(format!(
        "{} cannot be understood, and too many broken files lie beside it. Clear them away",
        path.display()
    )))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder for its owner alone; one that is there keeps its mode.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Makes a rename last through a power cut. Where folders cannot be synced, the rename is done
/// all the same.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), path.metadata()) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    // A file that is open cannot be removed there.
    true
}

fn problem(deed: &str, path: &Path, error: &io::Error) -> Error {
    Error::Store(format!(
        "hubtoken cannot {deed} {}: {}. Check the folder's owner, its mode and the space on the \
         disk, or set HF_HOME to another folder",
        path.display(),
        crate::file::describe(error)
    ))
}
