//! The audit log's table.
//!
//! For a user, the entries as actor and the entries as target are read with two index scans, each
//! limited to one page.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _};

use super::{CacheEffect, Database, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    Actor, AuditAction, AuditContext, AuditEntry, AuditFilter, AuditLog, Subject, User, Users as _,
};

/// The interval between deletions of old entries.
const PRUNING_MILLISECONDS: i64 = 60 * 60 * 1000;
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;
/// The maximum number of entries per result.
const MAX_ENTRIES: u32 = 1000;

impl Sqlite {
    /// Writes an audit entry, in the transaction of the change.
    pub(super) async fn record_audit(
        &self,
        transaction: &mut WriteTransaction,
        act: AuditAction,
        subject: Subject,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let (actor_name, actor_token) = match &context.actor {
            Actor::User { name, token, .. } => (Some(name), token.as_ref()),
            Actor::ServiceAccount { name, token } => (Some(name), Some(token)),
            Actor::AdminKey | Actor::Program | Actor::Nobody => (None, None),
        };
        let at = to_milliseconds(context.at);
        sqlx::query(
            "INSERT INTO audit (at, act, actor, actor_name, actor_token, address, user_name, organization, token_id,
                token_name, token_last4, repository, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(at)
        .bind(act.as_str())
        .bind(context.actor.kind())
        .bind(actor_name)
        .bind(actor_token)
        .bind(context.address.map(|address| address.to_string()))
        .bind(subject.user)
        .bind(subject.organization)
        .bind(subject.token_id)
        .bind(subject.token_name)
        .bind(subject.token_last4)
        .bind(subject.repository)
        .bind(subject.detail)
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        self.prune(transaction, at).await
    }

    /// Deletes entries that are past the retention period, at most once per interval.
    async fn prune(&self, transaction: &mut WriteTransaction, now: i64) -> Result<(), HubError> {
        let last = self.pruned.load(Ordering::Relaxed);
        if now.saturating_sub(last) < PRUNING_MILLISECONDS && last <= now {
            return Ok(());
        }
        let days = i64::from(self.audit_days.load(Ordering::Relaxed));
        sqlx::query("DELETE FROM audit WHERE at < ?")
            .bind(now.saturating_sub(days * DAY_MILLISECONDS))
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        self.pruned.store(now, Ordering::Relaxed);
        Ok(())
    }

    fn entry(&self, row: &SqliteRow) -> Result<AuditEntry, HubError> {
        let map_error = |error: sqlx::Error| self.database_error(&error);
        let word: String = row.try_get("act").map_err(map_error)?;
        let act =
            AuditAction::parse(&word).ok_or_else(|| self.unreadable("record in its audit log"))?;
        let read = || {
            Ok(AuditEntry {
                id: row.try_get("id")?,
                at: from_milliseconds(row.try_get("at")?),
                act,
                actor: row.try_get("actor")?,
                actor_name: row.try_get("actor_name")?,
                actor_token: row.try_get("actor_token")?,
                address: row.try_get("address")?,
                subject: Subject {
                    user: row.try_get("user_name")?,
                    organization: row.try_get("organization")?,
                    token_id: row.try_get("token_id")?,
                    token_name: row.try_get("token_name")?,
                    token_last4: row.try_get("token_last4")?,
                    repository: row.try_get("repository")?,
                    detail: row.try_get("detail")?,
                },
            })
        };
        read().map_err(map_error)
    }
}

fn limit(filter: &AuditFilter) -> u32 {
    filter.limit.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES)
}

/// Selects the newest entries that match a filter and, if given, have the user in that column.
fn select(
    query: &mut QueryBuilder<Database>,
    filter: &AuditFilter,
    user: Option<(&'static str, &String)>,
) {
    query.push("SELECT * FROM audit WHERE TRUE");
    let names = [
        user,
        filter.actor.as_ref().map(|name| ("actor_name", name)),
        filter
            .organization
            .as_ref()
            .map(|name| ("organization", name)),
    ];
    for (column, name) in names.into_iter().flatten() {
        query.push(" AND ").push(column).push(" = ");
        query.push_bind(name.clone());
    }
    if let Some(act) = &filter.act {
        query.push(" AND (act = ");
        query.push_bind(act.clone());
        query.push(" OR substr(act, 1, length(");
        query.push_bind(act.clone());
        query.push(") + 1) = ");
        query.push_bind(format!("{act}."));
        query.push(")");
    }
    for (condition, moment) in [(" AND at >= ", filter.since), (" AND at < ", filter.until)] {
        if let Some(moment) = moment {
            query.push(condition);
            query.push_bind(to_milliseconds(moment));
        }
    }
    if let Some(before) = filter.before {
        query.push(" AND id < ");
        query.push_bind(before);
    }
    query.push(" ORDER BY id DESC LIMIT ");
    query.push_bind(limit(filter));
}

#[async_trait]
impl AuditLog for Sqlite {
    async fn record(
        &self,
        act: AuditAction,
        subject: Subject,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let user = match &subject.user {
            Some(name) => match self.user(name).await {
                Ok(User { name, .. }) => Some(name),
                Err(HubError::UnknownUser { .. }) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        let mut transaction = self.begin_write().await?;
        let subject = Subject { user, ..subject };
        self.record_audit(&mut transaction, act, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::None).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, HubError> {
        let mut query = QueryBuilder::<Database>::new("");
        match &filter.user {
            // Each half scans its own index from the newest entry and stops at the limit, however
            // many entries the user has. `UNION` removes the duplicates.
            Some(user) => {
                query.push("SELECT * FROM (");
                select(&mut query, filter, Some(("actor_name", user)));
                query.push(") UNION SELECT * FROM (");
                select(&mut query, filter, Some(("user_name", user)));
                query.push(") ORDER BY id DESC LIMIT ");
                query.push_bind(limit(filter));
            }
            None => select(&mut query, filter, None),
        }
        let rows = query
            .build()
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        rows.iter().map(|row| self.entry(row)).collect()
    }

    fn set_audit_retention(&self, days: u32) {
        self.audit_days.store(days, Ordering::Relaxed);
    }
}
