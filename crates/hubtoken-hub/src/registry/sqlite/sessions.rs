//! The sessions table, and the single-use forms submitted in each session.

use async_trait::async_trait;
use sqlx::Row as _;
use time::OffsetDateTime;

use super::users::user;
use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::names;
use crate::registry::{
    AuditAction, AuditContext, Lifetimes, Organizations as _, Session, Sessions, Subject, User,
};
use crate::secret::Digest;

#[async_trait]
impl Sessions for Sqlite {
    async fn find_password(&self, name: &str) -> Result<Option<(User, Option<String>)>, HubError> {
        sqlx::query("SELECT * FROM namespaces WHERE name_key = ? AND kind = 'user'")
            .bind(names::key(name))
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| {
                row.map(|row| Ok((user(&row)?, row.try_get("password_hash")?)))
                    .transpose()
            })
            .map_err(|error| self.database_error(&error))
    }

    async fn set_password(
        &self,
        user: &User,
        hash: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        self.replace_password(&mut transaction, user, hash).await?;
        let subject = Subject::user(&user.name);
        self.record_audit(
            &mut transaction,
            AuditAction::UserPassword,
            subject,
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::None).await
    }

    async fn begin_session(
        &self,
        digest: &Digest,
        user: &User,
        hash: &str,
        lifetimes: Lifetimes,
        context: &AuditContext,
    ) -> Result<bool, HubError> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM sessions WHERE created_at <= ? OR seen_at <= ?")
            .bind(to_milliseconds(context.at - lifetimes.absolute))
            .bind(to_milliseconds(context.at - lifetimes.idle))
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        let done = sqlx::query(
            "INSERT INTO sessions (digest, user_id, created_at, seen_at)
             SELECT ?1, id, ?2, ?2 FROM namespaces WHERE id = ?3 AND password_hash = ?4",
        )
        .bind(digest.as_slice())
        .bind(to_milliseconds(context.at))
        .bind(&user.id)
        .bind(hash)
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let inserted = done.rows_affected() == 1;
        if inserted {
            let subject = Subject::user(&user.name);
            self.record_audit(
                &mut transaction,
                AuditAction::LoginSucceeded,
                subject,
                context,
            )
            .await?;
        }
        self.commit(transaction, CacheEffect::None).await?;
        Ok(inserted)
    }

    async fn session(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
        lifetimes: Lifetimes,
    ) -> Result<Option<Session>, HubError> {
        let row = sqlx::query(
            "SELECT namespaces.id, namespaces.name, namespaces.fullname, namespaces.email, namespaces.created_at,
                    sessions.notice, sessions.seen_at,
                    EXISTS (SELECT 1 FROM administrators WHERE user_id = namespaces.id) AS is_administrator
             FROM sessions JOIN namespaces ON namespaces.id = sessions.user_id
             WHERE sessions.digest = ? AND sessions.created_at > ? AND sessions.seen_at > ?",
        )
        .bind(digest.as_slice())
        .bind(to_milliseconds(now - lifetimes.absolute))
        .bind(to_milliseconds(now - lifetimes.idle))
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.database_error(&error))?;
        let Some(row) = row else { return Ok(None) };
        let read = || {
            Ok((
                user(&row)?,
                row.try_get("notice")?,
                row.try_get("seen_at")?,
                row.try_get("is_administrator")?,
            ))
        };
        let (user, notice, seen_at, is_administrator) =
            read().map_err(|error| self.database_error(&error))?;
        let memberships = self.memberships(&user.id).await?;
        Ok(Some(Session {
            digest: *digest,
            user,
            memberships,
            is_administrator,
            notice,
            seen_at: from_milliseconds(seen_at),
        }))
    }

    async fn touch_session(&self, digest: &Digest, now: OffsetDateTime) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("UPDATE sessions SET seen_at = max(seen_at, ?) WHERE digest = ?")
            .bind(to_milliseconds(now))
            .bind(digest.as_slice())
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        self.commit(transaction, CacheEffect::None).await
    }

    async fn set_notice(&self, digest: &Digest, notice: Option<&str>) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("UPDATE sessions SET notice = ? WHERE digest = ?")
            .bind(notice)
            .bind(digest.as_slice())
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        self.commit(transaction, CacheEffect::None).await
    }

    async fn end_session(&self, session: &Session, context: &AuditContext) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        let done = sqlx::query("DELETE FROM sessions WHERE digest = ?")
            .bind(session.digest.as_slice())
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        let subject = Subject::user(&session.user.name);
        self.record_audit(&mut transaction, AuditAction::Logout, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::None).await
    }

    async fn use_form(
        &self,
        session: &Digest,
        form: &Digest,
        now: OffsetDateTime,
    ) -> Result<bool, HubError> {
        let mut transaction = self.begin_write().await?;
        let done = sqlx::query(
            "INSERT OR IGNORE INTO used_forms (session_digest, digest, used_at) VALUES (?, ?, ?)",
        )
        .bind(session.as_slice())
        .bind(form.as_slice())
        .bind(to_milliseconds(now))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        self.commit(transaction, CacheEffect::None).await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Sqlite {
    /// Stores a password and ends all of the user's sessions.
    pub(super) async fn replace_password(
        &self,
        transaction: &mut WriteTransaction,
        user: &User,
        hash: &str,
    ) -> Result<(), HubError> {
        sqlx::query("UPDATE namespaces SET password_hash = ? WHERE id = ? AND kind = 'user'")
            .bind(hash)
            .bind(&user.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        sqlx::query("DELETE FROM sessions WHERE user_id = ?")
            .bind(&user.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        Ok(())
    }
}
