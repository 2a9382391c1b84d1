//! The table of repositories.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::{
    Gate, GateChange, NewRepository, Registry, Repository, RepositoryChange, RepositoryType,
    is_taken,
};
use crate::hub::clock::{from_milliseconds, to_milliseconds};
use crate::hub::error::HubError;
use crate::hub::names;

const SELECT: &str = "SELECT repositories.*, namespaces.name AS namespace FROM repositories
    JOIN namespaces ON namespaces.id = repositories.namespace_id";

impl Registry {
    pub(crate) async fn create_repository(
        &self,
        new: NewRepository<'_>,
        now: OffsetDateTime,
    ) -> Result<Repository, HubError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO repositories
                (id, kind, namespace_id, name, name_key, creator_id, private, gated, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.id)
        .bind(new.kind.as_str())
        .bind(&new.namespace.id)
        .bind(new.name)
        .bind(names::key(new.name))
        .bind(new.creator_id)
        .bind(new.private)
        .bind(new.gated.map(Gate::as_str))
        .bind(to_milliseconds(now))
        .execute(&mut *transaction)
        .await
        .map_err(|error| {
            if is_taken(&error) {
                HubError::RepositoryExists {
                    kind: new.kind,
                    id: format!("{}/{}", new.namespace.name, new.name),
                }
            } else {
                self.fault(&error)
            }
        })?;
        self.commit(transaction).await?;
        self.repository(new.kind, &new.namespace.name, new.name)
            .await
    }

    pub(crate) async fn find_repository(
        &self,
        kind: RepositoryType,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Repository>, HubError> {
        let row = sqlx::query(
            "SELECT repositories.*, namespaces.name AS namespace FROM repositories
             JOIN namespaces ON namespaces.id = repositories.namespace_id
             WHERE repositories.kind = ? AND namespaces.name_key = ? AND repositories.name_key = ?",
        )
        .bind(kind.as_str())
        .bind(names::key(namespace))
        .bind(names::key(name))
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.fault(&error))?;
        row.as_ref()
            .map(|row| self.read_repository(row))
            .transpose()
    }

    pub(crate) async fn repository(
        &self,
        kind: RepositoryType,
        namespace: &str,
        name: &str,
    ) -> Result<Repository, HubError> {
        self.find_repository(kind, namespace, name)
            .await?
            .ok_or_else(|| HubError::UnknownRepository {
                kind,
                id: format!("{namespace}/{name}"),
            })
    }

    /// All repositories, the newest first.
    pub(crate) async fn repositories(&self) -> Result<Vec<Repository>, HubError> {
        let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new(SELECT);
        query.push(" ORDER BY repositories.created_at DESC, repositories.id");
        let rows = query
            .build()
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        rows.iter().map(|row| self.read_repository(row)).collect()
    }

    /// Changes what is named and leaves the rest, so that two changes at once cannot undo each other.
    pub(crate) async fn update_repository(
        &self,
        id: &str,
        change: RepositoryChange,
    ) -> Result<(), HubError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE repositories SET
                private = COALESCE(?, private),
                disabled = COALESCE(?, disabled),
                gated = CASE WHEN ? THEN ? ELSE gated END
             WHERE id = ?",
        )
        .bind(change.private)
        .bind(change.disabled)
        .bind(change.gated != GateChange::Keep)
        .bind(change.gated.gate().map(Gate::as_str))
        .bind(id)
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    /// Forgets a repository; says whether it was there.
    pub(crate) async fn delete_repository(&self, id: &str) -> Result<bool, HubError> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("DELETE FROM repositories WHERE id = ?")
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await?;
        Ok(done.rows_affected() > 0)
    }

    fn read_repository(&self, row: &SqliteRow) -> Result<Repository, HubError> {
        let fault = |error| self.fault(&error);
        let kind: String = row.try_get("kind").map_err(fault)?;
        let gated: Option<String> = row.try_get("gated").map_err(fault)?;
        Ok(Repository {
            id: row.try_get("id").map_err(fault)?,
            kind: RepositoryType::parse(&kind).ok_or_else(|| self.unreadable("repository type"))?,
            namespace_id: row.try_get("namespace_id").map_err(fault)?,
            namespace: row.try_get("namespace").map_err(fault)?,
            name: row.try_get("name").map_err(fault)?,
            creator_id: row.try_get("creator_id").map_err(fault)?,
            private: row.try_get("private").map_err(fault)?,
            gated: gated
                .map(|gate| Gate::parse(&gate).ok_or_else(|| self.unreadable("gate")))
                .transpose()?,
            disabled: row.try_get("disabled").map_err(fault)?,
            created_at: from_milliseconds(row.try_get("created_at").map_err(fault)?),
        })
    }
}
