//! The row counts.

use async_trait::async_trait;
use sqlx::Row as _;

use super::Sqlite;
use crate::error::HubError;
use crate::registry::{Census, Counts};

#[async_trait]
impl Counts for Sqlite {
    async fn census(&self) -> Result<Census, HubError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM namespaces WHERE kind = 'user'),
                    (SELECT count(*) FROM namespaces WHERE kind = 'org'),
                    (SELECT count(*) FROM tokens),
                    (SELECT count(*) FROM repositories)",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(|error| self.fault(&error))?;
        let count = |place: usize| {
            row.try_get::<i64, _>(place)
                .map(|count| u64::try_from(count).unwrap_or(0))
                .map_err(|error| self.fault(&error))
        };
        Ok(Census {
            users: count(0)?,
            organizations: count(1)?,
            tokens: count(2)?,
            repositories: count(3)?,
        })
    }
}
