//! Errors of git repositories, as distinguished by the HTTP layer.
//!
//! After a failed write, libgit2 may report the most recent message about anything. A failed write
//! without a message of its own is therefore investigated: if the disk has less free space than the
//! write needed, the error is reported as a full disk.

use std::path::Path;

use git2::Oid;

/// Why a git operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
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
const MIN_FREE_BYTES: u64 = 1 << 20;

impl RepositoryError {
    /// Checks whether a write of `wanted` bytes failed for lack of disk space. libgit2 does not
    /// always report it: a write that follows a failed one sets no message of its own, so libgit2
    /// reports the latest message about anything.
    pub(crate) fn map_disk_full(self, folder: &Path, wanted: u64) -> Self {
        match &self {
            Self::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return self,
            Self::Git(_) | Self::Io(_) => (),
            _ => return self,
        }
        match rustix::fs::statvfs(folder) {
            Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < wanted + MIN_FREE_BYTES => {
                Self::DiskFull
            }
            _ => self,
        }
    }
}

impl From<std::io::Error> for RepositoryError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error),
        }
    }
}

impl From<git2::Error> for RepositoryError {
    /// libgit2 keeps the system's error only as text.
    fn from(error: git2::Error) -> Self {
        let full = std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let text = full.to_string();
        let message = text.split(" (os error").next().unwrap_or(&text);
        if error.message().contains(message) {
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
            RepositoryError::DiskFull
        ));
        assert!(matches!(
            git2::Error::from_str("x").into(),
            RepositoryError::Git(_)
        ));
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert!(matches!(full.into(), RepositoryError::DiskFull));
    }

    #[test]
    fn what_has_no_words_of_its_own_is_looked_into() {
        let folder = Path::new("/");
        let wordless = || RepositoryError::from(git2::Error::from_str("x"));
        let of_that_size = wordless().map_disk_full(folder, u64::MAX - MIN_FREE_BYTES);
        assert!(matches!(of_that_size, RepositoryError::DiskFull));
        let elsewhere =
            wordless().map_disk_full(Path::new("/nowhere/at/all"), u64::MAX - MIN_FREE_BYTES);
        assert!(matches!(elsewhere, RepositoryError::Git(_)));
        let cut_off =
            RepositoryError::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        let cut_off = cut_off.map_disk_full(folder, u64::MAX - MIN_FREE_BYTES);
        assert!(matches!(cut_off, RepositoryError::Io(_)));
        let other = RepositoryError::ParentChanged.map_disk_full(folder, u64::MAX - MIN_FREE_BYTES);
        assert!(matches!(other, RepositoryError::ParentChanged));
    }
}
