//! The registry in one SQLite file.
//!
//! Writes begin with `BEGIN IMMEDIATE`: a transaction that reads first and requests the write lock
//! later can fail halfway, whereas one that requests it up front only ever waits. Writers queue in
//! this process before they queue at the database. Otherwise, writers waiting for another process's
//! lock would hold all the connections that readers need.
//!
//! A lock ensures that a data folder belongs to one Hub, so no other process writes the file.
//! Principals can therefore be cached in memory (`principal_cache`), as long as every change that
//! affects them goes through [`Sqlite::commit`].

mod account_tokens;
mod administrators;
mod approval_requests;
mod approvals;
mod audit;
mod counts;
mod device_codes;
mod logins;
mod member_tokens;
mod migrations;
mod organizations;
mod principal_cache;
mod publishers;
mod repositories;
mod rows;
mod scopes;
mod service_accounts;
mod sessions;
pub(crate) mod snapshot;
mod tokens;
mod users;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite as Database, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::migrations::MigrationError;
use self::principal_cache::PrincipalCache;
use super::{AUDIT_DAYS, Registry};
use crate::error::HubError;

/// The name of the database file in a data folder.
pub(crate) const FILE: &str = "hub.sqlite3";
/// How long a statement waits while another program has the database locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// The registry of one Hub.
#[derive(Debug)]
pub(crate) struct Sqlite {
    pool: SqlitePool,
    path: PathBuf,
    /// Held by the current writer.
    write_lock: Arc<Mutex<()>>,
    principal_cache: Arc<PrincipalCache>,
    audit_days: AtomicU32,
    /// When old audit entries were last deleted, in milliseconds.
    pruned: AtomicI64,
}

/// A transaction that is undone when dropped without a commit.
///
/// It is undone by closing the connection, which cannot fail, whereas a rollback can: when the disk
/// is full, SQLite rolls back on its own and rejects a second rollback, and the pool would keep a
/// connection that can no longer begin a transaction.
struct WriteTransaction {
    connection: PoolConnection<Database>,
    is_committed: bool,
    /// Released after the connection.
    _write_lock: OwnedMutexGuard<()>,
}

/// Whether a change affects cached principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CacheEffect {
    /// Some token's principal may change or disappear.
    InvalidatePrincipals,
    /// No principal changes.
    None,
}

impl WriteTransaction {
    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(self.connection()).await?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for WriteTransaction {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}

impl Sqlite {
    /// Opens the database, creates it if it does not exist, and migrates its schema.
    pub(crate) async fn open(path: &Path) -> Result<Self, HubError> {
        // SQLite would create the file with the umask's mode. Its `-wal` and `-shm` files inherit
        // the mode of this one.
        match std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(_) => (),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => (),
            Err(error) => return Err(HubError::folder(path, error)),
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let map_error = |error| database_error(path, &error);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(BUSY_TIMEOUT * 2)
            .connect_with(options)
            .await
            .map_err(map_error)?;
        let registry = Self {
            pool,
            path: path.to_owned(),
            write_lock: Arc::default(),
            principal_cache: Arc::default(),
            audit_days: AtomicU32::new(AUDIT_DAYS),
            pruned: AtomicI64::new(i64::MIN),
        };
        match registry.prepare().await {
            Ok(()) => Ok(registry),
            Err(error) => {
                registry.close().await;
                Err(error)
            }
        }
    }

    async fn prepare(&self) -> Result<(), HubError> {
        let map_error = |error| self.database_error(&error);
        let mut connection = self.pool.acquire().await.map_err(map_error)?;
        let verdict: String = sqlx::query("PRAGMA quick_check(1)")
            .fetch_one(&mut *connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(map_error)?;
        if verdict != "ok" {
            return Err(HubError::DatabaseCorrupt {
                path: self.path.clone(),
                detail: verdict,
            });
        }
        migrations::apply(&mut connection, &self.path)
            .await
            .map_err(|error| match error {
                MigrationError::Newer(found) => HubError::NewerSchema {
                    path: self.path.clone(),
                    found,
                    known: migrations::newest(),
                },
                MigrationError::Sqlite(error) => self.database_error(&error),
                MigrationError::Copy(error) => HubError::folder(&self.path, error),
            })
    }

    async fn begin_write(&self) -> Result<WriteTransaction, HubError> {
        let write_lock =
            tokio::time::timeout(BUSY_TIMEOUT * 2, Arc::clone(&self.write_lock).lock_owned())
                .await
                .map_err(|_| HubError::DatabaseLocked {
                    path: self.path.clone(),
                })?;
        let map_error = |error| self.database_error(&error);
        // Created before the transaction begins, so that a caller that stops waiting for the lock
        // does not leave a transaction open.
        let mut transaction = WriteTransaction {
            connection: self.pool.acquire().await.map_err(map_error)?,
            is_committed: false,
            _write_lock: write_lock,
        };
        sqlx::query("BEGIN IMMEDIATE")
            .execute(transaction.connection())
            .await
            .map_err(map_error)?;
        Ok(transaction)
    }

    /// Commits a change. The commit runs to completion even if the client disconnects, because the
    /// cached principals must be invalidated with it.
    async fn commit(
        &self,
        transaction: WriteTransaction,
        effect: CacheEffect,
    ) -> Result<(), HubError> {
        let principal_cache = Arc::clone(&self.principal_cache);
        let committing = tokio::spawn(async move {
            // Closed before the commit: otherwise a token's old and new values would both work for
            // a moment.
            let _guard =
                (effect == CacheEffect::InvalidatePrincipals).then(|| principal_cache.invalidate());
            transaction.commit().await
        });
        committing
            .await
            .map_err(|_| HubError::Stopped)?
            .map_err(|error| self.database_error(&error))
    }

    fn database_error(&self, error: &sqlx::Error) -> HubError {
        database_error(&self.path, error)
    }

    /// The error for a value that this version cannot read.
    fn unreadable(&self, what: &str) -> HubError {
        HubError::Database {
            path: self.path.clone(),
            detail: format!("it contains a {what} that cannot be read"),
        }
    }
}

#[async_trait]
impl Registry for Sqlite {
    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Maps a database error to the variant that tells the owner what to do about it.
fn database_error(path: &Path, error: &sqlx::Error) -> HubError {
    // The low byte of an extended code is the primary one; see https://www.sqlite.org/rescode.html.
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<i64>().ok())
        .map(|code| code & 0xff);
    let path = path.to_owned();
    match code {
        Some(5 | 6) => HubError::DatabaseLocked { path },
        Some(8 | 14) => HubError::ReadOnly { path },
        Some(13) => HubError::DiskFull { path },
        Some(11 | 26) => HubError::DatabaseCorrupt {
            path,
            detail: error.to_string(),
        },
        _ if matches!(error, sqlx::Error::PoolTimedOut) => HubError::DatabaseLocked { path },
        _ => HubError::Database {
            path,
            detail: error.to_string(),
        },
    }
}

fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
