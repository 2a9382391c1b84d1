//! Locks files where the system does, and with a lock file where it does not.
//!
//! Network and FUSE file systems, and the sandboxes of some containers, refuse `flock`, `fsync` or
//! `chmod`. What needs them goes through [`SystemCalls`], so that a test can refuse them too, and
//! falls back: [`ExclusiveLock`] replaces `flock`, a refused `fsync` is skipped, since there is
//! nothing else to do, and a file that others can read is reported.

mod claim;
mod exclusive;
mod owner;
mod system_calls;

use std::fs::File;
use std::io::{self, ErrorKind};

pub use exclusive::{Attempt, ExclusiveLock, Taker};
pub use owner::Owner;
pub use system_calls::{OperatingSystem, SystemCalls};

/// Whether an error means that a system call is not available for a file, rather than that it
/// failed.
#[must_use]
pub fn is_refused(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        // `PERM` is what sandboxes answer.
        let refused = [
            Errno::NOSYS,
            Errno::OPNOTSUPP,
            Errno::NOTSUP,
            Errno::NOLCK,
            Errno::INVAL,
            Errno::PERM,
        ];
        if Errno::from_io_error(error).is_some_and(|error| refused.contains(&error)) {
            return true;
        }
    }
    error.kind() == ErrorKind::Unsupported
}

/// Syncs a file or a folder to disk, unless the file system does not support that.
///
/// # Errors
///
/// Those of the operating system, such as a full disk: what was written may be lost.
pub fn sync(file: &File, calls: &dyn SystemCalls) -> io::Result<()> {
    match calls.sync(file) {
        Err(error) if is_refused(&error) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests;
