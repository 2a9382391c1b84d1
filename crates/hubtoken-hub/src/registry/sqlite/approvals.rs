//! Token policies, and the approvals table.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::approval_requests::ApprovalScope;
use super::tokens::redacted;
use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    Actor, Approval, ApprovalStatus, Approvals, AuditAction, AuditContext, Decision, GrantedRole,
    GrantedScope, MemberToken, Organization, Organizations as _, Subject, TokenInfo, TokenPolicy,
};

/// The columns needed to list a member's token or decide about it.
pub(super) const SELECT: &str = "SELECT tokens.*, users.name AS owner, members.role AS owner_role, approvals.status AS approval_status,
        approvals.asked_at AS approval_asked_at, approvals.decided_at AS approval_decided_at,
        approvals.decided_by AS approval_decided_by
    FROM tokens
    JOIN namespaces AS users ON users.id = tokens.user_id
    JOIN members ON members.user_id = users.id AND members.organization_id = ?1
    LEFT JOIN approvals ON approvals.token_id = tokens.id AND approvals.organization_id = ?1";

impl Sqlite {
    /// Checks, within the transaction, that a user who changes an organization administers it.
    pub(super) async fn check_administrator(
        &self,
        transaction: &mut WriteTransaction,
        organization: &Organization,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let (id, name) = match &context.actor {
            Actor::User { id, name, .. } => (id, name),
            Actor::ServiceAccount { name, .. } => {
                return Err(not_administrator(name, organization));
            }
            Actor::Nobody => return Err(not_administrator("nobody", organization)),
            Actor::AdminKey | Actor::Program => return Ok(()),
        };
        let found = sqlx::query(
            "SELECT 1 FROM members WHERE organization_id = ? AND user_id = ? AND role = 'admin'",
        )
        .bind(&organization.id)
        .bind(id)
        .fetch_optional(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        found
            .map(|_| ())
            .ok_or_else(|| not_administrator(name, organization))
    }

    /// Finds the token among those of the organization's members.
    async fn find_member_token(
        &self,
        transaction: &mut WriteTransaction,
        organization: &Organization,
        token: MemberToken<'_>,
    ) -> Result<SqliteRow, HubError> {
        let map_error = |error| self.database_error(&error);
        let mut rows = match token {
            MemberToken::Value(digest) => {
                let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT);
                query.push(
                    " WHERE tokens.id IN (
                        SELECT id FROM tokens WHERE digest = ?2
                        UNION ALL SELECT token_id FROM access_tokens WHERE digest = ?2
                     )",
                );
                query
                    .build()
                    .bind(&organization.id)
                    .bind(digest.as_slice())
                    .fetch_all(transaction.connection())
                    .await
            }
            MemberToken::IdOrName(wanted) => {
                let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT);
                query.push(
                    " WHERE tokens.id = ?2 OR (tokens.name = ?2 AND approvals.status IS NOT NULL)
                      ORDER BY tokens.id = ?2 DESC",
                );
                query
                    .build()
                    .bind(&organization.id)
                    .bind(wanted)
                    .fetch_all(transaction.connection())
                    .await
            }
        }
        .map_err(map_error)?;
        let ids = rows
            .iter()
            .map(|row| row.try_get("id"))
            .collect::<Result<Vec<String>, _>>()
            .map_err(map_error)?;
        let is_exact = match token {
            MemberToken::Value(_) => true,
            MemberToken::IdOrName(wanted) => ids.first().is_some_and(|id| id == wanted),
        };
        match (token, rows.len()) {
            (_, 0) => Err(HubError::UnknownMemberToken {
                organization: organization.name.clone(),
                token: match token {
                    MemberToken::Value(_) => "hf_\u{2026}".to_owned(),
                    MemberToken::IdOrName(wanted) => redacted(wanted),
                },
            }),
            (MemberToken::IdOrName(name), 2..) if !is_exact => Err(HubError::AmbiguousToken {
                user: organization.name.clone(),
                name: name.to_owned(),
                ids,
            }),
            _ => Ok(rows.swap_remove(0)),
        }
    }

    fn approval(&self, row: &SqliteRow, organization: &Organization) -> Result<Approval, HubError> {
        let token = self.token(row)?;
        let read = || {
            Ok((
                row.try_get("owner")?,
                row.try_get::<Option<String>, _>("approval_status")?,
                row.try_get::<Option<i64>, _>("approval_asked_at")?,
                row.try_get::<Option<i64>, _>("approval_decided_at")?,
                row.try_get("approval_decided_by")?,
            ))
        };
        let (user, status, asked_at, decided_at, decided_by) =
            read().map_err(|error: sqlx::Error| self.database_error(&error))?;
        let status = status
            .as_deref()
            .and_then(ApprovalStatus::parse)
            .ok_or_else(|| self.unreadable("approval"))?;
        Ok(Approval {
            user,
            scopes: scopes_within(&token, organization),
            token,
            status,
            asked_at: from_milliseconds(asked_at.unwrap_or_default()),
            decided_at: decided_at.map(from_milliseconds),
            decided_by,
        })
    }
}

