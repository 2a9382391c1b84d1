//! Locks the folder that contains the stored tokens.
//!
//! It locks the same file that `huggingface_hub` locks for its token refresh, with `flock` like
//! that library's `filelock`, so that neither overwrites the other's changes. Where the file system
//! refuses `flock`, neither can, and hubtoken's processes use a lock file among themselves.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{io_error, make_folder, parent, sibling};
use crate::bounded_file;
use crate::error::Error;
use crate::file_lock::{self, Attempt, ExclusiveLock, SystemCalls, Taker};
use crate::folder::{self, HomeUser};
use crate::interrupt::Interrupt;
use crate::sanitize::redacted_path;

/// How long to wait for another process, which is as long as `huggingface_hub` waits.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between attempts. It grows up to the interval that `filelock` uses, so that many
/// hubtoken processes do not keep `huggingface_hub` from getting the lock.
const INITIAL_BACKOFF: Duration = Duration::from_millis(2);
const MAXIMUM_BACKOFF: Duration = Duration::from_millis(50);

/// The age at which the lock file of a process that may have died is taken over. A change takes
/// milliseconds, and a process that waits for the lock gets it before it gives up.
const LOCK_FILE_BOUND: Duration = Duration::from_secs(20);

/// The lock, released on drop.
pub struct Lock {
    held: Held,
    /// `HF_HOME`, which is created with access for its owner only.
    home: Option<PathBuf>,
    /// The user of the home.
    user: Option<u32>,
    calls: &'static dyn SystemCalls,
    warning: Option<String>,
}

/// What holds the lock.
enum Held {
    /// The system's lock on the open file.
    System(File),
    /// The existence of a file.
    LockFile(ExclusiveLock),
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::System(file) = self {
            // Closing the file is not enough: a process that was forked in the meantime shares the
            // open file and would keep the lock.
            let _ = file.unlock();
        }
    }
}

/// Takes the lock, in the way that the file system supports.
struct Attempts<'a> {
    path: &'a Path,
    user: Option<u32>,
    calls: &'static dyn SystemCalls,
    /// The lock file, and why it is needed.
    fallback: Option<(Taker, io::Error)>,
}

impl Attempts<'_> {
    /// Tries once; `None` if another process has the lock.
    fn next(&mut self) -> io::Result<Option<Held>> {
        if self.fallback.is_none() {
            let file = open(self.path, self.user)?;
            match self.calls.try_lock(&file) {
                // `filelock` may remove the file when it releases the lock; this lock would then be
                // ineffective.
                Ok(()) if is_at(&file, self.path) => return Ok(Some(Held::System(file))),
                Ok(()) | Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) if file_lock::is_refused(&error) => {
                    let lock_file = sibling(self.path, ".owner");
                    self.fallback = Some((Taker::new(lock_file, LOCK_FILE_BOUND), error));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let Some((taker, _)) = &mut self.fallback else {
            return Ok(None);
        };
        match taker.try_take()? {
            Attempt::Taken(lock) => Ok(Some(Held::LockFile(lock))),
            Attempt::Held(_) => Ok(None),
        }
    }

    fn warning(&self, held: &Held) -> Option<String> {
        let (_, cause) = self.fallback.as_ref()?;
        let Held::LockFile(lock) = held else {
            return None;
        };
        Some(format!(
            "the file system of {} does not support locks ({}). hubtoken used the lock file {} \
             instead, which huggingface_hub does not check",
            redacted_path(self.path),
            bounded_file::io_error_text(cause),
            redacted_path(lock.path())
        ))
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
        home_user: &HomeUser,
        interrupt: &dyn Interrupt,
        calls: &'static dyn SystemCalls,
    ) -> Result<Self, Error> {
        let folder = parent(stored_tokens);
        let user = home_user.id();
        make_folder(folder, home, user)
            .map_err(|error| io_error("create the folder", folder, &error))?;
        let path = sibling(stored_tokens, ".lock");
        let start = Instant::now();
        let mut backoff = INITIAL_BACKOFF;
        let mut attempts = Attempts {
            path: &path,
            user,
            calls,
            fallback: None,
        };
        loop {
            let held = attempts.next();
            if let Some(held) = held.map_err(|error| io_error("lock", &path, &error))? {
                return Ok(Self {
                    warning: attempts.warning(&held),
                    held,
                    home: home.map(Path::to_owned),
                    user,
                    calls,
                });
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

    /// The ID of the [user of the home](HomeUser), to whom what is written belongs.
    pub(super) fn user(&self) -> Option<u32> {
        self.user
    }

    /// The system calls with which the locked files are written.
    pub(super) fn calls(&self) -> &'static dyn SystemCalls {
        self.calls
    }

    /// A warning for the user about the kind of the lock.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Checks that no other process has taken over, which may happen to a process that was
    /// suspended.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.held {
            Held::LockFile(lock) if !lock.is_held() => Err(Error::Store(format!(
                "another process took over {}, since this one seemed to have died. Nothing was \
                 changed; try again",
                redacted_path(lock.path())
            ))),
            Held::System(_) | Held::LockFile(_) => Ok(()),
        }
    }
}

fn open(path: &Path, user: Option<u32>) -> io::Result<File> {
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
    folder::give(&opened, parent(path), user);
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
    use crate::file_lock::OperatingSystem;
    use crate::interrupt::NeverInterrupted;

    fn take(path: &Path) -> Result<Lock, Error> {
        Lock::take(
            path,
            None,
            Duration::ZERO,
            &HomeUser::default(),
            &NeverInterrupted,
            &OperatingSystem,
        )
    }

    #[test]
    fn a_copy_that_a_fork_has_does_not_hold_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stored_tokens");
        let lock = take(&path).unwrap();
        assert!(take(&path).is_err());
        let Held::System(file) = &lock.held else {
            unreachable!("the system locks files");
        };
        let forked = file.try_clone().unwrap();
        drop(lock);
        assert!(take(&path).is_ok());
        drop(forked);
    }
}
