//! The registry's schema, as numbered migrations. A released migration is never changed: every
//! schema change is a new one.
//!
//! The version is SQLite's own `user_version`, so it changes in the same transaction as the schema,
//! and a crash leaves either both or neither. A non-empty database is first copied to
//! `hub.sqlite3.before-N` beside it, where `N` is the new schema version, so that the previous Hub
//! version can be restored.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, Row as _, SqliteConnection};

/// Why the schema could not be migrated.
pub(super) enum MigrationError {
    /// The schema is newer than this version supports.
    Newer(i64),
    /// SQLite failed.
    Sqlite(sqlx::Error),
    /// The backup copy could not be created.
    Copy(io::Error),
}

impl From<sqlx::Error> for MigrationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Step `n` migrates schema `n` to schema `n + 1`. Each step includes the statement that sets the
/// version, because a pragma takes no parameters.
const STEPS: &[(&str, &str)] = &[
    (
        "CREATE TABLE namespaces (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('user', 'org')),
            name TEXT NOT NULL,
            name_key TEXT NOT NULL UNIQUE,
            fullname TEXT NOT NULL,
            email TEXT,
            password_hash TEXT,
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE members (
            organization_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            role TEXT NOT NULL CHECK (role IN ('admin', 'write', 'contributor', 'read', 'no_access')),
            PRIMARY KEY (organization_id, user_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX members_by_user ON members (user_id);
        CREATE TABLE tokens (
            id TEXT PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('read', 'write', 'fineGrained')),
            fine_grained TEXT,
            digest BLOB NOT NULL UNIQUE,
            last4 TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            last_used_at INTEGER,
            expires_at INTEGER
        ) STRICT;
        CREATE INDEX tokens_by_user ON tokens (user_id, name);
        CREATE TABLE repositories (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('model', 'dataset', 'space')),
            namespace_id TEXT NOT NULL REFERENCES namespaces (id),
            name TEXT NOT NULL,
            name_key TEXT NOT NULL,
            creator_id TEXT NOT NULL,
            private INTEGER NOT NULL,
            gated TEXT CHECK (gated IN ('auto', 'manual')),
            disabled INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL,
            UNIQUE (kind, namespace_id, name_key)
        ) STRICT;
        CREATE TABLE access_grants (
            repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            granted_at INTEGER NOT NULL,
            PRIMARY KEY (repository_id, user_id)
        ) STRICT, WITHOUT ROWID;",
        "PRAGMA user_version = 1",
    ),
    (
        "ALTER TABLE namespaces ADD COLUMN token_policy TEXT NOT NULL DEFAULT 'allow-all'
            CHECK (token_policy IN ('allow-all', 'fine-grained-only', 'require-approval'));
        CREATE TABLE approvals (
            organization_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
            status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'revoked')),
            asked_at INTEGER NOT NULL,
            decided_at INTEGER,
            decided_by TEXT,
            PRIMARY KEY (organization_id, token_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX approvals_by_token ON approvals (token_id);
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            act TEXT NOT NULL,
            actor TEXT NOT NULL CHECK (actor IN ('user', 'admin-key', 'program', 'nobody')),
            actor_name TEXT COLLATE NOCASE,
            actor_token TEXT,
            address TEXT,
            user_name TEXT COLLATE NOCASE,
            organization TEXT COLLATE NOCASE,
            token_id TEXT,
            token_name TEXT,
            token_last4 TEXT,
            repository TEXT,
            detail TEXT
        ) STRICT;
        CREATE INDEX audit_by_time ON audit (at);
        CREATE INDEX audit_by_actor ON audit (actor_name);
        CREATE INDEX audit_by_user ON audit (user_name);
        CREATE INDEX audit_by_organization ON audit (organization);
        CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'entries of the audit log do not change'); END;",
        "PRAGMA user_version = 2",
    ),
    // Sign-in sessions, and the single-use forms that were already submitted.
    (
        "CREATE TABLE sessions (
            digest BLOB PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            created_at INTEGER NOT NULL,
            seen_at INTEGER NOT NULL,
            notice TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_by_user ON sessions (user_id);
        CREATE TABLE used_forms (
            session_digest BLOB NOT NULL REFERENCES sessions (digest) ON DELETE CASCADE,
            digest BLOB NOT NULL,
            used_at INTEGER NOT NULL,
            PRIMARY KEY (session_digest, digest)
        ) STRICT, WITHOUT ROWID;",
        "PRAGMA user_version = 3",
    ),
    (
        "CREATE TABLE administrators (
            user_id TEXT PRIMARY KEY REFERENCES namespaces (id) ON DELETE CASCADE,
            since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;",
        "PRAGMA user_version = 4",
    ),
    // The number of inference requests made with each token.
    (
        "ALTER TABLE tokens ADD COLUMN inference_requests INTEGER NOT NULL DEFAULT 0;",
        "PRAGMA user_version = 5",
    ),
    // Service accounts and their tokens; and the tokens that the Hub issues for a time, beside those
    // that users create, with what they may do in `granted`. The audit log is written anew, because a table's list of
    // accepted actors cannot be changed; its numbers go on where they were.
    (
        "CREATE TABLE service_accounts (
            id TEXT PRIMARY KEY,
            organization_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            user_name TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            description TEXT,
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX service_accounts_by_organization ON service_accounts (organization_id);
        CREATE TABLE service_account_tokens (
            id TEXT PRIMARY KEY,
            account_id TEXT NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            grants TEXT NOT NULL,
            digest BLOB NOT NULL UNIQUE,
            last4 TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            last_used_at INTEGER
        ) STRICT;
        CREATE INDEX service_account_tokens_by_account ON service_account_tokens (account_id);
        CREATE TABLE audit_with_service_accounts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            act TEXT NOT NULL,
            actor TEXT NOT NULL CHECK (actor IN ('user', 'service-account', 'admin-key', 'program', 'nobody')),
            actor_name TEXT COLLATE NOCASE,
            actor_token TEXT,
            address TEXT,
            user_name TEXT COLLATE NOCASE,
            organization TEXT COLLATE NOCASE,
            token_id TEXT,
            token_name TEXT,
            token_last4 TEXT,
            repository TEXT,
            detail TEXT
        ) STRICT;
        INSERT INTO audit_with_service_accounts SELECT * FROM audit;
        DELETE FROM sqlite_sequence WHERE name = 'audit_with_service_accounts';
        INSERT INTO sqlite_sequence (name, seq)
            SELECT 'audit_with_service_accounts', seq FROM sqlite_sequence WHERE name = 'audit';
        DROP TABLE audit;
        ALTER TABLE audit_with_service_accounts RENAME TO audit;
        CREATE INDEX audit_by_time ON audit (at);
        CREATE INDEX audit_by_actor ON audit (actor_name);
        CREATE INDEX audit_by_user ON audit (user_name);
        CREATE INDEX audit_by_organization ON audit (organization);
        CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'entries of the audit log do not change'); END;
        ALTER TABLE tokens ADD COLUMN kind TEXT NOT NULL DEFAULT 'user' CHECK (kind IN ('user', 'oauth', 'jwt'));
        ALTER TABLE tokens ADD COLUMN granted TEXT;
        ALTER TABLE tokens ADD COLUMN client_id TEXT;
        CREATE TABLE publishers (
            id TEXT PRIMARY KEY,
            repository_id TEXT REFERENCES repositories (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
            issuer TEXT NOT NULL,
            claims TEXT NOT NULL,
            keys TEXT,
            created_at INTEGER NOT NULL,
            last_used_at INTEGER
        ) STRICT;
        CREATE INDEX publishers_by_repository ON publishers (repository_id);
        CREATE INDEX publishers_by_user ON publishers (user_id);
        ALTER TABLE tokens ADD COLUMN publisher_id TEXT REFERENCES publishers (id) ON DELETE CASCADE;
        CREATE INDEX tokens_by_publisher ON tokens (publisher_id) WHERE publisher_id IS NOT NULL;
        CREATE TABLE used_id_tokens (
            digest BLOB PRIMARY KEY,
            expires_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE access_tokens (
            digest BLOB PRIMARY KEY,
            token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
            expires_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX access_tokens_by_token ON access_tokens (token_id);
        CREATE TABLE refresh_tokens (
            digest BLOB PRIMARY KEY,
            token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
            issued_at INTEGER NOT NULL,
            rotated_at INTEGER,
            expires_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX refresh_tokens_by_token ON refresh_tokens (token_id);
        CREATE TABLE device_codes (
            digest BLOB PRIMARY KEY,
            user_code BLOB NOT NULL UNIQUE,
            client_id TEXT NOT NULL,
            granted TEXT NOT NULL,
            address TEXT,
            status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'exchanged')),
            user_id TEXT REFERENCES namespaces (id) ON DELETE CASCADE,
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            polled_at INTEGER,
            exchanged_at INTEGER
        ) STRICT, WITHOUT ROWID;",
        "PRAGMA user_version = 6",
    ),
];

