//! Why something could not be done in a git repository, as the HTTP layer needs to tell it apart.

use git2::Oid;

/// Why git work failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitFault {
    #[error("Invalid rev id: {0}")]
    RevisionNotFound(String),
    #[error("Entry not found")]
    EntryNotFound { path: String, commit: Oid },
    /// A pointer was pushed without what it points to.
    #[error(
        "The content of this file was never uploaded: its pointer is in git, and its object is missing in LFS"
    )]
    LargeFileMissing { commit: Oid },
    #[error("A commit has happened since. Please refresh and try again.")]
    ParentChanged,
    #[error("{0} already exists")]
    ReferenceExists(String),
    #[error("{0}")]
    Rejected(String),
    #[error("{0}")]
    TooLarge(String),
    /// The registry knows the repository, and its folder is gone: damage, or deleted a moment ago.
    #[error("the content of this repository is missing on the server")]
    ContentMissing,
    #[error("The Hub's disk is full; nothing was changed. Ask whoever runs it to make room")]
    DiskFull,
    /// Somebody else is moving the same reference, and takes long.
    #[error(
        "The branch is being changed by somebody else; nothing was changed. Try again in a moment"
    )]
    Busy,
    #[error("git failed: {0}")]
    Git(git2::Error),
    #[error("reading or writing failed: {0}")]
    Io(std::io::Error),
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
    /// libgit2 keeps what the system said as a text alone.
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
}
