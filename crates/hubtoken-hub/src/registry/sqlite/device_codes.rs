//! The table of device codes.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::logins::IssuedRow;
use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    AuditAction, AuditContext, DeviceCodes, DeviceExchange, DeviceRefusal, DeviceRequest,
    Exchanged, GrantedRole, IssuedLogin, LoginDecision, LoginScopes, Mint, NewDeviceCode,
    REPEAT_WINDOW, Subject,
};
use crate::secret::{self, Digest};

/// A device code as it is stored.
struct StoredCode {
    status: String,
    scopes: LoginScopes,
    expires_at: i64,
    polled_at: Option<i64>,
    exchanged_at: Option<i64>,
    /// The user who approved it.
    user: Option<(String, String)>,
}

#[async_trait]
impl DeviceCodes for Sqlite {
    async fn create_device_code(
        &self,
        new: NewDeviceCode<'_>,
        context: &AuditContext,
    ) -> Result<bool, HubError> {
        let mut transaction = self.begin_write().await?;
        self.sweep_issued(&mut transaction, context.at).await?;
        let done = sqlx::query(
            "INSERT OR IGNORE INTO device_codes (digest, user_code, client_id, granted, address, status, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)",
        )
        .bind(new.digest.as_slice())
        .bind(new.user_code.as_slice())
        .bind(new.client_id)
        .bind(new.scopes.to_stored())
        .bind(context.address.map(|address| address.to_string()))
        .bind(to_milliseconds(context.at))
        .bind(to_milliseconds(new.expires_at))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        self.commit(transaction, CacheEffect::None).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn device_request(
        &self,
        user_code: &Digest,
        now: OffsetDateTime,
    ) -> Result<Option<DeviceRequest>, HubError> {
        let row = sqlx::query(
            "SELECT * FROM device_codes WHERE user_code = ? AND status = 'pending' AND expires_at > ?",
        )
        .bind(user_code.as_slice())
        .bind(to_milliseconds(now))
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.database_error(&error))?;
        row.as_ref().map(|row| self.request(row)).transpose()
    }

    async fn decide_device_request(
        &self,
        user_code: &Digest,
        decision: LoginDecision<'_>,
        client: &str,
        context: &AuditContext,
    ) -> Result<Option<DeviceRequest>, HubError> {
        let (status, user, action) = match decision {
            LoginDecision::Approve(user) => ("approved", Some(user), AuditAction::LoginApprove),
            LoginDecision::Deny(user) => ("denied", user, AuditAction::LoginDeny),
        };
        let mut transaction = self.begin_write().await?;
        let row = sqlx::query(
            "UPDATE device_codes SET status = ?, user_id = ?
             WHERE user_code = ? AND status = 'pending' AND expires_at > ?
             RETURNING *",
        )
        .bind(status)
        .bind(user.map(|user| &user.id))
        .bind(user_code.as_slice())
        .bind(to_milliseconds(context.at))
        .fetch_optional(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let Some(row) = row else { return Ok(None) };
        let request = self.request(&row)?;
        let subject = Subject {
            token_name: Some(client.to_owned()),
            user: user.map(|user| user.name.clone()),
            ..Subject::default()
        };
        self.record_audit(&mut transaction, action, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::None).await?;
        Ok(Some(request))
    }

    async fn exchange_device_code(
        &self,
        exchange: DeviceExchange<'_>,
        mint: &Mint<'_>,
        context: &AuditContext,
    ) -> Result<Result<IssuedLogin, DeviceRefusal>, HubError> {
        let mut transaction = self.begin_write().await?;
        let Some(stored) = self.stored_code(&mut transaction, &exchange).await? else {
            return Ok(Err(DeviceRefusal::Unknown));
        };
        let now = to_milliseconds(context.at);
        if stored.status == "exchanged" {
            let exchanged_at = stored.exchanged_at.unwrap_or(i64::MIN);
            let is_recent = context.at - from_milliseconds(exchanged_at) < REPEAT_WINDOW;
            let login = self
                .repeatable_login(&mut transaction, &exchange.refresh)
                .await?;
            let Some(mut exchanged) = login.filter(|_| is_recent) else {
                let subject = Subject {
                    token_name: Some(exchange.client.to_owned()),
                    user: stored.user.map(|(_, name)| name),
                    ..Subject::default()
                };
                let subject = subject.with_detail("a device code that was used before");
                self.record_audit(&mut transaction, AuditAction::LoginRefuse, subject, context)
                    .await?;
                self.commit(transaction, CacheEffect::None).await?;
                return Ok(Err(DeviceRefusal::Used));
            };
            exchanged.at = from_milliseconds(exchanged_at);
            let issued = self
                .repeat_exchange(transaction, &exchanged, exchange.lifetimes, mint)
                .await?;
            return Ok(Ok(issued));
        }
        if stored.expires_at <= now {
            return Ok(Err(DeviceRefusal::Expired));
        }
        match (stored.status.as_str(), stored.user) {
            ("approved", Some((user_id, user_name))) => {
                let exchanged = Exchanged {
                    login_id: secret::object_id()?,
                    user_id,
                    client_id: exchange.client_id.to_owned(),
                    scopes: stored.scopes,
                    at: from_milliseconds(now),
                };
                let issued = self
                    .begin_login(
                        &mut transaction,
                        &exchange,
                        &exchanged,
                        &user_name,
                        mint,
                        context,
                    )
                    .await?;
                self.commit(transaction, CacheEffect::None).await?;
                Ok(Ok(issued))
            }
            ("denied", _) => Ok(Err(DeviceRefusal::Denied)),
            // An approval ends with its user.
            ("approved", None) => Ok(Err(DeviceRefusal::Unknown)),
            _ => {
                sqlx::query("UPDATE device_codes SET polled_at = ? WHERE digest = ?")
                    .bind(now)
                    .bind(exchange.code.as_slice())
                    .execute(transaction.connection())
                    .await
                    .map_err(|error| self.database_error(&error))?;
                self.commit(transaction, CacheEffect::None).await?;
                let is_early = stored.polled_at.is_some_and(|polled| {
                    let elapsed = context.at - from_milliseconds(polled);
                    !elapsed.is_negative() && elapsed < exchange.interval
                });
                Ok(Err(if is_early {
                    DeviceRefusal::SlowDown
                } else {
                    DeviceRefusal::Pending
                }))
            }
        }
    }
}

impl Sqlite {
    fn request(&self, row: &SqliteRow) -> Result<DeviceRequest, HubError> {
        let read = || {
            Ok((
                row.try_get("client_id")?,
                row.try_get("granted")?,
                row.try_get("address")?,
                row.try_get("created_at")?,
            ))
        };
        let (client_id, granted, address, created_at): (_, String, _, _) =
            read().map_err(|error: sqlx::Error| self.database_error(&error))?;
        Ok(DeviceRequest {
            client_id,
            scopes: LoginScopes::from_stored(&granted)
                .ok_or_else(|| self.unreadable("device code"))?,
            address,
            created_at: from_milliseconds(created_at),
        })
    }

