//! Creates approval requests, in the same transaction as the change that made approval necessary.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Sqlite, WriteTransaction};
use crate::clock::to_milliseconds;
use crate::error::HubError;
use crate::registry::{AuditAction, AuditContext, Subject};

/// The tokens and organizations for which to file requests.
#[derive(Clone, Copy, Debug)]
pub(super) enum ApprovalScope<'a> {
    /// This token, in all organizations.
    Token(&'a str),
    /// All tokens, in this organization.
    Organization(&'a str),
    /// All tokens of one member, in one organization: organization, user.
    Member(&'a str, &'a str),
}

impl Sqlite {
    /// Files the missing requests: one for each organization that requires approval and on which
    /// (or on whose repositories) a fine-grained token has a scope.
    pub(super) async fn request_approvals(
        &self,
        transaction: &mut WriteTransaction,
        scope: ApprovalScope<'_>,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let (token, organization, user) = match scope {
            ApprovalScope::Token(token) => (Some(token), None, None),
            ApprovalScope::Organization(organization) => (None, Some(organization), None),
            ApprovalScope::Member(organization, user) => (None, Some(organization), Some(user)),
        };
        let rows = sqlx::query(
            "INSERT OR IGNORE INTO approvals (organization_id, token_id, status, asked_at)
             SELECT organizations.id, tokens.id, 'pending', ?1
             FROM tokens
             JOIN members ON members.user_id = tokens.user_id
             JOIN namespaces AS organizations ON organizations.id = members.organization_id
             WHERE (?2 IS NULL OR tokens.id = ?2)
                AND (?3 IS NULL OR organizations.id = ?3)
                AND (?4 IS NULL OR tokens.user_id = ?4)
                AND organizations.token_policy = 'require-approval'
                AND members.role <> 'admin'
                AND tokens.role = 'fineGrained'
                AND EXISTS (
                    SELECT 1 FROM json_each(tokens.fine_grained, '$.scoped') AS scope
                    WHERE json_extract(scope.value, '$.entity._id') = organizations.id
                        OR json_extract(scope.value, '$.entity._id') IN (
                            SELECT id FROM repositories WHERE namespace_id = organizations.id
                        )
                )
             RETURNING organization_id, token_id",
        )
        .bind(to_milliseconds(context.at))
        .bind(token)
        .bind(organization)
        .bind(user)
        .fetch_all(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        self.record_approval_requests(transaction, &rows, context)
            .await
    }

    /// Resets decisions to pending after a token's permissions changed: the decision was about the
    /// old ones.
    pub(super) async fn renew_approvals(
        &self,
        transaction: &mut WriteTransaction,
        token_id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let rows = sqlx::query(
            "UPDATE approvals SET status = 'pending', asked_at = ?, decided_at = NULL, decided_by = NULL
             WHERE token_id = ? AND status IN ('approved', 'denied')
             RETURNING organization_id, token_id",
        )
        .bind(to_milliseconds(context.at))
        .bind(token_id)
        .fetch_all(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        self.record_approval_requests(transaction, &rows, context)
            .await
    }

    /// Logs an approval request for each (organization, token) row.
    pub(super) async fn record_approval_requests(
        &self,
        transaction: &mut WriteTransaction,
        rows: &[SqliteRow],
        context: &AuditContext,
    ) -> Result<(), HubError> {
        for row in rows {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?));
            let (organization, token): (String, String) =
                read().map_err(|error: sqlx::Error| self.database_error(&error))?;
            let found = sqlx::query(
                "SELECT tokens.*, users.name AS owner, organizations.name AS organization FROM tokens
                 JOIN namespaces AS users ON users.id = tokens.user_id
                 JOIN namespaces AS organizations ON organizations.id = ?
                 WHERE tokens.id = ?",
            )
            .bind(&organization)
            .bind(&token)
            .fetch_one(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
            let read = || Ok((found.try_get("owner")?, found.try_get("organization")?));
            let (owner, organization): (String, String) =
                read().map_err(|error: sqlx::Error| self.database_error(&error))?;
            let subject =
                Subject::token(&owner, &self.token(&found)?).in_organization(&organization);
            self.record_audit(transaction, AuditAction::ApprovalRequest, subject, context)
                .await?;
        }
        Ok(())
    }
}
