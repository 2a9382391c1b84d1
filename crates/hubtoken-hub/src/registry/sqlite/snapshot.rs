//! Reads and copies the database outside a running Hub: for backups, and to check a database before
//! restoring it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::migrations::{self, MigrationError};
use super::{BUSY_TIMEOUT, database_error};
use crate::error::HubError;
use crate::registry::RepositoryType;

/// What a database copy contains.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub schema: i64,
    /// The type and id of every repository.
    pub repositories: Vec<(RepositoryType, String)>,
}

/// Copies a consistent snapshot of a database, even during writes, and checks the copy.
pub(crate) async fn copy(database: &Path, target: &Path) -> Result<Snapshot, HubError> {
    let mut connection = open(database).await?;
    migrations::vacuum_into(&mut connection, target)
        .await
        .map_err(|error| match error {
            MigrationError::Sqlite(error) => database_error(database, &error),
            MigrationError::Copy(error) => HubError::folder(target, error),
            MigrationError::Newer(_) => HubError::Stopped,
        })?;
    close(connection, database).await?;
    inspect(target).await
}

/// Checks that a database is intact and that this version can read it.
pub(crate) async fn inspect(database: &Path) -> Result<Snapshot, HubError> {
    let map_error = |error: sqlx::Error| database_error(database, &error);
    let mut connection = open(database).await?;
    for (pragma, good) in [
        ("PRAGMA integrity_check(1)", "ok"),
        ("PRAGMA foreign_key_check", ""),
    ] {
        let verdict = sqlx::query(pragma)
            .fetch_optional(&mut connection)
            .await
            .map_err(map_error)?
            .map_or(Ok(String::new()), |row| row.try_get::<String, _>(0))
            .map_err(map_error)?;
        if verdict != good {
            return Err(HubError::DatabaseCorrupt {
                path: database.to_owned(),
                detail: verdict,
            });
        }
    }
    let schema = migrations::schema(&mut connection)
        .await
        .map_err(map_error)?;
    if schema > migrations::newest() {
        return Err(HubError::NewerSchema {
            path: database.to_owned(),
            found: schema,
            known: migrations::newest(),
        });
    }
    let rows = sqlx::query("SELECT kind, id FROM repositories ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .map_err(map_error)?;
    let mut repositories = Vec::with_capacity(rows.len());
    for row in rows {
        let (kind, id): (String, String) = (
            row.try_get(0).map_err(map_error)?,
            row.try_get(1).map_err(map_error)?,
        );
        let kind = RepositoryType::ALL
            .into_iter()
            .find(|each| each.as_str() == kind)
            .ok_or_else(|| HubError::Database {
                path: database.to_owned(),
                detail: "it contains a repository of an unknown type".to_owned(),
            })?;
        repositories.push((kind, id));
    }
    close(connection, database).await?;
    Ok(Snapshot {
        schema,
        repositories,
    })
}

/// Removes repositories from a copy, because they were deleted after it was made.
pub(crate) async fn forget(database: &Path, ids: &[String]) -> Result<(), HubError> {
    let map_error = |error: sqlx::Error| database_error(database, &error);
    let mut connection = open(database).await?;
    for id in ids {
        sqlx::query("DELETE FROM repositories WHERE id = ?")
            .bind(id)
            .execute(&mut connection)
            .await
            .map_err(map_error)?;
    }
    close(connection, database).await
}

async fn open(database: &Path) -> Result<SqliteConnection, HubError> {
    SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .connect()
        .await
        .map_err(|error| database_error(database, &error))
}

async fn close(connection: SqliteConnection, database: &Path) -> Result<(), HubError> {
    connection
        .close()
        .await
        .map_err(|error| database_error(database, &error))
}
