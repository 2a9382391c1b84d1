//! The right to remove one lock file.
//!
//! Two processes that find the same stale lock must not both remove it: the slower one would remove
//! the lock that the faster one has made since. So only the process that creates the *claim* of a
//! lock file may remove it. A claim is a file whose name contains the random ID of the lock's
//! record, created exclusively, and a record never comes back. As long as a process has the claim,
//! a lock file that still holds that record therefore stays what it is.
//!
//! A process may die with a claim. Its claim is then stale like any lock, and the process that
//! creates the claim of *that* claim has its right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::owner::Owner;
use crate::bounded_file;

/// The maximum size of a record, in bytes.
const MAXIMUM_RECORD: u64 = 4096;
/// How many processes may have died one after the other, each with the claim of the one before.
const MAXIMUM_DEPTH: usize = 64;

/// A lock file or a claim, as it was found.
pub(super) struct Seen {
    /// The record; `None` if it is incomplete, or cannot be read.
    pub(super) owner: Option<Owner>,
    /// Identifies the record.
    id: String,
    /// When it was last written.
    pub(super) modified: SystemTime,
}

impl Seen {
    /// Reads a file; `None` if it does not exist.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let metadata = match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        bounded_file::check_regular(&metadata)?;
        let modified = metadata.modified()?;
        // One that another user made may be unreadable.
        let owner = bounded_file::read_bytes(path, MAXIMUM_RECORD)
            .ok()
            .flatten()
            .and_then(|bytes| Owner::parse(&bytes));
        let id = match &owner {
            Some(owner) => owner.id.clone(),
            None => anonymous(&metadata, modified),
        };
        Ok(Some(Self {
            owner,
            id,
            modified,
        }))
    }

    /// Whether a file still holds this record.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(Self::read(path)?.is_some_and(|now| now.id == self.id))
    }
}

/// Identifies a file without a record.
fn anonymous(metadata: &fs::Metadata, modified: SystemTime) -> String {
    let time = modified
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos());
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let number = metadata.len();
    format!("{number:x}-{time:x}")
}

/// Creates a file with a record of this process; `None` if it exists. If its record cannot be
/// written, the file is removed.
pub(super) fn create(path: &Path, owner: &Owner) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    // No secret, and other users must be able to see whose it is.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        file => file?,
    };
    if let Err(error) = file.write_all(&owner.to_bytes()) {
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok(Some(file))
}

/// The right to remove a lock file, given up on drop.
pub(super) struct Claim {
    /// The claims of processes that died, and this process's own one at the end.
    files: Vec<PathBuf>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        for file in &self.files {
            // One that cannot be removed does no harm, since its record is gone.
            let _ = fs::remove_file(file);
        }
    }
}

impl Claim {
    /// Claims a lock file; `None` if another process has the claim. `is_stale` judges a claim that
    /// is there.
    pub(super) fn take(
        lock: &Path,
        seen: &Seen,
        mut is_stale: impl FnMut(&Seen) -> io::Result<bool>,
    ) -> io::Result<Option<Self>> {
        let owner = Owner::current()?;
        let mut abandoned = Vec::new();
        let mut id = seen.id.clone();
        for _ in 0..MAXIMUM_DEPTH {
            let path = path_of(lock, &id);
            if create(&path, &owner)?.is_some() {
                abandoned.push(path);
                return Ok(Some(Self { files: abandoned }));
            }
            let Some(other) = Seen::read(&path)? else {
                // It was given up just now. The caller looks at the lock again.
                return Ok(None);
            };
            if !is_stale(&other)? {
                return Ok(None);
            }
            abandoned.push(path);
            id = other.id;
        }
        Ok(None)
    }
}

fn path_of(lock: &Path, id: &str) -> PathBuf {
    let mut name = lock.as_os_str().to_owned();
    name.push(".claim-");
    name.push(id);
    name.into()
}
