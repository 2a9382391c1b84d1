//! The table of administrators.

use async_trait::async_trait;

use super::users::user;
use super::{Bearing, Sqlite};
use crate::clock::to_milliseconds;
use crate::error::HubError;
use crate::registry::{Act, Administrators, NewUser, Origin, Subject, User, Users as _};

#[async_trait]
impl Administrators for Sqlite {
    async fn administrators(&self) -> Result<Vec<User>, HubError> {
        sqlx::query(
            "SELECT namespaces.* FROM namespaces JOIN administrators ON user_id = id ORDER BY name_key",
        )
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(user).collect())
        .map_err(|error| self.fault(&error))
    }

    async fn create_first_administrator(
        &self,
        new: NewUser,
        origin: &Origin,
    ) -> Result<User, HubError> {
        let refuse = |known: &User| HubError::HasAdministrator {
            name: known.name.clone(),
        };
        if let Some(known) = self.administrators().await?.first() {
            return Err(refuse(known));
        }
        let created = match self.user(&new.name).await {
            Ok(existing) => existing,
            Err(HubError::UnknownUser { .. }) => self.create_user(new.clone(), origin).await?,
            Err(error) => return Err(error),
        };
        let mut change = self.write().await?;
        // Checked again inside the transaction: another administrator may have been created since
        // the first check.
        let inserted = sqlx::query(
            "INSERT INTO administrators (user_id, since)
             SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM administrators)",
        )
        .bind(&created.id)
        .bind(to_milliseconds(origin.at))
        .execute(change.connection())
        .await
        .map_err(|error| self.fault(&error))?;
        if inserted.rows_affected() == 0 {
            drop(change);
            let known = self.administrators().await?;
            return Err(refuse(known.first().unwrap_or(&created)));
        }
        if let Some(hash) = &new.password_hash {
            self.replace_password(&mut change, &created, hash).await?;
        }
        let subject = Subject::user(&created.name).detail("first administrator");
        self.enter(&mut change, Act::UserPassword, subject, origin)
            .await?;
        self.commit(change, Bearing::None).await?;
        Ok(created)
    }
}
