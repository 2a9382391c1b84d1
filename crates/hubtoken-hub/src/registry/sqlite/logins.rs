//! Issued tokens: rows of the tokens table, with their access and refresh tokens in tables of their
//! own.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    AuditAction, AuditContext, Entity, Exchanged, GrantedRole, IssuedGrant, IssuedLogin, Login,
    LoginLifetimes, LoginScopes, Logins, Mint, NewIssuedToken, REPEAT_WINDOW, RefreshRefusal,
    Subject, TokenInfo, Users as _,
};
use crate::secret::{Digest, Secret};

/// How long what has ended is kept, so that a clock that was wrong for a while ends nothing for
/// good.
const KEPT_MILLISECONDS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A row of the tokens table for an issued token.
pub(super) struct IssuedRow<'a> {
    pub id: &'a str,
    pub user_id: &'a str,
    pub user_name: &'a str,
    pub name: &'a str,
    pub client_id: Option<&'a str>,
    pub role: GrantedRole,
    pub last4: String,
    pub expires_at: OffsetDateTime,
}

#[async_trait]
impl Logins for Sqlite {
    async fn issue_token(
        &self,
        new: NewIssuedToken<'_>,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        self.sweep_issued(&mut transaction, context.at).await?;
        let row = IssuedRow {
            id: new.id,
            user_id: &new.user.id,
            user_name: &new.user.name,
            name: new.name,
            client_id: None,
            role: match new.grant {
                IssuedGrant::Scopes(scopes) => GrantedRole::Login(scopes.clone()),
                IssuedGrant::Repository(entity) => GrantedRole::Repository(entity.clone()),
            },
            last4: new.value.last4(),
            expires_at: new.expires_at,
        };
        self.insert_issued(&mut transaction, row, context).await?;
        self.insert_access_token(&mut transaction, new.id, new.value, new.expires_at)
            .await?;
        if let Some(used) = &new.used {
            self.use_id_token(&mut transaction, new.id, used, context)
                .await?;
        }
        // A new token has never been used, so it is not in the cache.
        self.commit(transaction, CacheEffect::None).await
    }

    async fn exchange_refresh_token(
        &self,
        presented: &Digest,
        client_id: &str,
        successor: &Digest,
        lifetimes: LoginLifetimes,
        mint: &Mint<'_>,
        context: &AuditContext,
    ) -> Result<Result<IssuedLogin, RefreshRefusal>, HubError> {
        let map_error = |error: sqlx::Error| self.database_error(&error);
        let mut transaction = self.begin_write().await?;
        let row = sqlx::query(
            "SELECT tokens.*, users.name AS owner, tokens.user_id AS owner_id,
                    refresh_tokens.rotated_at, refresh_tokens.expires_at AS refresh_expires_at,
                    (SELECT rotated_at IS NULL FROM refresh_tokens AS next WHERE next.digest = ?2) AS is_repeatable
             FROM refresh_tokens
             JOIN tokens ON tokens.id = refresh_tokens.token_id
             JOIN namespaces AS users ON users.id = tokens.user_id
             WHERE refresh_tokens.digest = ?1",
        )
        .bind(presented.as_slice())
        .bind(successor.as_slice())
        .fetch_optional(transaction.connection())
        .await
        .map_err(map_error)?;
        let Some(row) = row else {
            return Ok(Err(RefreshRefusal::Unknown));
        };
        let read = || {
            Ok((
                row.try_get("owner")?,
                row.try_get("client_id")?,
                row.try_get("rotated_at")?,
                row.try_get("refresh_expires_at")?,
                row.try_get("is_repeatable")?,
            ))
        };
        let (owner, client, rotated_at, expires_at, is_repeatable): (
            String,
            Option<String>,
            Option<i64>,
            i64,
            Option<bool>,
        ) = read().map_err(map_error)?;
        let info = self.token(&row)?;
        if client.as_deref() != Some(client_id) {
            let subject = Subject::token(&owner, &info);
            let subject = subject.with_detail("a refresh token of another program");
            self.record_audit(&mut transaction, AuditAction::LoginRefuse, subject, context)
                .await?;
            self.commit(transaction, CacheEffect::None).await?;
            return Ok(Err(RefreshRefusal::OtherClient));
        }
        let now = to_milliseconds(context.at);
        let mut exchanged = self.exchanged(&row)?;
        if let Some(rotated_at) = rotated_at {
            // A clock that was set back gives a negative age, which is not a reason to end a login.
            let is_recent = context.at - from_milliseconds(rotated_at) < REPEAT_WINDOW;
            if !is_recent || is_repeatable != Some(true) {
                self.remove_token(&mut transaction, &info.id).await?;
                let subject = Subject::token(&owner, &info);
                self.record_audit(&mut transaction, AuditAction::LoginReplay, subject, context)
                    .await?;
                self.commit(transaction, CacheEffect::InvalidatePrincipals)
                    .await?;
                return Ok(Err(RefreshRefusal::Replayed));
            }
            exchanged.at = from_milliseconds(rotated_at);
            let issued = self
                .repeat_exchange(transaction, &exchanged, lifetimes, mint)
                .await?;
            return Ok(Ok(issued));
        }
        if expires_at <= now {
            return Ok(Err(RefreshRefusal::Expired));
        }
        exchanged.at = from_milliseconds(now);
        sqlx::query("UPDATE refresh_tokens SET rotated_at = ? WHERE digest = ?")
            .bind(now)
            .bind(presented.as_slice())
            .execute(transaction.connection())
            .await
            .map_err(map_error)?;
        self.sweep_issued(&mut transaction, context.at).await?;
        let issued = self
            .finish_exchange(&mut transaction, &exchanged, successor, lifetimes, mint)
            .await?;
        let info = TokenInfo {
            last4: issued.access_token.last4(),
            ..info
        };
        let subject = Subject::token(&owner, &info);
        self.record_audit(
            &mut transaction,
            AuditAction::LoginRefresh,
            subject,
            context,
        )
        .await?;
        // The new access token has never been used, and the earlier ones stay as they are.
        self.commit(transaction, CacheEffect::None).await?;
        Ok(Ok(issued))
    }

