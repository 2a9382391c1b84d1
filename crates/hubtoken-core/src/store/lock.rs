//! The lock of a folder of tokens.
//!
//! It is the file that `huggingface_hub` locks for its own refresh, by `flock` as its `filelock`
//! does, so that neither loses what the other writes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{beside, make_folder, parent, problem};
use crate::error::Error;
use crate::file;
use crate::interrupt::Interrupt;
use crate::printable::printable_path;

/// How long another process may hold the lock: as long as `huggingface_hub` waits.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait between two looks at the lock: ever longer, up to `filelock`'s own pause, so
/// that a crowd of us does not keep it from the lock.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The lock; dropped, it is free.
pub struct Lock {
    file: File,
    /// `HF_HOME`, which is made for its owner alone where it is not there yet.
    home: Option<PathBuf>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Not by closing alone: a process that was forked meanwhile has the file open as well, and
        // would go on holding the lock.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Locks `stored_tokens`, and makes its folder if there is none; where that is in a `home`,
    /// everything from there on is private.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the lock cannot be had, [`Error::Interrupted`].
    pub fn take(
        stored_tokens: &Path,
        home: Option<&Path>,
        patience: Duration,
        interrupt: &dyn Interrupt,
    ) -> Result<Self, Error> {
        let folder = parent(stored_tokens);
        make_folder(folder, home).map_err(|error| problem("create the folder", folder, &error))?;
        let path = beside(stored_tokens, ".lock");
        let failed = |error: &io::Error| problem("lock", &path, error);
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let file = open(&path).map_err(|error| failed(&error))?;
            match file.try_lock() {
                // `filelock` may remove the file when it lets go; then this locks nothing.
                Ok(()) if is_at(&file, &path) => {
                    let home = home.map(Path::to_owned);
                    return Ok(Self { file, home });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
            if start.elapsed() >= patience {
                return Err(Error::Store(format!(
                    "another process has held {} for {} seconds. Nothing was changed; try again \
                     when it is done",
                    printable_path(&path),
                    patience.as_secs()
                )));
            }
            if interrupt.is_set() {
                return Err(Error::Interrupted);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Lock {
    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Nothing is in it, and a group that shares the folder shares the lock.
        options.mode(0o664);
        // A FIFO must not keep the caller waiting for its other end.
        options.custom_flags(file::NONBLOCK);
    }
    file::check_replaceable(path)?;
    let opened = match options.open(path) {
        // Another's file can be locked by whoever may read it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            options.create(false).write(false);
            options.open(path).map_err(|_| error)
        }
        opened => opened,
    }?;
    file::check_regular(&opened.metadata()?)?;
    Ok(opened)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::interrupt::Never;

    #[test]
    fn a_copy_that_a_fork_has_does_not_hold_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stored_tokens");
        let lock = Lock::take(&path, None, Duration::ZERO, &Never).unwrap();
        assert!(Lock::take(&path, None, Duration::ZERO, &Never).is_err());
        let forked = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(Lock::take(&path, None, Duration::ZERO, &Never).is_ok());
        drop(forked);
    }
}
