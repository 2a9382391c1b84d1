//! The table of service accounts' tokens.

use std::sync::OnceLock;
use std::sync::atomic::AtomicI64;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::tokens::redacted;
use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    AccountGrants, AccountToken, AccountTokenChange, AccountTokens, AuditAction, AuditContext,
    CreatedAccountToken, Entity, EntityType, Organization, Organizations as _, Principal,
    RepositoryType, ServiceAccount, Subject, TokenInfo, TokenOwner,
};
use crate::secret::{self, Digest, Secret};

/// The name that the real Hub gives a token without one.
const DEFAULT_TOKEN_NAME: &str = "API Token";

/// Selects a token, its account, and the account's organization.
const SELECT_TOKEN: &str = "SELECT tokens.*, accounts.id AS account_id, accounts.user_name AS account_user,
        accounts.name AS account_name, accounts.description AS account_description,
        accounts.created_at AS account_created_at,
        organizations.id AS organization_id, organizations.name AS organization_name,
        organizations.fullname AS organization_fullname, organizations.created_at AS organization_created_at
    FROM service_account_tokens AS tokens
    JOIN service_accounts AS accounts ON accounts.id = tokens.account_id
    JOIN namespaces AS organizations ON organizations.id = accounts.organization_id
    WHERE tokens.digest = ?";

