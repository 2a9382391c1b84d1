//! Errors of git repositories, as distinguished by the HTTP layer.
//!
//! After a failed write, libgit2 may report the most recent message about anything. A failed write
//! without a message of its own is therefore investigated: if the disk has less free space than the
//! write needed, the error is reported as a full disk.

use std::path::Path;

use git2::Oid;

/// Why a git operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitFault {
    #[error("Invalid rev id: {0}")]
    RevisionNotFound(String),
    #[error("Entry not found")]
    EntryNotFound { path: String, commit: Oid },
    /// A pointer was pushed, but its object was never uploaded.
    #[error(
        "The content of this file was never uploaded: its pointer is in git, but its object is \
         missing from LFS"
    )]
    LargeFileMissing { commit: Oid },
    #[error("The branch was updated since you opened this page. Please refresh and try again.")]
    ParentChanged,
    #[error("Reference {0} already exists")]
    ReferenceExists(String),
    #[error("{0}")]
    Rejected(String),
    #[error("{0}")]
    TooLarge(String),
    /// The repository is registered, but its folder is missing: it is damaged, or was just deleted.
    #[error("the content of this repository is missing on the server")]
    ContentMissing,
    #[error("The Hub's disk is full; nothing was changed. Ask its operator to free up space")]
    DiskFull,
    /// Another writer holds the reference for too long.
    #[error(
        "The branch is being changed by another client; nothing was changed. Try again in a moment"
    )]
    Busy,
    #[error("git failed: {0}")]
    Git(git2::Error),
    #[error("reading or writing failed: {0}")]
    Io(std::io::Error),
}

/// The space that any write may need beyond its content: for a tree, a reference, a folder.
const ROOM: u64 = 1 << 20;

impl GitFault {
    /// Checks whether a write of `wanted` bytes failed for lack of disk space. libgit2 does not
    /// always report it: a write that follows a failed one sets no message of its own, so libgit2
    /// reports the latest message about anything.
    pub(crate) fn for_want_of_room(self, folder: &Path, wanted: u64) -> Self {
        match &self {
            Self::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return self,
            Self::Git(_) | Self::Io(_) => (),
            _ => return self,
        }
        match rustix::fs::statvfs(folder) {
            Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < wanted + ROOM => {
                Self::DiskFull
            }
            _ => self,
        }
    }
}

impl From<std::io::Error> for GitFault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error),
        }
    }
}

impl From<git2::Error> for GitFault {
    /// libgit2 keeps the system's error only as text.
    fn from(error: git2::Error) -> Self {
        let full = std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let text = full.to_string();
        let said = text.split(" (os error").next().unwrap_or(&text);
        if error.message().contains(said) {
            Self::DiskFull
        } else if error.code() == git2::ErrorCode::Locked {
            Self::Busy
        } else {
            Self::Git(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let text = "failed to write object: No space left on device";
        assert!(matches!(
            git2::Error::from_str(text).into(),
            GitFault::DiskFull
        ));
        assert!(matches!(
            git2::Error::from_str("x").into(),
            GitFault::Git(_)
        ));
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert!(matches!(full.into(), GitFault::DiskFull));
    }

    #[test]
    fn what_has_no_words_of_its_own_is_looked_into() {
        let folder = Path::new("/");
        let wordless = || GitFault::from(git2::Error::from_str("x"));
        let of_that_size = wordless().for_want_of_room(folder, u64::MAX - ROOM);
        assert!(matches!(of_that_size, GitFault::DiskFull));
        let elsewhere = wordless().for_want_of_room(Path::new("/nowhere/at/all"), u64::MAX - ROOM);
        assert!(matches!(elsewhere, GitFault::Git(_)));
        let cut_off = GitFault::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        let cut_off = cut_off.for_want_of_room(folder, u64::MAX - ROOM);
        assert!(matches!(cut_off, GitFault::Io(_)));
        let other = GitFault::ParentChanged.for_want_of_room(folder, u64::MAX - ROOM);
        assert!(matches!(other, GitFault::ParentChanged));
    }
}
