//! The table of administrators.

use async_trait::async_trait;

use super::users::user;
use super::{CacheEffect, Sqlite};
use crate::clock::to_milliseconds;
use crate::error::HubError;
use crate::registry::{
    Administrators, AuditAction, AuditContext, NewUser, Subject, User, Users as _,
};

#[async_trait]
impl Administrators for Sqlite {
    async fn administrators(&self) -> Result<Vec<User>, HubError> {
        sqlx::query(
            "SELECT namespaces.* FROM namespaces JOIN administrators ON user_id = id ORDER BY name_key",
        )
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(user).collect())
        .map_err(|error| self.database_error(&error))
    }

    async fn create_first_administrator(
        &self,
        new: NewUser,
        context: &AuditContext,
    ) -> Result<User, HubError> {
        let refuse = |known: &User| HubError::HasAdministrator {
            name: known.name.clone(),
        };
        if let Some(known) = self.administrators().await?.first() {
            return Err(refuse(known));
        }
        let created = match self.user(&new.name).await {
            Ok(existing) => existing,
            Err(HubError::UnknownUser { .. }) => self.create_user(new.clone(), context).await?,
            Err(error) => return Err(error),
        };
        let mut transaction = self.begin_write().await?;
        // Checked again inside the transaction: another administrator may have been created since
        // the first check.
        let inserted = sqlx::query(
            "INSERT INTO administrators (user_id, since)
             SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM administrators)",
        )
        .bind(&created.id)
        .bind(to_milliseconds(context.at))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        if inserted.rows_affected() == 0 {
            drop(transaction);
            let known = self.administrators().await?;
            return Err(refuse(known.first().unwrap_or(&created)));
        }
        if let Some(hash) = &new.password_hash {
            self.replace_password(&mut transaction, &created, hash)
                .await?;
        }
        let subject = Subject::user(&created.name).with_detail("first administrator");
        self.record_audit(
            &mut transaction,
            AuditAction::UserPassword,
            subject,
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::None).await?;
        Ok(created)
    }
}
