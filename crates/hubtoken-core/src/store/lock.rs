//! Locks the folder that contains the stored tokens.
//!
//! It locks the same file that `huggingface_hub` locks for its token refresh, with `flock` like
//! that library's `filelock`, so that neither overwrites the other's changes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{io_error, make_folder, parent, sibling};
use crate::bounded_file;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::sanitize::redacted_path;

/// How long to wait for another process, which is as long as `huggingface_hub` waits.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between attempts. It grows up to the interval that `filelock` uses, so that many
/// hubtoken processes do not keep `huggingface_hub` from getting the lock.
const INITIAL_BACKOFF: Duration = Duration::from_millis(2);
const MAXIMUM_BACKOFF: Duration = Duration::from_millis(50);

/// The lock, released on drop.
pub struct Lock {
    file: File,
    /// `HF_HOME`, which is created with access for its owner only.
    home: Option<PathBuf>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that was forked in the meantime shares the open
        // file and would keep the lock.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Locks `stored_tokens`, and creates its folder if it does not exist. If the folder is inside
    /// `home`, everything from `home` down is private.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the lock cannot be acquired, [`Error::Interrupted`].
    pub fn take(
        stored_tokens: &Path,
        home: Option<&Path>,
        timeout: Duration,
        interrupt: &dyn Interrupt,
    ) -> Result<Self, Error> {
        let folder = parent(stored_tokens);
        make_folder(folder, home).map_err(|error| io_error("create the folder", folder, &error))?;
        let path = sibling(stored_tokens, ".lock");
        let failed = |error: &io::Error| io_error("lock", &path, error);
        let start = Instant::now();
        let mut backoff = INITIAL_BACKOFF;
        loop {
            let file = open(&path).map_err(|error| failed(&error))?;
            match file.try_lock() {
                // `filelock` may remove the file when it releases the lock; this lock would then be
                // ineffective.
                Ok(()) if is_at(&file, &path) => {
                    let home = home.map(Path::to_owned);
                    return Ok(Self { file, home });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
            if start.elapsed() >= timeout {
                return Err(Error::Store(format!(
                    "another process has held {} for {} seconds. Nothing was changed; try again \
                     when it is done",
                    redacted_path(&path),
                    timeout.as_secs()
                )));
            }
            if interrupt.is_set() {
                return Err(Error::Interrupted);
            }
            thread::sleep(backoff);
            backoff = (backoff * 2).min(MAXIMUM_BACKOFF);
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
        // The file is empty, and a group that shares the folder shares the lock.
        options.mode(0o664);
        // A FIFO must not block the caller.
        options.custom_flags(bounded_file::NONBLOCK);
    }
    bounded_file::check_replaceable(path)?;
    let opened = match options.open(path) {
        // Another user's file can be locked with read access alone.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            options.create(false).write(false);
            options.open(path).map_err(|_| error)
        }
        opened => opened,
    }?;
    bounded_file::check_regular(&opened.metadata()?)?;
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
    // An open file cannot be removed on such systems.
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::interrupt::NeverInterrupted;

    #[test]
    fn a_copy_that_a_fork_has_does_not_hold_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stored_tokens");
        let lock = Lock::take(&path, None, Duration::ZERO, &NeverInterrupted).unwrap();
        assert!(Lock::take(&path, None, Duration::ZERO, &NeverInterrupted).is_err());
        let forked = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(Lock::take(&path, None, Duration::ZERO, &NeverInterrupted).is_ok());
        drop(forked);
    }
}
