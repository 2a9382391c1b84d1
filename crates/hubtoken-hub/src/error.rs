//! The errors of a Hub, as reported to its owner. Each message says what happened and what to do
//! about it.
//!
//! A *client* of the Hub gets an HTTP response instead: see `response`.

use std::path::{Path, PathBuf};

use hubtoken_core::error::Error;
use hubtoken_core::repository::RepositoryType;
use hubtoken_core::sanitize::redacted;

/// Why an operation on a Hub failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The host is reachable from other machines.
    #[error(
        "without TLS the Hub only listens on this machine, and `{host}` is not a loopback address: use 127.0.0.1, ::1 \
         or localhost. Any other host must be an IP address and needs a certificate and its key; without TLS, tokens \
         could be read in transit"
    )]
    NotLoopback {
        /// The requested host.
        host: String,
    },
    /// Another program is using the port.
    #[error(
        "port {port} is taken on {host}: stop the program that uses it, or use port 0 for a free one"
    )]
    PortTaken {
        /// The requested host.
        host: String,
        /// The requested port.
        port: u16,
    },
    /// The Hub cannot listen on the address.
    #[error("the Hub cannot listen on {address}: {source}")]
    Listen {
        /// The requested address.
        address: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate cannot be used, at {}: {reason}", path.display())]
    Certificate {
        /// The certificate or key file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The value of an option is not valid.
    #[error("{what} is not usable: {reason}")]
    InvalidOption {
        /// Which option.
        what: String,
        /// Why.
        reason: String,
    },
    /// A file or a setting of the machine that an option depends on cannot be used.
    #[error("{what} is not usable: {reason}")]
    UnusableOption {
        /// Which option.
        what: String,
        /// Why.
        reason: String,
    },
    /// The data folder, or a file in it, cannot be used.
    #[error("the data folder cannot be used, at {}: {source}", path.display())]
    DataFolder {
        /// The file or folder that failed.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The data folder cannot be written.
    #[error("the data folder {} cannot be written: make it writable for this user, or choose another one", path.display())]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// No temporary data folder can be created.
    #[error(
        "no temporary data folder can be created in {} ({source}): set TMPDIR to a folder that this user can write \
         to, or choose a data folder",
        path.display()
    )]
    Temporary {
        /// The folder for temporary files.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
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
        /// Where the other Hub listens, if that is known.
        endpoint: Option<String>,
    },
    /// The admin key file does not contain an admin key.
    #[error("{} does not hold an admin key: delete the file, and the next start creates a new one", path.display())]
    InvalidAdminKey {
        /// The file.
        path: PathBuf,
    },
    /// The file of the signing keys does not contain them.
    #[error(
        "{} does not hold the keys that sign tokens: delete the file, and new ones are created. Tokens that were \
         issued before stay valid",
        path.display()
    )]
    InvalidSigningKeys {
        /// The file.
        path: PathBuf,
    },
    /// Another program has locked the database.
    #[error("the database {} is locked by another program: close it there and try again", path.display())]
    DatabaseLocked {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full and the database cannot grow.
    #[error("the disk is full, and {} cannot grow: nothing was changed. Make room and try again", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The database is damaged, or the file is not a database.
    #[error(
        "the database {} is damaged or not a database ({detail}). Nothing was changed: restore it from a backup, or \
         move it away to start with an empty one",
        path.display()
    )]
    DatabaseCorrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's message.
        detail: String,
    },
    /// A newer version wrote the database.
    #[error(
        "the database {} has schema {found}, and this version of hubtoken supports schemas up to {known}: use the \
         version that wrote it, or a newer one",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema that was found.
        found: i64,
        /// The newest supported schema.
        known: i64,
    },
    /// The database failed in some other way.
    #[error("the database {} failed: {detail}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's message.
        detail: String,
    },
    /// A name is not valid.
    #[error("`{name}` is not a valid name for {what}: {reason}")]
    InvalidName {
        /// What was being named.
        what: &'static str,
        /// The name.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The requested token is not valid.
    #[error("the token cannot be created: {reason}")]
    InvalidToken {
        /// Why.
        reason: String,
    },
    /// A requested permission does not have the form of one.
    #[error("`{name}` is not a valid permission; permissions look like `repo.content.read`")]
    InvalidPermission {
        /// The beginning of it, with control characters escaped.
        name: String,
    },
    /// A requested permission is most likely a misspelling of another one.
    #[error("{}", hubtoken_core::role::permission::misspelled(name, suggestion))]
    MisspelledPermission {
        /// The requested permission.
        name: String,
        /// The permission that was most likely meant.
        suggestion: &'static str,
    },
    /// There is no such user.
    #[error("there is no user `{name}`: create it first, or check the spelling")]
    UnknownUser {
        /// The requested name.
        name: String,
    },
    /// There is no such organization.
    #[error("there is no organization `{name}`: create it first, or check the spelling")]
    UnknownOrganization {
        /// The requested name.
        name: String,
    },
    /// There is neither a user nor an organization of that name.
    #[error(
        "there is no user and no organization `{name}`: create it first, or check the spelling"
    )]
    UnknownNamespace {
        /// The requested name.
        name: String,
    },
    /// The user has no such token.
    #[error("`{user}` has no token `{token}`: list_tokens shows the available names and ids")]
    UnknownToken {
        /// The owner.
        user: String,
        /// The requested name or id.
        token: String,
    },
    /// No login waits for this code.
    #[error(
        "no login waits for this code: it is mistyped, has expired, or was decided about before. Start the login \
         again for a new one"
    )]
    UnknownUserCode,
    /// The user has no such login.
    #[error("`{user}` has no login `{login}`: list the logins for their ids")]
    UnknownLogin {
        /// The user.
        user: String,
        /// The requested id.
        login: String,
    },
    /// Several tokens have that name.
    #[error("`{user}` has several tokens named `{name}`: use the id of one ({})", ids.join(", "))]
    AmbiguousToken {
        /// The owner.
        user: String,
        /// The requested name.
        name: String,
        /// The ids of all tokens with that name.
        ids: Vec<String>,
    },
    /// No member of the organization has such a token, or none that requested approval.
    #[error(
        "no member of `{organization}` has a token `{token}`: `hubtoken hub approval list` shows those that \
         requested approval; any other must be named by its id"
    )]
    UnknownMemberToken {
        /// The organization.
        organization: String,
        /// The requested name or id.
        token: String,
    },
    /// The organization has no such service account.
    #[error("`{organization}` has no service account with the id `{account}`")]
    UnknownServiceAccount {
        /// The organization.
        organization: String,
        /// The requested id.
        account: String,
    },
    /// The service account has no such token.
    #[error("the service account `{account}` has no token with the id `{token}`")]
    UnknownAccountToken {
        /// The service account.
        account: String,
        /// The requested id.
        token: String,
    },
    /// There is no such trusted publisher.
    #[error("there is no trusted publisher with the id `{id}`: list_publishers shows the ids")]
    UnknownPublisher {
        /// The requested id.
        id: String,
    },
    /// The id token was exchanged before.
    #[error(
        "the id token was exchanged before, and each one can be used only once: request a new one from the issuer"
    )]
    UsedIdToken,
    /// The user does not administer the organization.
    #[error("`{user}` is not an administrator of `{organization}`: ask one of its administrators")]
    NotAdministrator {
        /// The user.
        user: String,
        /// The organization.
        organization: String,
    },
    /// Users cannot revoke their own tokens for an organization.
    #[error(
        "administrators cannot revoke their own tokens: delete the token in your account settings instead"
    )]
    OwnToken,
    /// The token has already been decided about, with a different result.
    #[error(
        "the token `{token}` is already {status}, and an approved token cannot be denied: revoke it instead"
    )]
    AlreadyDecided {
        /// The token's name.
        token: String,
        /// Its status.
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
        "the name `{name}` is taken: users and organizations share one namespace, and case is ignored"
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
        /// `namespace/name`, as the existing repository spells it.
        id: String,
    },
    /// The organization would have no admin left.
    #[error("`{organization}` would be left without an admin: make another member an admin first")]
    LastAdmin {
        /// The organization.
        organization: String,
    },
    /// The git repository cannot be read or written.
    #[error("the git repository failed: {detail}")]
    Repository {
        /// git's message.
        detail: String,
    },
    /// The password is too easy to guess.
    #[error("the password is too weak: {reason}. Choose a longer one, such as a few words")]
    WeakPassword {
        /// Why.
        reason: &'static str,
    },
    /// The Hub already has its first administrator.
    #[error(
        "the Hub has an administrator, `{name}`, and nothing was changed: `hubtoken hub user password {name}` sets a \
         new password with the admin key"
    )]
    HasAdministrator {
        /// The administrator's name.
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
    /// The system provides no random numbers.
    #[error("the operating system provides no random numbers, so no secret can be created")]
    Random,
    /// The Hub's threads cannot be started.
    #[error("the Hub's threads cannot be started: {0}")]
    Runtime(std::io::Error),
    /// The Hub was stopped.
    #[error("this Hub was stopped: start a new one")]
    Stopped,
    /// The Hub was started by another process.
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
    /// An I/O error in the data folder.
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
        let message = redacted(&error.to_string());
        match error {
            // What the caller wrote can never be right, whatever this Hub or machine has.
            HubError::NotLoopback { .. }
            | HubError::InvalidOption { .. }
            | HubError::InvalidName { .. }
            | HubError::InvalidToken { .. }
            | HubError::InvalidPermission { .. }
            | HubError::MisspelledPermission { .. }
            | HubError::WeakPassword { .. } => Self::InvalidArgument(message),
            _ => Self::hub(message),
        }
    }
}
