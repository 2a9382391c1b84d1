//! Maps failures of the registry, of a git repository or of a concurrency limit to client errors.

use axum::http::StatusCode;

use super::{ApiError, X_REPO_COMMIT};
use crate::blocking::Busy;
use crate::error::HubError;
use crate::repository::RepositoryError;
use hubtoken_core::role::permission;

/// `Retry-After` for a locked database, a full disk and a busy Hub.
const LOCKED_RETRY_SECONDS: u32 = 1;
const DISK_FULL_RETRY_SECONDS: u32 = 60;
const BUSY_RETRY_SECONDS: u32 = 10;

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        Self::retry_later(
            StatusCode::SERVICE_UNAVAILABLE,
            &busy.to_string(),
            BUSY_RETRY_SECONDS,
        )
    }
}

/// The response to a request for which the disk failed.
pub(crate) fn storage_error(error: std::io::Error) -> ApiError {
    RepositoryError::from(error).into()
}

impl From<RepositoryError> for ApiError {
    fn from(error: RepositoryError) -> Self {
        let message = error.to_string();
        match error {
            RepositoryError::RevisionNotFound(_) => {
                Self::coded(StatusCode::NOT_FOUND, "RevisionNotFound", message)
            }
            RepositoryError::EntryNotFound { commit, .. }
            | RepositoryError::LargeFileMissing { commit } => {
                Self::coded(StatusCode::NOT_FOUND, "EntryNotFound", message)
                    .with_header(X_REPO_COMMIT, commit.to_string())
            }
            RepositoryError::ParentChanged => Self::new(StatusCode::PRECONDITION_FAILED, message),
            RepositoryError::ReferenceExists(_) => Self::new(StatusCode::CONFLICT, message),
            RepositoryError::Rejected(_) => Self::bad_request(message),
            RepositoryError::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, message),
            RepositoryError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::bad_request("The request was cut off")
            }
            RepositoryError::DiskFull => Self::retry_later(
                StatusCode::INSUFFICIENT_STORAGE,
                &message,
                DISK_FULL_RETRY_SECONDS,
            ),
            RepositoryError::Busy => Self::retry_later(
                StatusCode::SERVICE_UNAVAILABLE,
                &message,
                LOCKED_RETRY_SECONDS,
            ),
            RepositoryError::ContentMissing | RepositoryError::Git(_) | RepositoryError::Io(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

impl From<HubError> for ApiError {
    fn from(error: HubError) -> Self {
        let status = match &error {
            HubError::InvalidName { .. }
            | HubError::InvalidToken { .. }
            | HubError::InvalidPermission { .. }
            | HubError::WeakPassword { .. }
            | HubError::InvalidOption { .. }
            | HubError::UsedIdToken
            | HubError::UnusableOption { .. } => StatusCode::BAD_REQUEST,
            HubError::UnknownUser { .. }
            | HubError::UnknownOrganization { .. }
            | HubError::UnknownNamespace { .. }
            | HubError::UnknownToken { .. }
            | HubError::UnknownUserCode
            | HubError::UnknownLogin { .. }
            | HubError::UnknownMemberToken { .. }
            | HubError::UnknownServiceAccount { .. }
            | HubError::UnknownAccountToken { .. }
            | HubError::UnknownPublisher { .. }
            | HubError::UnknownRepository { .. } => StatusCode::NOT_FOUND,
            HubError::NameTaken { .. }
            | HubError::RepositoryExists { .. }
            | HubError::AmbiguousToken { .. }
            | HubError::AlreadyDecided { .. }
            | HubError::LastAdmin { .. }
            | HubError::HasAdministrator { .. } => StatusCode::CONFLICT,
            HubError::NotAdministrator { .. } | HubError::OwnToken => StatusCode::FORBIDDEN,
            HubError::MisspelledPermission { .. } => {
                return Self::coded(
                    StatusCode::BAD_REQUEST,
                    permission::MISSPELLED,
                    error.to_string(),
                );
            }
            // Neither is the fault of the request, and both are temporary, so the client may try
            // again.
            HubError::DatabaseLocked { .. } => {
                return Self::retry_later(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The Hub's database is busy; nothing was changed. Try again in a moment",
                    LOCKED_RETRY_SECONDS,
                );
            }
            HubError::DiskFull { .. } => {
                return Self::retry_later(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "The Hub's disk is full; nothing was changed. Ask its operator to free some space",
                    DISK_FULL_RETRY_SECONDS,
                );
            }
            // The folder, the database, and the system.
            HubError::DataFolder { .. }
            | HubError::ReadOnly { .. }
            | HubError::FolderLocked { .. }
            | HubError::InvalidAdminKey { .. }
            | HubError::InvalidSigningKeys { .. }
            | HubError::DatabaseCorrupt { .. }
            | HubError::NewerSchema { .. }
            | HubError::Database { .. }
            | HubError::Repository { .. }
            | HubError::Password { .. }
            | HubError::Random
            // Those that only the start of a Hub or the program that runs it can see.
            | HubError::NotLoopback { .. }
            | HubError::PortTaken { .. }
            | HubError::Listen { .. }
            | HubError::Certificate { .. }
            | HubError::Backup { .. }
            | HubError::Restore { .. }
            | HubError::Runtime(_)
            | HubError::Stopped
            | HubError::Temporary { .. }
            | HubError::OtherProcess { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn one_too_many_is_told_when_to_come_again() {
        let refused = ApiError::from(Busy("Too many are here"));
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            refused.message(),
            "Too many are here; try again in a moment"
        );
        assert_eq!(refused.headers, [(RETRY_AFTER, "10".to_owned())]);
    }
}