    /// The client's device code.
    async fn stored_code(
        &self,
        transaction: &mut WriteTransaction,
        exchange: &DeviceExchange<'_>,
    ) -> Result<Option<StoredCode>, HubError> {
        let row = sqlx::query(
            "SELECT device_codes.*, users.name AS user_name FROM device_codes
             LEFT JOIN namespaces AS users ON users.id = device_codes.user_id
             WHERE digest = ? AND client_id = ?",
        )
        .bind(exchange.code.as_slice())
        .bind(exchange.client_id)
        .fetch_optional(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let Some(row) = row else { return Ok(None) };
        let read = || {
            let (id, name): (Option<String>, Option<String>) =
                (row.try_get("user_id")?, row.try_get("user_name")?);
            Ok((
                row.try_get("status")?,
                row.try_get("expires_at")?,
                row.try_get("polled_at")?,
                row.try_get("exchanged_at")?,
                id.zip(name),
            ))
        };
        let (status, expires_at, polled_at, exchanged_at, user) =
            read().map_err(|error: sqlx::Error| self.database_error(&error))?;
        Ok(Some(StoredCode {
            status,
            scopes: self.request(&row)?.scopes,
            expires_at,
            polled_at,
            exchanged_at,
            user,
        }))
    }

    /// The login that has this refresh token, if it was not used yet.
    async fn repeatable_login(
        &self,
        transaction: &mut WriteTransaction,
        refresh: &Digest,
    ) -> Result<Option<Exchanged>, HubError> {
        let row = sqlx::query(
            "SELECT tokens.* FROM refresh_tokens JOIN tokens ON tokens.id = refresh_tokens.token_id
             WHERE refresh_tokens.digest = ? AND refresh_tokens.rotated_at IS NULL",
        )
        .bind(refresh.as_slice())
        .fetch_optional(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        row.as_ref().map(|row| self.exchanged(row)).transpose()
    }

    /// Begins the login that was approved, and marks the device code as exchanged.
    async fn begin_login(
        &self,
        transaction: &mut WriteTransaction,
        exchange: &DeviceExchange<'_>,
        exchanged: &Exchanged,
        user_name: &str,
        mint: &Mint<'_>,
        context: &AuditContext,
    ) -> Result<IssuedLogin, HubError> {
        sqlx::query(
            "UPDATE device_codes SET status = 'exchanged', exchanged_at = ? WHERE digest = ?",
        )
        .bind(to_milliseconds(exchanged.at))
        .bind(exchange.code.as_slice())
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let row = IssuedRow {
            id: &exchanged.login_id,
            user_id: &exchanged.user_id,
            user_name,
            name: exchange.client,
            client_id: Some(exchange.client_id),
            role: GrantedRole::Login(exchanged.scopes.clone()),
            last4: mint(exchanged)?.last4(),
            expires_at: exchanged.at + exchange.lifetimes.refresh,
        };
        self.insert_issued(transaction, row, context).await?;
        self.finish_exchange(
            transaction,
            exchanged,
            &exchange.refresh,
            exchange.lifetimes,
            mint,
        )
        .await
    }
}