    async fn logins(&self, user: &str) -> Result<Vec<Login>, HubError> {
        let user = self.user(user).await?;
        let rows = sqlx::query(
            "SELECT * FROM tokens WHERE user_id = ? AND kind = 'oauth' AND client_id IS NOT NULL
             ORDER BY created_at DESC, id",
        )
        .bind(&user.id)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.database_error(&error))?;
        rows.iter()
            .map(|row| {
                let info = self.token(row)?;
                let GrantedRole::Login(scopes) = info.role else {
                    return Err(self.unreadable("login"));
                };
                Ok(Login {
                    client_id: row
                        .try_get("client_id")
                        .map_err(|error| self.database_error(&error))?,
                    id: info.id,
                    client: info.name,
                    scopes,
                    created_at: info.created_at,
                    last_used_at: info.last_used_at,
                    expires_at: info.expires_at,
                })
            })
            .collect()
    }

    async fn end_login(
        &self,
        user: &str,
        id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let user = self.user(user).await?;
        let mut transaction = self.begin_write().await?;
        let row =
            sqlx::query("SELECT * FROM tokens WHERE user_id = ? AND id = ? AND kind = 'oauth'")
                .bind(&user.id)
                .bind(id)
                .fetch_optional(transaction.connection())
                .await
                .map_err(|error| self.database_error(&error))?;
        let row = row.ok_or_else(|| HubError::UnknownLogin {
            user: user.name.clone(),
            login: shown_id(id),
        })?;
        let info = self.token(&row)?;
        self.remove_token(&mut transaction, id).await?;
        let subject = Subject::token(&user.name, &info);
        self.record_audit(&mut transaction, AuditAction::LoginEnd, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }
}

/// An id for a message. What is none may be a device code, which looks like any other hexadecimal.
fn shown_id(id: &str) -> String {
    let is_id = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { id } else { "..." }.to_owned()
}

