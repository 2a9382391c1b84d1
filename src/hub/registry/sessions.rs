//! Who is signed in at the pages: sessions by the digest of their id, and the passwords they begin with.
//!
//! A session's id is as good as a password for as long as the session lasts, so the registry knows its digest only.
//! Whoever reads the database can neither take a session over nor forge the token of its forms.

use sqlx::Row as _;
use time::{Duration, OffsetDateTime};

use super::users::user;
use super::{Membership, Registry, User};
use crate::hub::clock::{from_milliseconds, to_milliseconds};
use crate::hub::error::HubError;
use crate::hub::names;
use crate::hub::secret::Digest;

/// A person who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub digest: Digest,
    pub user: User,
    pub memberships: Vec<Membership>,
    /// What the last deed wants to have said on the next page.
    pub notice: Option<String>,
    pub seen_at: OffsetDateTime,
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub idle: Duration,
    pub absolute: Duration,
}

impl Registry {
    /// The user of a name, with the hash of the password if there is one; for signing in.
    pub(crate) async fn find_password(
        &self,
        name: &str,
    ) -> Result<Option<(User, Option<String>)>, HubError> {
        sqlx::query("SELECT * FROM namespaces WHERE name_key = ? AND kind = 'user'")
            .bind(names::key(name))
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| {
                row.map(|row| Ok((user(&row)?, row.try_get("password_hash")?)))
                    .transpose()
            })
            .map_err(|error| self.fault(&error))
    }

    /// Stores a new password and ends every session of the user, in one transaction: whoever changes a password that
    /// somebody else knows must not leave that somebody signed in.
    pub(crate) async fn set_password(&self, user_id: &str, hash: &str) -> Result<(), HubError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE namespaces SET password_hash = ? WHERE id = ? AND kind = 'user'")
            .bind(hash)
            .bind(user_id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        sqlx::query("DELETE FROM sessions WHERE user_id = ?")
            .bind(user_id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    /// Begins a session, and sweeps out those that have ended; `hash` is the password that was checked for it, so that
    /// none begins with a password that was changed in between. Says whether it began.
    pub(crate) async fn begin_session(
        &self,
        digest: &Digest,
        user_id: &str,
        hash: &str,
        now: OffsetDateTime,
        lifetimes: Lifetimes,
    ) -> Result<bool, HubError> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM sessions WHERE created_at <= ? OR seen_at <= ?")
            .bind(to_milliseconds(now - lifetimes.absolute))
            .bind(to_milliseconds(now - lifetimes.idle))
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        let done = sqlx::query(
            "INSERT INTO sessions (digest, user_id, created_at, seen_at)
             SELECT ?1, id, ?2, ?2 FROM namespaces WHERE id = ?3 AND password_hash = ?4",
        )
        .bind(digest.as_slice())
        .bind(to_milliseconds(now))
        .bind(user_id)
        .bind(hash)
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await?;
        Ok(done.rows_affected() == 1)
    }

    /// The session of this digest, if it has not ended.
    pub(crate) async fn session(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
        lifetimes: Lifetimes,
    ) -> Result<Option<Session>, HubError> {
        let row = sqlx::query(
            "SELECT namespaces.id, namespaces.name, namespaces.fullname, namespaces.email, namespaces.created_at,
                    sessions.notice, sessions.seen_at
             FROM sessions JOIN namespaces ON namespaces.id = sessions.user_id
             WHERE sessions.digest = ? AND sessions.created_at > ? AND sessions.seen_at > ?",
        )
        .bind(digest.as_slice())
        .bind(to_milliseconds(now - lifetimes.absolute))
        .bind(to_milliseconds(now - lifetimes.idle))
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.fault(&error))?;
        let Some(row) = row else { return Ok(None) };
        let read = || Ok((user(&row)?, row.try_get("notice")?, row.try_get("seen_at")?));
        let (user, notice, seen_at) = read().map_err(|error| self.fault(&error))?;
        let memberships = self.memberships(&user.id).await?;
        Ok(Some(Session {
            digest: *digest,
            user,
            memberships,
            notice,
            seen_at: from_milliseconds(seen_at),
        }))
    }

    /// Notes that a session was used.
    pub(crate) async fn touch_session(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
    ) -> Result<(), HubError> {
        sqlx::query("UPDATE sessions SET seen_at = max(seen_at, ?) WHERE digest = ?")
            .bind(to_milliseconds(now))
            .bind(digest.as_slice())
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.fault(&error))
    }

    /// Keeps a word for the session's next page, or forgets it.
    pub(crate) async fn set_notice(
        &self,
        digest: &Digest,
        notice: Option<&str>,
    ) -> Result<(), HubError> {
        sqlx::query("UPDATE sessions SET notice = ? WHERE digest = ?")
            .bind(notice)
            .bind(digest.as_slice())
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.fault(&error))
    }

    /// Ends a session; one that has ended stays so.
    pub(crate) async fn end_session(&self, digest: &Digest) -> Result<(), HubError> {
        sqlx::query("DELETE FROM sessions WHERE digest = ?")
            .bind(digest.as_slice())
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.fault(&error))
    }

    /// Uses up a form that may be sent once; says whether it was the first time. Kept as long as the session, so that
    /// a page reloaded after a restart makes no second token either.
    pub(crate) async fn use_form(
        &self,
        session: &Digest,
        form: &Digest,
        now: OffsetDateTime,
    ) -> Result<bool, HubError> {
        sqlx::query(
            "INSERT OR IGNORE INTO used_forms (session_digest, digest, used_at) VALUES (?, ?, ?)",
        )
        .bind(session.as_slice())
        .bind(form.as_slice())
        .bind(to_milliseconds(now))
        .execute(&self.pool)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(|error| self.fault(&error))
    }
}