/// The schema version that this Hub version writes.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Applies the missing steps, all in one transaction, after copying the database.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), MigrationError> {
    let found = schema(connection).await?;
    if found > newest() {
        return Err(MigrationError::Newer(found));
    }
    if (1..newest()).contains(&found) {
        copy(connection, path).await?;
    }
    // Begun even if no step is missing, so that a read-only database is reported now and not at the
    // first change.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let found = schema(&mut transaction).await?;
    for (schema, version) in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*schema).execute(&mut *transaction).await?;
        sqlx::raw_sql(*version).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A database's schema version.
pub(super) async fn schema(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("PRAGMA user_version")
        .fetch_one(connection)
        .await?
        .try_get(0)
}

/// Copies the database. The copy gets its final name only once it is complete and synced to disk.
async fn copy(connection: &mut SqliteConnection, path: &Path) -> Result<(), MigrationError> {
    let sibling = |ending: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let target = sibling(format!(".before-{}", newest()));
    let unfinished = sibling(format!(".before-{}.new", newest()));
    // Leftovers of an interrupted copy. Its journal must not be mistaken for that of the new copy.
    for left in [
        sibling(format!(".before-{}.new-journal", newest())),
        unfinished.clone(),
    ] {
        match fs::remove_file(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(MigrationError::Copy(error));
            }
            _ => (),
        }
    }
    vacuum_into(connection, &unfinished).await?;
    let publish = || {
        fs::rename(&unfinished, &target)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    publish().map_err(MigrationError::Copy)
}

/// Writes a consistent snapshot of a database to a new file that only this user can read.
pub(super) async fn vacuum_into(
    connection: &mut SqliteConnection,
    target: &Path,
) -> Result<(), MigrationError> {
    // SQLite would create the file with the umask's mode, but it accepts an existing empty file.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(MigrationError::Copy)?;
    sqlx::query("VACUUM INTO ?")
        .bind(target.display().to_string())
        .execute(connection)
        .await?;
    file.sync_all().map_err(MigrationError::Copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_writes_its_own_number() {
        for (index, (_, version)) in STEPS.iter().enumerate() {
            assert_eq!(*version, format!("PRAGMA user_version = {}", index + 1));
        }
    }
}
