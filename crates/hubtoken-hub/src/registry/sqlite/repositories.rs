//! The repositories table, and access grants to gated repositories.

use std::fmt::Write as _;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{CacheEffect, Sqlite, WriteTransaction, is_taken};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::names;
use crate::registry::{
    AuditAction, AuditContext, Gate, GateChange, NewRepository, Repositories, Repository,
    RepositoryChange, RepositoryType, Subject,
};

const SELECT: &str = "SELECT repositories.*, namespaces.name AS namespace FROM repositories
    JOIN namespaces ON namespaces.id = repositories.namespace_id";

#[async_trait]
impl Repositories for Sqlite {
    async fn create_repository(
        &self,
        new: NewRepository<'_>,
        context: &AuditContext,
    ) -> Result<Repository, HubError> {
        let mut transaction = self.begin_write().await?;
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
        .bind(to_milliseconds(context.at))
        .execute(transaction.connection())
        .await
        .map_err(|error| {
            if is_taken(&error) {
                HubError::RepositoryExists {
                    kind: new.kind,
                    id: format!("{}/{}", new.namespace.name, new.name),
                }
            } else {
                self.database_error(&error)
            }
        })?;
        let repository = self.by_id(&mut transaction, new.id).await?;
        if let Some(repository) = &repository {
            let detail = settings(RepositoryChange {
                private: Some(new.private),
                gated: GateChange::Set(new.gated),
                disabled: None,
            });
            let subject = subject_of(repository).with_detail(detail);
            self.record_audit(
                &mut transaction,
                AuditAction::RepositoryCreate,
                subject,
                context,
            )
            .await?;
        }
        self.commit(transaction, CacheEffect::None).await?;
        self.repository(new.kind, &new.namespace.name, new.name)
            .await
    }

    async fn find_repository(
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
        .map_err(|error| self.database_error(&error))?;
        row.as_ref()
            .map(|row| self.read_repository(row))
            .transpose()
    }

    async fn repository(
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

    async fn repositories(&self) -> Result<Vec<Repository>, HubError> {
        let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new(SELECT);
        query.push(" ORDER BY repositories.created_at DESC, repositories.id");
        let rows = query
            .build()
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        rows.iter().map(|row| self.read_repository(row)).collect()
    }

    async fn update_repository(
        &self,
        id: &str,
        wanted: RepositoryChange,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "UPDATE repositories SET
                private = COALESCE(?, private),
                disabled = COALESCE(?, disabled),
                gated = CASE WHEN ? THEN ? ELSE gated END
             WHERE id = ?",
        )
        .bind(wanted.private)
        .bind(wanted.disabled)
        .bind(wanted.gated != GateChange::Keep)
        .bind(wanted.gated.gate().map(Gate::as_str))
        .bind(id)
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let detail = settings(wanted);
        if let Some(repository) = self.by_id(&mut transaction, id).await?
            && !detail.is_empty()
        {
            let subject = subject_of(&repository).with_detail(detail);
            self.record_audit(
                &mut transaction,
                AuditAction::RepositorySettings,
                subject,
                context,
            )
            .await?;
        }
        self.commit(transaction, CacheEffect::None).await
    }

