//! Who was granted access to a gated repository.

use sqlx::Row as _;
use time::OffsetDateTime;

use super::Registry;
use crate::hub::clock::to_milliseconds;
use crate::hub::error::HubError;

impl Registry {
    pub(crate) async fn grant(
        &self,
        repository_id: &str,
        user_id: &str,
        now: OffsetDateTime,
    ) -> Result<(), HubError> {
        let mut transaction = self.write().await?;
        sqlx::query("INSERT OR IGNORE INTO access_grants (repository_id, user_id, granted_at) VALUES (?, ?, ?)")
            .bind(repository_id)
            .bind(user_id)
            .bind(to_milliseconds(now))
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    pub(crate) async fn revoke_grant(
        &self,
        repository_id: &str,
        user_id: &str,
    ) -> Result<(), HubError> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM access_grants WHERE repository_id = ? AND user_id = ?")
            .bind(repository_id)
            .bind(user_id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    pub(crate) async fn is_granted(
        &self,
        repository_id: &str,
        user_id: &str,
    ) -> Result<bool, HubError> {
        sqlx::query("SELECT 1 FROM access_grants WHERE repository_id = ? AND user_id = ?")
            .bind(repository_id)
            .bind(user_id)
            .fetch_optional(&self.pool)
            .await
            .map(|row| row.is_some())
            .map_err(|error| self.fault(&error))
    }

    /// The names of all who were granted access.
    pub(crate) async fn grants(&self, repository_id: &str) -> Result<Vec<String>, HubError> {
        sqlx::query(
            "SELECT namespaces.name FROM access_grants JOIN namespaces ON namespaces.id = access_grants.user_id
             WHERE access_grants.repository_id = ? ORDER BY namespaces.name_key",
        )
        .bind(repository_id)
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect())
        .map_err(|error| self.fault(&error))
    }
}
