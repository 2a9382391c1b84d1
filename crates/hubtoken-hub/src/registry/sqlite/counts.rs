//! The row counts.

use async_trait::async_trait;
use sqlx::Row as _;

use super::Sqlite;
use crate::error::HubError;
use crate::registry::{CountStore, Counts};

#[async_trait]
impl CountStore for Sqlite {
    async fn counts(&self) -> Result<Counts, HubError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM namespaces WHERE kind = 'user'),
                    (SELECT count(*) FROM namespaces WHERE kind = 'org'),
                    (SELECT count(*) FROM tokens WHERE kind = 'user')
                        + (SELECT count(*) FROM service_account_tokens),
                    (SELECT count(*) FROM service_accounts),
                    (SELECT count(*) FROM repositories)",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(|error| self.database_error(&error))?;
        let count = |index: usize| {
            row.try_get::<i64, _>(index)
                .map(|count| u64::try_from(count).unwrap_or(0))
                .map_err(|error| self.database_error(&error))
        };
        Ok(Counts {
            users: count(0)?,
            organizations: count(1)?,
            tokens: count(2)?,
            service_accounts: count(3)?,
            repositories: count(4)?,
        })
    }
}