    async fn delete_repository(&self, id: &str, context: &AuditContext) -> Result<bool, HubError> {
        let mut transaction = self.begin_write().await?;
        let found = self.by_id(&mut transaction, id).await?;
        let Some(repository) = found else {
            return Ok(false);
        };
        sqlx::query("DELETE FROM repositories WHERE id = ?")
            .bind(id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        self.record_audit(
            &mut transaction,
            AuditAction::RepositoryDelete,
            subject_of(&repository),
            context,
        )
        .await?;
        // Its trusted publishers go with it, and so do the tokens that were issued for them.
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await?;
        Ok(true)
    }

    async fn grant(
        &self,
        repository_id: &str,
        user_id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        let done = sqlx::query("INSERT OR IGNORE INTO access_grants (repository_id, user_id, granted_at) VALUES (?, ?, ?)")
            .bind(repository_id)
            .bind(user_id)
            .bind(to_milliseconds(context.at))
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        let ids = (repository_id, user_id);
        self.commit_access(transaction, AuditAction::AccessGrant, ids, context)
            .await
    }

    async fn revoke_grant(
        &self,
        repository_id: &str,
        user_id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        let done = sqlx::query("DELETE FROM access_grants WHERE repository_id = ? AND user_id = ?")
            .bind(repository_id)
            .bind(user_id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        let ids = (repository_id, user_id);
        self.commit_access(transaction, AuditAction::AccessRevoke, ids, context)
            .await
    }

    async fn is_granted(&self, repository_id: &str, user_id: &str) -> Result<bool, HubError> {
        sqlx::query("SELECT 1 FROM access_grants WHERE repository_id = ? AND user_id = ?")
            .bind(repository_id)
            .bind(user_id)
            .fetch_optional(&self.pool)
            .await
            .map(|row| row.is_some())
            .map_err(|error| self.database_error(&error))
    }

    async fn grants(&self, repository_id: &str) -> Result<Vec<String>, HubError> {
        sqlx::query(
            "SELECT namespaces.name FROM access_grants JOIN namespaces ON namespaces.id = access_grants.user_id
             WHERE access_grants.repository_id = ? ORDER BY namespaces.name_key",
        )
        .bind(repository_id)
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect())
        .map_err(|error| self.database_error(&error))
    }
}

impl Sqlite {
    /// The repository with this id, as seen by the transaction.
    async fn by_id(
        &self,
        transaction: &mut WriteTransaction,
        id: &str,
    ) -> Result<Option<Repository>, HubError> {
        let row = sqlx::query(
            "SELECT repositories.*, namespaces.name AS namespace FROM repositories
             JOIN namespaces ON namespaces.id = repositories.namespace_id WHERE repositories.id = ?",
        )
        .bind(id)
        .fetch_optional(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        row.as_ref()
            .map(|row| self.read_repository(row))
            .transpose()
    }

    /// Logs an access change in the audit log and commits it.
    async fn commit_access(
        &self,
        mut transaction: WriteTransaction,
        act: AuditAction,
        (repository_id, user_id): (&str, &str),
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let user: Option<String> = sqlx::query("SELECT name FROM namespaces WHERE id = ?")
            .bind(user_id)
            .fetch_optional(transaction.connection())
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map_err(|error| self.database_error(&error))?;
        if let Some(repository) = self.by_id(&mut transaction, repository_id).await? {
            let subject = Subject {
                user,
                ..subject_of(&repository)
            };
            self.record_audit(&mut transaction, act, subject, context)
                .await?;
        }
        self.commit(transaction, CacheEffect::None).await
    }

    fn read_repository(&self, row: &SqliteRow) -> Result<Repository, HubError> {
        let map_error = |error| self.database_error(&error);
        let kind: String = row.try_get("kind").map_err(map_error)?;
        let gated: Option<String> = row.try_get("gated").map_err(map_error)?;
        Ok(Repository {
            id: row.try_get("id").map_err(map_error)?,
            kind: RepositoryType::parse(&kind).ok_or_else(|| self.unreadable("repository type"))?,
            namespace_id: row.try_get("namespace_id").map_err(map_error)?,
            namespace: row.try_get("namespace").map_err(map_error)?,
            name: row.try_get("name").map_err(map_error)?,
            creator_id: row.try_get("creator_id").map_err(map_error)?,
            private: row.try_get("private").map_err(map_error)?,
            gated: gated
                .map(|gate| Gate::parse(&gate).ok_or_else(|| self.unreadable("gate")))
                .transpose()?,
            disabled: row.try_get("disabled").map_err(map_error)?,
            created_at: from_milliseconds(row.try_get("created_at").map_err(map_error)?),
        })
    }
}

/// The audit subject: a repository and its namespace. The namespace goes in the organization field
/// even if it is a user, so that filtering by namespace finds the entry.
fn subject_of(repository: &Repository) -> Subject {
    Subject::repository(repository.page()).in_organization(&repository.namespace)
}

/// The settings that the change sets, such as `private=true gated=auto`.
fn settings(change: RepositoryChange) -> String {
    let mut text = String::new();
    if let Some(private) = change.private {
        let _ = write!(text, "private={private} ");
    }
    if let GateChange::Set(gate) = change.gated {
        let _ = write!(text, "gated={} ", gate.map_or("false", Gate::as_str));
    }
    if let Some(disabled) = change.disabled {
        let _ = write!(text, "disabled={disabled} ");
    }
    text.trim_end().to_owned()
}