impl Sqlite {
    /// The principal of a service account's token.
    pub(super) async fn account_principal(
        &self,
        digest: &Digest,
    ) -> Result<Option<Principal>, HubError> {
        let row = sqlx::query(SELECT_TOKEN)
            .bind(digest.as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        let Some(row) = row else {
            return Ok(None);
        };
        let account = self.account_and_organization(&row)?;
        let token = self.account_token(&row, &account.organization)?.info;
        Ok(Some(Principal {
            owner: TokenOwner::ServiceAccount(account),
            memberships: Vec::new(),
            restrictions: Vec::new(),
            token,
            whoami: OnceLock::new(),
            last_touched: AtomicI64::new(i64::MIN),
        }))
    }

    /// Deletes the token with this digest; returns whether a service account has it.
    pub(super) async fn revoke_account_token(
        &self,
        transaction: &mut WriteTransaction,
        digest: &Digest,
        context: &AuditContext,
    ) -> Result<bool, HubError> {
        let row = sqlx::query(SELECT_TOKEN)
            .bind(digest.as_slice())
            .fetch_optional(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        let Some(row) = row else {
            return Ok(false);
        };
        let account = self.account_and_organization(&row)?;
        let token = self.account_token(&row, &account.organization)?;
        self.remove_account_token(transaction, &token).await?;
        let subject = subject(&account, &token);
        self.record_audit(transaction, AuditAction::TokenRevoke, subject, context)
            .await?;
        Ok(true)
    }

    pub(super) fn account_token(
        &self,
        row: &SqliteRow,
        organization: &Organization,
    ) -> Result<AccountToken, HubError> {
        let map_error = |error| self.database_error(&error);
        let grants: String = row.try_get("grants").map_err(map_error)?;
        let grants: AccountGrants = serde_json::from_str(&grants)
            .map_err(|_| self.unreadable("service account's token"))?;
        let read = || {
            Ok(TokenInfo {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                role: grants.role(organization),
                last4: row.try_get("last4")?,
                created_at: from_milliseconds(row.try_get("created_at")?),
                last_used_at: row
                    .try_get::<Option<i64>, _>("last_used_at")?
                    .map(from_milliseconds),
                expires_at: None,
                inference_requests: 0,
            })
        };
        let info = read().map_err(map_error)?;
        Ok(AccountToken { info, grants })
    }

    async fn find_account_token(
        &self,
        transaction: &mut WriteTransaction,
        account: &ServiceAccount,
        token: &str,
    ) -> Result<AccountToken, HubError> {
        let row =
            sqlx::query("SELECT * FROM service_account_tokens WHERE account_id = ? AND id = ?")
                .bind(&account.id)
                .bind(token)
                .fetch_optional(transaction.connection())
                .await
                .map_err(|error| self.database_error(&error))?;
        match row {
            Some(row) => self.account_token(&row, &account.organization),
            None => Err(HubError::UnknownAccountToken {
                account: account.name.clone(),
                token: redacted(token),
            }),
        }
    }

    async fn remove_account_token(
        &self,
        transaction: &mut WriteTransaction,
        token: &AccountToken,
    ) -> Result<(), HubError> {
        sqlx::query("DELETE FROM service_account_tokens WHERE id = ?")
            .bind(&token.info.id)
            .execute(transaction.connection())
            .await
            .map(|_| ())
            .map_err(|error| self.database_error(&error))
    }

    /// The repositories with these ids. Each must belong to the organization or be public; whether
    /// another one exists is not revealed.
    async fn repositories_to_grant(
        &self,
        transaction: &mut WriteTransaction,
        organization: &Organization,
        ids: &[String],
    ) -> Result<Vec<Entity>, HubError> {
        let mut entities = Vec::with_capacity(ids.len());
        for id in ids {
            let row = sqlx::query(
                "SELECT repositories.kind, namespaces.name || '/' || repositories.name AS full_name
                 FROM repositories JOIN namespaces ON namespaces.id = repositories.namespace_id
                 WHERE repositories.id = ?1 AND (repositories.namespace_id = ?2 OR NOT repositories.private)",
            )
            .bind(id)
            .bind(&organization.id)
            .fetch_optional(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
            let Some(row) = row else {
                return Err(HubError::InvalidToken {
                    reason: format!(
                        "`{}` has no repository with the id {id}, and no public one has it",
                        organization.name
                    ),
                });
            };
            let read = || Ok((row.try_get::<String, _>(0)?, row.try_get(1)?));
            let (kind, name) = read().map_err(|error: sqlx::Error| self.database_error(&error))?;
            let kind = match RepositoryType::parse(&kind) {
                Some(RepositoryType::Model) => EntityType::Model,
                Some(RepositoryType::Dataset) => EntityType::Dataset,
                Some(RepositoryType::Space) => EntityType::Space,
                None => return Err(self.unreadable("repository type")),
            };
            entities.push(Entity {
                id: id.clone(),
                kind,
                name,
            });
        }
        Ok(entities)
    }

    /// Applies a change to a token that is not stored yet, or is about to be stored again.
    async fn apply_change(
        &self,
        transaction: &mut WriteTransaction,
        account: &ServiceAccount,
        token: &mut AccountToken,
        mut change: AccountTokenChange,
    ) -> Result<String, HubError> {
        let repositories = match &change.repository_ids {
            Some(ids) => Some(
                self.repositories_to_grant(transaction, &account.organization, ids)
                    .await?,
            ),
            None => None,
        };
        if let Some(name) = change.name.take() {
            token.info.name = name;
        }
        change.apply(&mut token.grants, repositories);
        token.info.role = token.grants.role(&account.organization);
        serde_json::to_string(&token.grants).map_err(|error| HubError::InvalidToken {
            reason: error.to_string(),
        })
    }
}

/// A token of an account, for the audit log.
fn subject(account: &ServiceAccount, token: &AccountToken) -> Subject {
    Subject::token(&account.user, &token.info).in_organization(&account.organization.name)
}

#[async_trait]
impl AccountTokens for Sqlite {
    async fn create_account_token(
        &self,
        organization: &str,
        account: &str,
        new: AccountTokenChange,
        context: &AuditContext,
    ) -> Result<CreatedAccountToken, HubError> {
        let new = new.checked()?;
        let organization = self.organization(organization).await?;
        let value = Secret::app_token()?;
        let grants = AccountGrants::default();
        let mut token = AccountToken {
            info: TokenInfo {
                id: secret::object_id()?,
                name: DEFAULT_TOKEN_NAME.to_owned(),
                role: grants.role(&organization),
                last4: value.last4(),
                created_at: from_milliseconds(to_milliseconds(context.at)),
                last_used_at: None,
                expires_at: None,
                inference_requests: 0,
            },
            grants,
        };
        let mut transaction = self.begin_write().await?;
        let account = self
            .account_to_change(&mut transaction, &organization, account, context)
            .await?;
        let stored = self
            .apply_change(&mut transaction, &account, &mut token, new)
            .await?;
        sqlx::query(
            "INSERT INTO service_account_tokens (id, account_id, name, grants, digest, last4, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&token.info.id)
        .bind(&account.id)
        .bind(&token.info.name)
        .bind(stored)
        .bind(value.digest().as_slice())
        .bind(&token.info.last4)
        .bind(to_milliseconds(token.info.created_at))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let subject = subject(&account, &token).with_detail(token.grants.summary());
        self.record_audit(&mut transaction, AuditAction::TokenCreate, subject, context)
            .await?;
        // A new token has never been used, so it is not in the cache.
        self.commit(transaction, CacheEffect::None).await?;
        Ok(CreatedAccountToken { value, token })
    }

    async fn change_account_token(
        &self,
        organization: &str,
        account: &str,
        token: &str,
        change: AccountTokenChange,
        context: &AuditContext,
    ) -> Result<AccountToken, HubError> {
        let change = change.checked()?;
        let organization = self.organization(organization).await?;
        let mut transaction = self.begin_write().await?;
        let account = self
            .account_to_change(&mut transaction, &organization, account, context)
            .await?;
        let before = self
            .find_account_token(&mut transaction, &account, token)
            .await?;
        let mut token = before.clone();
        let stored = self
            .apply_change(&mut transaction, &account, &mut token, change)
            .await?;
        if token == before {
            return Ok(before);
        }
        sqlx::query("UPDATE service_account_tokens SET name = ?, grants = ? WHERE id = ?")
            .bind(&token.info.name)
            .bind(stored)
            .bind(&token.info.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        if token.info.name != before.info.name {
            let subject =
                subject(&account, &token).with_detail(format!("was {}", before.info.name));
            self.record_audit(&mut transaction, AuditAction::TokenRename, subject, context)
                .await?;
        }
        if token.grants != before.grants {
            let subject = subject(&account, &token).with_detail(token.grants.summary());
            self.record_audit(&mut transaction, AuditAction::TokenChange, subject, context)
                .await?;
        }
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await?;
        Ok(token)
    }

    async fn rotate_account_token(
        &self,
        organization: &str,
        account: &str,
        token: &str,
        context: &AuditContext,
    ) -> Result<CreatedAccountToken, HubError> {
        let organization = self.organization(organization).await?;
        let value = Secret::app_token()?;
        let mut transaction = self.begin_write().await?;
        let account = self
            .account_to_change(&mut transaction, &organization, account, context)
            .await?;
        let mut token = self
            .find_account_token(&mut transaction, &account, token)
            .await?;
        token.info.last4 = value.last4();
        token.info.last_used_at = None;
        sqlx::query(
            "UPDATE service_account_tokens SET digest = ?, last4 = ?, last_used_at = NULL WHERE id = ?",
        )
        .bind(value.digest().as_slice())
        .bind(&token.info.last4)
        .bind(&token.info.id)
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let subject = subject(&account, &token);
        self.record_audit(
            &mut transaction,
            AuditAction::TokenRefresh,
            subject,
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await?;
        Ok(CreatedAccountToken { value, token })
    }

    async fn delete_account_token(
        &self,
        organization: &str,
        account: &str,
        token: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let organization = self.organization(organization).await?;
        let mut transaction = self.begin_write().await?;
        let account = self
            .account_to_change(&mut transaction, &organization, account, context)
            .await?;
        let token = self
            .find_account_token(&mut transaction, &account, token)
            .await?;
        self.remove_account_token(&mut transaction, &token).await?;
        let subject = subject(&account, &token);
        self.record_audit(&mut transaction, AuditAction::TokenDelete, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }
}