impl Sqlite {
    /// Inserts the row of an issued token, with its entry in the audit log. The row's own digest is
    /// random, so no value belongs to it: its values are in the table of access tokens.
    pub(super) async fn insert_issued(
        &self,
        transaction: &mut WriteTransaction,
        row: IssuedRow<'_>,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let (kind, granted) = match &row.role {
            GrantedRole::Login(scopes) => ("oauth", scopes.to_stored()),
            GrantedRole::Repository(entity) => (
                "jwt",
                serde_json::to_string(entity).map_err(|error| HubError::InvalidToken {
                    reason: error.to_string(),
                })?,
            ),
            GrantedRole::Read | GrantedRole::Write | GrantedRole::FineGrained(_) => {
                return Err(HubError::InvalidToken {
                    reason: "its role is one of a user access token".to_owned(),
                });
            }
        };
        sqlx::query(
            "INSERT INTO tokens (id, user_id, name, role, digest, last4, created_at, expires_at, kind, granted, client_id)
             VALUES (?, ?, ?, 'read', randomblob(32), ?, ?, ?, ?, ?, ?)",
        )
        .bind(row.id)
        .bind(row.user_id)
        .bind(row.name)
        .bind(&row.last4)
        .bind(to_milliseconds(context.at))
        .bind(to_milliseconds(row.expires_at))
        .bind(kind)
        .bind(granted)
        .bind(row.client_id)
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let detail = match &row.role {
            GrantedRole::Repository(entity) => entity.path(),
            role => role.as_str().to_owned(),
        };
        let subject = Subject {
            token_id: Some(row.id.to_owned()),
            token_name: Some(row.name.to_owned()),
            token_last4: Some(row.last4),
            detail: Some(detail),
            ..Subject::user(row.user_name)
        };
        self.record_audit(transaction, AuditAction::LoginIssue, subject, context)
            .await
    }

    /// Stores an access token. Storing it again changes nothing.
    async fn insert_access_token(
        &self,
        transaction: &mut WriteTransaction,
        token_id: &str,
        value: &Secret,
        expires_at: OffsetDateTime,
    ) -> Result<bool, HubError> {
        sqlx::query(
            "INSERT OR IGNORE INTO access_tokens (digest, token_id, expires_at) VALUES (?, ?, ?)",
        )
        .bind(value.digest().as_slice())
        .bind(token_id)
        .bind(to_milliseconds(expires_at))
        .execute(transaction.connection())
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(|error| self.database_error(&error))
    }

    /// Makes and stores the tokens of an exchange.
    pub(super) async fn finish_exchange(
        &self,
        transaction: &mut WriteTransaction,
        exchanged: &Exchanged,
        refresh: &Digest,
        lifetimes: LoginLifetimes,
        mint: &Mint<'_>,
    ) -> Result<IssuedLogin, HubError> {
        let map_error = |error| self.database_error(&error);
        let value = mint(exchanged)?;
        let expires_at = exchanged.at + lifetimes.access;
        let refresh_expires_at = to_milliseconds(exchanged.at + lifetimes.refresh);
        self.insert_access_token(transaction, &exchanged.login_id, &value, expires_at)
            .await?;
        sqlx::query(
            "INSERT INTO refresh_tokens (digest, token_id, issued_at, expires_at) VALUES (?, ?, ?, ?)",
        )
        .bind(refresh.as_slice())
        .bind(&exchanged.login_id)
        .bind(to_milliseconds(exchanged.at))
        .bind(refresh_expires_at)
        .execute(transaction.connection())
        .await
        .map_err(map_error)?;
        sqlx::query("UPDATE tokens SET last4 = ?, expires_at = ? WHERE id = ?")
            .bind(value.last4())
            .bind(refresh_expires_at)
            .bind(&exchanged.login_id)
            .execute(transaction.connection())
            .await
            .map_err(map_error)?;
        Ok(IssuedLogin {
            access_token: value,
            expires_at,
            scopes: exchanged.scopes.clone(),
        })
    }

    /// Repeats the result of an exchange. The access token is the same as before, unless the
    /// signing key was replaced in between.
    pub(super) async fn repeat_exchange(
        &self,
        mut transaction: WriteTransaction,
        exchanged: &Exchanged,
        lifetimes: LoginLifetimes,
        mint: &Mint<'_>,
    ) -> Result<IssuedLogin, HubError> {
        let access_token = mint(exchanged)?;
        let expires_at = exchanged.at + lifetimes.access;
        self.insert_access_token(
            &mut transaction,
            &exchanged.login_id,
            &access_token,
            expires_at,
        )
        .await?;
        self.commit(transaction, CacheEffect::None).await?;
        Ok(IssuedLogin {
            access_token,
            expires_at,
            scopes: exchanged.scopes.clone(),
        })
    }

    /// The login in a row that has the columns of the tokens table.
    pub(super) fn exchanged(&self, row: &SqliteRow) -> Result<Exchanged, HubError> {
        let read = || {
            Ok((
                row.try_get("id")?,
                row.try_get("user_id")?,
                row.try_get("client_id")?,
                row.try_get("granted")?,
                row.try_get("created_at")?,
            ))
        };
        let (login_id, user_id, client_id, granted, at): (_, _, _, String, _) =
            read().map_err(|error: sqlx::Error| self.database_error(&error))?;
        Ok(Exchanged {
            login_id,
            user_id,
            client_id,
            scopes: LoginScopes::from_stored(&granted).ok_or_else(|| self.unreadable("login"))?,
            at: from_milliseconds(at),
        })
    }

    /// Deletes what ended long ago.
    pub(super) async fn sweep_issued(
        &self,
        transaction: &mut WriteTransaction,
        now: OffsetDateTime,
    ) -> Result<(), HubError> {
        let before = to_milliseconds(now) - KEPT_MILLISECONDS;
        for statement in [
            "DELETE FROM access_tokens WHERE expires_at < ?",
            "DELETE FROM refresh_tokens WHERE expires_at < ?",
            "DELETE FROM device_codes WHERE expires_at < ?",
            "DELETE FROM used_id_tokens WHERE expires_at < ?",
            "DELETE FROM tokens WHERE kind <> 'user' AND expires_at < ?",
        ] {
            sqlx::query(statement)
                .bind(before)
                .execute(transaction.connection())
                .await
                .map_err(|error| self.database_error(&error))?;
        }
        Ok(())
    }

    /// The role of an issued token.
    pub(super) fn issued_role(&self, kind: &str, granted: &str) -> Result<GrantedRole, HubError> {
        let role = match kind {
            "oauth" => LoginScopes::from_stored(granted).map(GrantedRole::Login),
            "jwt" => serde_json::from_str::<Entity>(granted)
                .ok()
                .map(GrantedRole::Repository),
            _ => None,
        };
        role.ok_or_else(|| self.unreadable("token's role"))
    }
}