/// A token's scopes on an organization and its repositories. Its scopes elsewhere are not disclosed
/// to the organization. Matching by prefix is safe because a repository's name starts with its
/// owner's, and neither changes.
pub(super) fn scopes_within(token: &TokenInfo, organization: &Organization) -> Vec<GrantedScope> {
    let prefix = format!("{}/", organization.name);
    match &token.role {
        GrantedRole::FineGrained(fine) => fine
            .scoped
            .iter()
            .filter(|scope| {
                scope.entity.id == organization.id || scope.entity.name.starts_with(&prefix)
            })
            .cloned()
            .collect(),
        GrantedRole::Read
        | GrantedRole::Write
        | GrantedRole::Login(_)
        | GrantedRole::Repository(_) => Vec::new(),
    }
}

fn not_administrator(user: &str, organization: &Organization) -> HubError {
    HubError::NotAdministrator {
        user: user.to_owned(),
        organization: organization.name.clone(),
    }
}

#[async_trait]
impl Approvals for Sqlite {
    async fn token_policy(&self, organization: &str) -> Result<TokenPolicy, HubError> {
        let organization = self.organization(organization).await?;
        let policy: String = sqlx::query("SELECT token_policy FROM namespaces WHERE id = ?")
            .bind(&organization.id)
            .fetch_one(&self.pool)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|error| self.database_error(&error))?;
        TokenPolicy::parse(&policy).ok_or_else(|| self.unreadable("token policy"))
    }

    async fn set_token_policy(
        &self,
        organization: &str,
        policy: TokenPolicy,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let organization = self.organization(organization).await?;
        let mut transaction = self.begin_write().await?;
        self.check_administrator(&mut transaction, &organization, context)
            .await?;
        let done = sqlx::query(
            "UPDATE namespaces SET token_policy = ?1 WHERE id = ?2 AND token_policy <> ?1",
        )
        .bind(policy.as_str())
        .bind(&organization.id)
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        let subject = Subject::organization(&organization.name).with_detail(policy.as_str());
        self.record_audit(&mut transaction, AuditAction::PolicySet, subject, context)
            .await?;
        self.request_approvals(
            &mut transaction,
            ApprovalScope::Organization(&organization.id),
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }

    async fn approvals(&self, organization: &str) -> Result<Vec<Approval>, HubError> {
        let organization = self.organization(organization).await?;
        let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT);
        query.push(
            " WHERE approvals.status IS NOT NULL
              ORDER BY approvals.status = 'pending' DESC, approvals.asked_at DESC, tokens.id",
        );
        let rows = query
            .build()
            .bind(&organization.id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        rows.iter()
            .map(|row| self.approval(row, &organization))
            .collect()
    }

    async fn request_approval(
        &self,
        organization_id: &str,
        token_id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        let rows = sqlx::query(
            "INSERT OR IGNORE INTO approvals (organization_id, token_id, status, asked_at)
             SELECT members.organization_id, tokens.id, 'pending', ?1 FROM tokens
             JOIN members ON members.user_id = tokens.user_id
             WHERE members.organization_id = ?2 AND tokens.id = ?3
             RETURNING organization_id, token_id",
        )
        .bind(to_milliseconds(context.at))
        .bind(organization_id)
        .bind(token_id)
        .fetch_all(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        if rows.is_empty() {
            return Ok(());
        }
        self.record_approval_requests(&mut transaction, &rows, context)
            .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }

    async fn decide(
        &self,
        organization: &str,
        token: MemberToken<'_>,
        decision: Decision,
        context: &AuditContext,
    ) -> Result<Approval, HubError> {
        let organization = self.organization(organization).await?;
        let mut transaction = self.begin_write().await?;
        self.check_administrator(&mut transaction, &organization, context)
            .await?;
        let row = self
            .find_member_token(&mut transaction, &organization, token)
            .await?;
        let found = self.token(&row)?;
        let read = || {
            Ok((
                row.try_get("user_id")?,
                row.try_get("owner")?,
                row.try_get::<Option<String>, _>("approval_status")?,
            ))
        };
        let (owner_id, owner, status): (String, String, _) =
            read().map_err(|error: sqlx::Error| self.database_error(&error))?;
        if decision == Decision::Revoke
            && matches!(&context.actor, Actor::User { id, .. } if *id == owner_id)
        {
            return Err(HubError::OwnToken);
        }
        let status = status.as_deref().and_then(ApprovalStatus::parse);
        if status == Some(decision.status()) {
            return self.approval(&row, &organization);
        }
        if decision == Decision::Deny
            && matches!(
                status,
                Some(ApprovalStatus::Approved | ApprovalStatus::Revoked)
            )
        {
            return Err(HubError::AlreadyDecided {
                token: found.name,
                status: status.map_or("", ApprovalStatus::as_str),
            });
        }
        sqlx::query(
            "INSERT INTO approvals (organization_id, token_id, status, asked_at, decided_at, decided_by)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5)
             ON CONFLICT (organization_id, token_id) DO UPDATE
                SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by",
        )
        .bind(&organization.id)
        .bind(&found.id)
        .bind(decision.status().as_str())
        .bind(to_milliseconds(context.at))
        .bind(context.actor.label())
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let act = match decision {
            Decision::Approve => AuditAction::ApprovalApprove,
            Decision::Deny => AuditAction::ApprovalDeny,
            Decision::Revoke => AuditAction::ApprovalRevoke,
        };
        let subject = Subject::token(&owner, &found).in_organization(&organization.name);
        self.record_audit(&mut transaction, act, subject, context)
            .await?;
        let row = self
            .find_member_token(
                &mut transaction,
                &organization,
                MemberToken::IdOrName(&found.id),
            )
            .await?;
        let approval = self.approval(&row, &organization)?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await?;
        Ok(approval)
    }
}
