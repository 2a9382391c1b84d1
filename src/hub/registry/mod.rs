//! The registry: who exists, who belongs where, which tokens and repositories there are.
//!
//! One SQLite file behind one struct. All access goes through [`Registry`], so that another database needs a change
//! in this folder only. Writes begin with `BEGIN IMMEDIATE`: a transaction that reads first and asks for the write
//! lock later can be refused half-way, one that asks at once only ever waits.

mod administrators;
mod census;
mod grants;
mod migrations;
mod organizations;
mod repositories;
mod repository;
mod scopes;
pub(crate) mod snapshot;
mod tokens;
mod users;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction};

use self::migrations::MigrationError;
use super::error::HubError;

pub use self::organizations::{Membership, Organization, OrganizationRole};
pub use self::repository::{Gate, Repository};
pub(crate) use self::repository::{GateChange, NewRepository, RepositoryChange};
pub use self::scopes::{
    Entity, EntityType, FineGrained, GrantedRole, GrantedScope, Scope, TokenRole,
};
pub(crate) use self::tokens::Principal;
pub use self::tokens::{CreatedToken, NewToken, TokenInfo};
pub use self::users::User;
pub(crate) use self::users::{Namespace, NamespaceType, NewUser};
pub use crate::role::RepositoryType;

/// How long a statement waits for another program that holds the database.
const PATIENCE: Duration = Duration::from_secs(3);

/// The registry of one Hub.
#[derive(Debug)]
pub(crate) struct Registry {
    pool: SqlitePool,
    path: PathBuf,
}

impl Registry {
    /// Opens the database, creates it if it is not there, and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, HubError> {
        // SQLite would create it with the umask's mode; its `-wal` and `-shm` files take over the mode of this one.
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
            .busy_timeout(PATIENCE);
        let fault = |error| database_error(path, &error);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE * 2)
            .connect_with(options)
            .await
            .map_err(fault)?;
        let registry = Self {
            pool,
            path: path.to_owned(),
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
        let fault = |error| self.fault(&error);
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        let verdict: String = sqlx::query("PRAGMA quick_check(1)")
            .fetch_one(&mut *connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(fault)?;
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
                MigrationError::Sqlite(error) => self.fault(&error),
                MigrationError::Copy(error) => HubError::folder(&self.path, error),
            })
    }

    /// Writes everything back and closes the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>, HubError> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| self.fault(&error))
    }

    async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> Result<(), HubError> {
        transaction
            .commit()
            .await
            .map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &sqlx::Error) -> HubError {
        database_error(&self.path, error)
    }

    /// A value in the database that this version cannot read.
    fn unreadable(&self, what: &str) -> HubError {
        HubError::Database {
            path: self.path.clone(),
            detail: format!("it holds a {what} that cannot be read"),
        }
    }
}

/// Tells apart what an owner would do differently about it.
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
