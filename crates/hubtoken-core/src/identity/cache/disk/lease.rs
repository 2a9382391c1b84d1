//! The leader's lease: an operating-system lock on a file of its own.
//!
//! The lock of a process that dies is released automatically. The lock cannot show whether its
//! holder still makes progress, so the file also holds a [`Heartbeat`], which is rewritten while
//! the request is running. The holder removes the file when it is done, so that a server that sees
//! a million tokens does not leave a million files; a process that had the file open notices that
//! the path no longer leads to it, and opens the path again. A process that breaks a stale lease
//! removes the file without holding its lock. It does so under a lock on the folder: if many
//! processes notice a stale lease at once, the slowest could otherwise remove the new lease that
//! the fastest has already acquired.
//!
//! Where the file system refuses locks, the lease is the existence of another file, created
//! exclusively. Nothing releases that of a process that dies, so the processes that wait for it
//! break it like any lease without a heartbeat.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::file_lock::{self, SystemCalls};
use crate::folder;
use crate::identity::cache::shared::{Heartbeat, Lease, TryLease};

/// The length of a heartbeat in its file: two hexadecimal numbers, a space and a newline.
const LENGTH: usize = 34;
/// The extension of [`existence_path`].
const EXISTENCE: &str = "lease";
/// How often opening is retried at once if the file was removed in between.
const TRIES: usize = 3;

/// A lease that is held.
struct FileLease {
    file: File,
    path: PathBuf,
    heartbeat: Heartbeat,
}

impl Lease for FileLease {
    fn id(&self) -> u64 {
        self.heartbeat.lease_id
    }

    fn renew(&mut self) {
        self.heartbeat.count += 1;
        // A holder that cannot write appears stale and loses the lease. Other processes then send
        // requests of their own.
        let _ = write(&mut self.file, self.heartbeat);
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        // Removed before the lock is released, and only if the file still holds this lease and not
        // one acquired after a takeover.
        if at(&self.path).lease_id == self.heartbeat.lease_id {
            let _ = fs::remove_file(&self.path);
        }
        // Unlocked explicitly: a forked child also has the file open and would keep the lock.
        let _ = self.file.unlock();
    }
}

/// Tries to acquire the lease in a file.
///
/// # Errors
///
/// Those of the operating system, in which case leases are unsupported here.
pub(super) fn try_lease(
    path: &Path,
    user: Option<u32>,
    calls: &dyn SystemCalls,
) -> io::Result<TryLease> {
    for _ in 0..TRIES {
        let mut file = open(path, user)?;
        match calls.try_lock(&file) {
            Ok(()) if !leads_to(path, &file) => {}
            Ok(()) => {
                let heartbeat = first_heartbeat()?;
                if let Err(error) = write(&mut file, heartbeat) {
                    // If the disk is full, an answer could not be stored either.
                    let _ = fs::remove_file(path);
                    return Err(error);
                }
                return Ok(TryLease::Acquired(Box::new(FileLease {
                    file,
                    path: path.to_owned(),
                    heartbeat,
                })));
            }
            Err(TryLockError::WouldBlock) => return Ok(TryLease::HeldBy(read(&mut file))),
            Err(TryLockError::Error(error)) if file_lock::is_refused(&error) => {
                // Nobody here needs the file that was opened.
                if read(&mut file) == Heartbeat::default() {
                    let _ = fs::remove_file(path);
                }
                return without_locks(path, user);
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(TryLease::HeldBy(Heartbeat::default()))
}

/// The file whose existence is the lease where locks are refused.
pub(super) fn existence_path(path: &Path) -> PathBuf {
    path.with_extension(EXISTENCE)
}

fn without_locks(path: &Path, user: Option<u32>) -> io::Result<TryLease> {
    let path = existence_path(path);
    let heartbeat = first_heartbeat()?;
    let mut options = File::options();
    options.create_new(true).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.symlink_metadata()?.is_file() {
                return Ok(TryLease::HeldBy(at(&path)));
            }
            return Err(error);
        }
        file => file?,
    };
    give(&file, &path, user);
    if let Err(error) = write(&mut file, heartbeat) {
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    Ok(TryLease::Acquired(Box::new(FileLease {
        file,
        path,
        heartbeat,
    })))
}

fn first_heartbeat() -> io::Result<Heartbeat> {
    Ok(Heartbeat {
        lease_id: getrandom::u64().map_err(io::Error::other)?,
        count: 0,
    })
}

fn give(file: &File, path: &Path, user: Option<u32>) {
    if let Some(folder) = path.parent() {
        folder::give(file, folder, user);
    }
}

/// Breaks the lease in a file, if it still shows this mark.
pub(super) fn break_stale(path: &Path, heartbeat: Heartbeat) {
    // If the folder cannot be locked, the worst case is one extra request.
    let folder = path.parent().and_then(|folder| File::open(folder).ok());
    if let Some(folder) = &folder
        && matches!(folder.try_lock(), Err(TryLockError::WouldBlock))
    {
        // Another process is already breaking the lease. The caller checks again later.
        return;
    }
    if at(path) == heartbeat {
        let _ = fs::remove_file(path);
    }
    if let Some(folder) = folder {
        // Unlocked explicitly, as in `FileLease::drop`.
        let _ = folder.unlock();
    }
}

fn open(path: &Path, user: Option<u32>) -> io::Result<File> {
    // A symlink's target is not a lease file and must not be written to.
    if path
        .symlink_metadata()
        .is_ok_and(|metadata| !metadata.is_file())
    {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    give(&file, path, user);
    Ok(file)
}

/// Whether a path still leads to an open file.
#[cfg(unix)]
fn leads_to(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    let (Ok(there), Ok(here)) = (path.metadata(), file.metadata()) else {
        return false;
    };
    identity(&there) == identity(&here)
}

/// On other systems, files cannot be compared. The worst case is one extra request.
#[cfg(not(unix))]
fn leads_to(path: &Path, _file: &File) -> bool {
    path.exists()
}

fn write(file: &mut File, heartbeat: Heartbeat) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{:016x} {:016x}\n", heartbeat.lease_id, heartbeat.count).as_bytes())
}

fn at(path: &Path) -> Heartbeat {
    File::open(path).map_or_else(|_| Heartbeat::default(), |mut file| read(&mut file))
}

/// Reads the mark in a file; the default if it holds none.
fn read(file: &mut File) -> Heartbeat {
    let mut bytes = [0; LENGTH];
    let text = file
        .read_exact(&mut bytes)
        .ok()
        .and_then(|()| str::from_utf8(&bytes).ok());
    text.and_then(parse).unwrap_or_default()
}

fn parse(text: &str) -> Option<Heartbeat> {
    let (lease_id, count) = text.trim_end().split_once(' ')?;
    Some(Heartbeat {
        lease_id: u64::from_str_radix(lease_id, 16).ok()?,
        count: u64::from_str_radix(count, 16).ok()?,
    })
}
