//! Why something could not be done in a git repository, as the HTTP layer needs to tell it apart.

use git2::Oid;

/// Why git work failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitFault {
    #[error("Invalid rev id: {0}")]
    RevisionNotFound(String),
    #[error("Entry not found")]
    EntryNotFound { path: String, commit: Oid },
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
    #[error("git failed: {0}")]
    Git(#[from] git2::Error),
    #[error("reading or writing failed: {0}")]
    Io(#[from] std::io::Error),
}
