//! Who administers the Hub, beside whoever holds the admin key; and the passwords by which people sign in.

use time::OffsetDateTime;

use super::users::user;
use super::{NewUser, Registry, User};
use crate::hub::clock::to_milliseconds;
use crate::hub::error::HubError;

impl Registry {
    /// Who administers the Hub, by name.
    pub(crate) async fn administrators(&self) -> Result<Vec<User>, HubError> {
        sqlx::query(
            "SELECT namespaces.* FROM namespaces JOIN administrators ON user_id = id ORDER BY name_key",
        )
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(user).collect())
        .map_err(|error| self.fault(&error))
    }

    /// Makes a user the first administrator; there is no second first one. A user who exists gets the password.
    pub(crate) async fn create_first_administrator(
        &self,
        new: NewUser,
        now: OffsetDateTime,
    ) -> Result<User, HubError> {
        let already = || async {
            let known = self.administrators().await?;
            Ok::<_, HubError>(known.into_iter().next())
        };
        if let Some(known) = already().await? {
            return Err(HubError::HasAdministrator { name: known.name });
        }
        let created = match self.user(&new.name).await {
            Ok(existing) => existing,
            Err(HubError::UnknownUser { .. }) => self.create_user(new.clone(), now).await?,
            Err(error) => return Err(error),
        };
        let mut transaction = self.write().await?;
        // Asked again: between the two questions somebody else may have become it.
        let inserted = sqlx::query(
            "INSERT INTO administrators (user_id, since)
             SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM administrators)",
        )
        .bind(&created.id)
        .bind(to_milliseconds(now))
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.fault(&error))?;
        sqlx::query("UPDATE namespaces SET password_hash = ? WHERE id = ?")
            .bind(&new.password_hash)
            .bind(&created.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        if inserted.rows_affected() == 0 {
            drop(transaction);
            let name = already()
                .await?
                .map_or_else(String::new, |known| known.name);
            return Err(HubError::HasAdministrator { name });
        }
        self.commit(transaction).await?;
        Ok(created)
    }

    /// Gives a user another password, which is hashed already.
    pub(crate) async fn set_password(&self, name: &str, hash: &str) -> Result<(), HubError> {
        let user = self.user(name).await?;
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE namespaces SET password_hash = ? WHERE id = ?")
            .bind(hash)
            .bind(&user.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }
}
