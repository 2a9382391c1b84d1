//! The lock of a data folder: one Hub at a time.
//!
//! Where the file system refuses locks, the folder is locked by a lock file, which a thread keeps
//! young: a Hub lasts longer than the age at which the lock of a process on another host, which may
//! have died, is taken over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hubtoken_core::file_lock::{self, Attempt, ExclusiveLock, Owner, SystemCalls, Taker};

/// The file that is locked. It holds the record of its owner.
const LOCK: &str = "hub.lock";
/// The lock file where the file system refuses locks.
const LOCK_FILE: &str = "hub.lock.owner";
/// The age at which the lock file of a process that may have died is taken over.
const BOUND: Duration = Duration::from_mins(1);
/// How often a lock file is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// A lock that is held. Released on drop.
#[derive(Debug)]
pub(super) enum FolderLock {
    /// The system's lock on the open file.
    System(File),
    /// A lock file, and the end of the thread that renews it.
    LockFile(Sender<()>, Option<thread::JoinHandle<()>>),
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        match self {
            // Explicitly, because a child forked from this process holds the same lock through its
            // copy of the file descriptor.
            Self::System(file) => {
                let _ = file.unlock();
            }
            Self::LockFile(end, renewal) => {
                let _ = end.send(());
                if let Some(renewal) = renewal.take() {
                    let _ = renewal.join();
                }
            }
        }
    }
}

/// Takes the lock of a folder; `None` if another Hub has it.
pub(super) fn take(folder: &Path, calls: &dyn SystemCalls) -> io::Result<Option<FolderLock>> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(LOCK))?;
    match calls.try_lock(&file) {
        Ok(()) => {
            record(&mut file);
            Ok(Some(FolderLock::System(file)))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if file_lock::is_refused(&error) => {
            match taker(folder).try_take()? {
                Attempt::Taken(lock) => {
                    record(&mut file);
                    renewed(lock).map(Some)
                }
                Attempt::Held(_) => Ok(None),
            }
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Writes the record of this process. Without it, such as on a full disk, the folder is only not
/// removed by others if it is temporary.
fn record(file: &mut File) {
    let _ = file
        .set_len(0)
        .and_then(|()| file.write_all(&Owner::current()?.to_bytes()));
}

fn taker(folder: &Path) -> Taker {
    Taker::new(folder.join(LOCK_FILE), BOUND)
}

fn renewed(mut lock: ExclusiveLock) -> io::Result<FolderLock> {
    let (end, ended) = mpsc::channel();
    let renewal = thread::Builder::new()
        .name("hubtoken-hub-lock".to_owned())
        .spawn(move || {
            while matches!(ended.recv_timeout(RENEWAL), Err(RecvTimeoutError::Timeout)) {
                // On a full disk, the next renewal may succeed.
                let _ = lock.renew();
            }
        })?;
    Ok(FolderLock::LockFile(end, Some(renewal)))
}

/// Whether a Hub uses a folder. Nothing is created.
#[must_use]
pub fn is_locked(folder: &Path) -> bool {
    is_locked_by(folder, &file_lock::OperatingSystem)
}

fn is_locked_by(folder: &Path, calls: &dyn SystemCalls) -> bool {
    match File::open(folder.join(LOCK)).map(|file| calls.try_lock_shared(&file)) {
        Ok(Err(TryLockError::WouldBlock)) => true,
        Ok(Err(TryLockError::Error(error))) if file_lock::is_refused(&error) => {
            taker(folder).is_held().unwrap_or(false)
        }
        _ => false,
    }
}

/// A folder whose Hub has ended without removing it, locked so that nobody else removes it too.
pub(super) struct Abandoned {
    path: PathBuf,
    _lock: FolderLock,
}

impl Abandoned {
    /// Locks a folder if a Hub of this host has started in it and ended. Without its record, another
    /// Hub may be about to start in it.
    pub(super) fn lock(path: PathBuf, calls: &dyn SystemCalls) -> Option<Self> {
        let owner = Owner::parse(&fs::read(path.join(LOCK)).ok()?)?;
        if !owner.is_of_this_host() {
            return None;
        }
        // Locks may be refused to this process alone, in a sandbox: then a lock that another holds
        // cannot be seen, and only the end of its process counts.
        let file = File::open(path.join(LOCK)).ok()?;
        if let Err(TryLockError::Error(error)) = calls.try_lock_shared(&file)
            && !(file_lock::is_refused(&error) && owner.has_ended())
        {
            return None;
        }
        drop(file);
        let lock = take(&path, calls).ok()??;
        Some(Self { path, _lock: lock })
    }

    /// Removes the folder.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoLocks;

    impl SystemCalls for NoLocks {
        fn try_lock(&self, _file: &File) -> Result<(), TryLockError> {
            let error = rustix::io::Errno::NOSYS.raw_os_error();
            Err(TryLockError::Error(io::Error::from_raw_os_error(error)))
        }

        fn try_lock_shared(&self, file: &File) -> Result<(), TryLockError> {
            self.try_lock(file)
        }
    }

    #[test]
    fn one_hub_at_a_time_with_and_without_locks() {
        for calls in [&file_lock::OperatingSystem as &dyn SystemCalls, &NoLocks] {
            let folder = tempfile::tempdir().unwrap();
            assert!(!is_locked_by(folder.path(), calls));
            let lock = take(folder.path(), calls).unwrap().unwrap();
            assert!(is_locked_by(folder.path(), calls));
            assert!(take(folder.path(), calls).unwrap().is_none());
            assert!(Abandoned::lock(folder.path().to_owned(), calls).is_none());
            drop(lock);
            assert!(!is_locked_by(folder.path(), calls));
            drop(take(folder.path(), calls).unwrap().unwrap());
            let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
            assert_eq!(left.len(), 1);
        }
    }

    #[test]
    fn a_process_that_sees_no_locks_removes_nothing_that_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let lock = take(folder.path(), &file_lock::OperatingSystem).unwrap();
        let record = fs::read(folder.path().join(LOCK)).unwrap();
        assert!(Abandoned::lock(folder.path().to_owned(), &NoLocks).is_none());
        assert_eq!(fs::read(folder.path().join(LOCK)).unwrap(), record);
        drop(lock);
        // This process still runs, so it may hold a lock that cannot be seen.
        assert!(Abandoned::lock(folder.path().to_owned(), &NoLocks).is_none());
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let mut owner = Owner::current().unwrap();
        owner.pid = ended.id();
        fs::write(folder.path().join(LOCK), owner.to_bytes()).unwrap();
        assert!(Abandoned::lock(folder.path().to_owned(), &NoLocks).is_some());
    }

    #[test]
    fn a_lock_that_fails_is_an_error() {
        struct Broken;
        impl SystemCalls for Broken {
            fn try_lock(&self, _file: &File) -> Result<(), TryLockError> {
                let error = rustix::io::Errno::IO.raw_os_error();
                Err(TryLockError::Error(io::Error::from_raw_os_error(error)))
            }
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(take(folder.path(), &Broken).is_err());
    }
}
