//! Everything that can go wrong with a Hub, as its owner sees it. Each message says what happened and what to do.
//!
//! What a *client* of the Hub sees is an answer, not one of these: see `answers`.

use std::path::{Path, PathBuf};

use hubtoken_core::error::Error;
use hubtoken_core::printable::printable;
use hubtoken_core::repository::RepositoryType;

/// Why something could not be done with a Hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The host is reachable from other machines.
    #[error(
        "without TLS the Hub listens on this machine only, and `{host}` is not a loopback address: use 127.0.0.1, ::1 \
         or localhost. Another host must be an IP address, and needs a certificate and its key, without which tokens \
         could be read on the way"
    )]
    NotLoopback {
        /// The host asked for.
        host: String,
    },
    /// Another program has the port.
    #[error(
        "port {port} is taken on {host}: stop the program that has it, or use port 0 for a free one"
    )]
    PortTaken {
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error("the Hub cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate cannot be used, at {}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An option makes no sense.
    #[error("{what} is not usable: {reason}")]
    InvalidOption {
        /// Which option.
        what: String,
        /// Why.
        reason: String,
    },
    /// The data folder, or a file in it, cannot be used.
    #[error("the data folder cannot be used, at {}: {source}", path.display())]
    DataFolder {
        /// Where it failed.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data folder cannot be written.
    #[error("the data folder {} cannot be written: make it writable for this user, or choose another one", path.display())]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// Another Hub uses the data folder.
    #[error(
        "the data folder {} is in use by another Hub{}: stop that one, or choose another folder",
        path.display(),
        endpoint.as_ref().map(|endpoint| format!(" ({endpoint})")).unwrap_or_default()
    )]
    FolderLocked {
        /// The folder.
        path: PathBuf,
        /// Where the other Hub listens, if it says so.
        endpoint: Option<String>,
    },
    /// The admin key's file does not hold an admin key.
    #[error("{} does not hold an admin key: delete the file, and the next start makes a new key", path.display())]
    InvalidAdminKey {
        /// The file.
        path: PathBuf,
    },
    /// Another program keeps the database locked.
    #[error("the database {} is locked by another program: close it there and try again", path.display())]
    DatabaseLocked {
        /// The file.
        path: PathBuf,
    },
    /// There is no room left for the database.
    #[error("the disk is full, and {} cannot grow: nothing was changed. Make room and try again", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The database is damaged, or is no database.
    #[error(
        "the database {} is damaged or not a database ({detail}). Nothing was changed: restore it from a backup, or \
         move it away to start with an empty one",
        path.display()
    )]
    DatabaseCorrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The database was written by a newer version.
    #[error(
        "the database {} has schema {found}, and this version of hubtoken knows schemas up to {known}: use the \
         version that wrote it, or a newer one",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema found.
        found: i64,
        /// The newest schema known.
        known: i64,
    },
    /// The database failed in some other way.
    #[error("the database {} failed: {detail}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// A name breaks the rules.
    #[error("`{name}` is not a valid name for {what}: {reason}")]
    InvalidName {
        /// What was to be named.
        what: &'static str,
        /// The name.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A token was asked for that cannot be.
    #[error("the token cannot be made: {reason}")]
    InvalidToken {
        /// Why.
        reason: String,
    },
    /// A permission was asked for that is most likely another one, misspelled.
    #[error("{}", hubtoken_core::role::permission::misspelled(name, suggestion))]
    MisspelledPermission {
        /// What was asked for.
        name: String,
        /// What was most likely meant.
        suggestion: &'static str,
    },
    /// There is no such user.
    #[error("there is no user `{name}`: create it first, or check the spelling")]
    UnknownUser {
        /// The name asked for.
        name: String,
    },
    /// There is no such organization.
    #[error("there is no organization `{name}`: create it first, or check the spelling")]
    UnknownOrganization {
        /// The name asked for.
        name: String,
    },
    /// There is neither a user nor an organization of that name.
    #[error(
        "there is no user and no organization `{name}`: create it first, or check the spelling"
    )]
    UnknownNamespace {
        /// The name asked for.
        name: String,
    },
    /// The user has no such token.
    #[error("`{user}` has no token `{token}`: list_tokens shows the names and ids there are")]
    UnknownToken {
        /// The owner.
        user: String,
        /// The name or id asked for.
        token: String,
    },
    /// Several tokens have that name.
    #[error("`{user}` has several tokens named `{name}`: say which by its id ({})", ids.join(", "))]
    AmbiguousToken {
        /// The owner.
        user: String,
        /// The name asked for.
        name: String,
        /// The ids of all tokens of that name.
        ids: Vec<String>,
    },
    /// No member of the organization has such a token, or none that asked to be let in.
    #[error(
        "no member of `{organization}` has a token `{token}`: `hubtoken hub approval list` shows those that asked; any \
         other must be named by its id"
    )]
    UnknownMemberToken {
        /// The organization.
        organization: String,
        /// The name or id asked for.
        token: String,
    },
    /// The user does not administer the organization.
    #[error("`{user}` is no administrator of `{organization}`: ask one of them")]
    NotAdministrator {
        /// The user.
        user: String,
        /// The organization.
        organization: String,
    },
    /// Nobody revokes a token of their own for an organization.
    #[error(
        "administrators cannot revoke tokens of their own: delete it in the settings of your account instead"
    )]
    OwnToken,
    /// The decision has been made, and the other way.
    #[error(
        "the token `{token}` is {status} already, and what was let in once cannot be denied: revoke it"
    )]
    AlreadyDecided {
        /// The token's name.
        token: String,
        /// Where it stands.
        status: &'static str,
    },
    /// There is no such repository.
    #[error("there is no {kind} repository `{id}`: create it first, or check type and spelling")]
    UnknownRepository {
        /// Its type.
        kind: RepositoryType,
        /// `namespace/name`.
        id: String,
    },
    /// A user or organization of that name exists.
    #[error(
        "the name `{name}` is taken: users and organizations share their names, and case makes no difference"
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The repository exists.
    #[error("the {kind} repository `{id}` exists already")]
    RepositoryExists {
        /// Its type.
        kind: RepositoryType,
        /// `namespace/name`, as it is spelled there.
        id: String,
    },
    /// The organization would be without an admin.
    #[error("`{organization}` would be left without an admin: make somebody else an admin first")]
    LastAdmin {
        /// The organization.
        organization: String,
    },
    /// The git repository cannot be read or written.
    #[error("the git repository failed: {detail}")]
    Repository {
        /// What git said.
        detail: String,
    },
    /// The password would be guessed.
    #[error("the password is too weak: {reason}. Choose a longer one, such as a few words")]
    WeakPassword {
        /// Why.
        reason: &'static str,
    },
    /// The Hub has its first administrator already.
    #[error(
        "the Hub has an administrator, `{name}`, and nothing was changed: `hubtoken hub user password {name}` gives a \
         new password to whoever holds the admin key"
    )]
    HasAdministrator {
        /// Who it is.
        name: String,
    },
    /// A backup cannot be made.
    #[error("the backup was not made: {reason}")]
    Backup {
        /// Why.
        reason: String,
    },
    /// A backup cannot be restored.
    #[error("nothing was restored: {reason}")]
    Restore {
        /// Why.
        reason: String,
    },
    /// The password cannot be hashed.
    #[error("the password cannot be stored: {detail}")]
    Password {
        /// Why.
        detail: String,
    },
    /// The system gives no random numbers.
    #[error("the operating system gives no random numbers, without which no secret can be made")]
    Random,
    /// The threads of the Hub cannot be started.
    #[error("the Hub's threads cannot be started: {0}")]
    Runtime(std::io::Error),
    /// The Hub was stopped.
    #[error("this Hub was stopped: start a new one")]
    Stopped,
    /// Another process started the Hub.
    #[error(
        "this Hub belongs to process {started_by}, which started it: use its endpoint from here, or start a Hub after \
         the fork"
    )]
    OtherProcess {
        /// The process that started it.
        started_by: u32,
    },
}

impl HubError {
    /// An input or output error in the data folder.
    pub(crate) fn folder(path: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
                Self::ReadOnly {
                    path: path.to_owned(),
                }
            }
            _ => Self::DataFolder {
                path: path.to_owned(),
                source,
            },
        }
    }
}

impl From<&HubError> for Error {
    fn from(error: &HubError) -> Self {
        let message = printable(&error.to_string());
        match error {
            // A slip of the caller's, as in the client.
            HubError::MisspelledPermission { .. } => Self::InvalidArgument(message),
            _ => Self::Hub(message),
        }
    }
}
