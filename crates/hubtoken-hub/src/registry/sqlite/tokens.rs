//! The tokens table.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row as _;
use time::OffsetDateTime;

use super::approval_requests::ApprovalScope;
use super::principal_cache::is_expired;
use super::rows::PRINCIPAL;
use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::names;
use crate::registry::{
    AuditAction, AuditContext, CreatedToken, GrantedRole, NewToken, Principal, Subject, TokenInfo,
    TokenRole, Tokens, User, Users as _,
};
use crate::secret::{self, Digest, Secret};

#[async_trait]
impl Tokens for Sqlite {
    async fn create_token(
        &self,
        user: &str,
        new: NewToken,
        context: &AuditContext,
    ) -> Result<CreatedToken, HubError> {
        names::check_token(&new.name)?;
        if new.expires_at.is_some_and(|expiry| expiry <= context.at) {
            return Err(HubError::InvalidToken {
                reason: "it would have expired already".to_owned(),
            });
        }
        let user = self.user(user).await?;
        let role = self.resolve_role(new.role).await?;
        role.check_spelling(None)?;
        let value = Secret::access_token()?;
        let whole = |moment| from_milliseconds(to_milliseconds(moment));
        let info = TokenInfo {
            id: secret::object_id()?,
            name: new.name,
            role,
            last4: value.last4(),
            created_at: whole(context.at),
            last_used_at: None,
            expires_at: new.expires_at.map(whole),
            inference_requests: 0,
        };
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "INSERT INTO tokens (id, user_id, name, role, fine_grained, digest, last4, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&info.id)
        .bind(&user.id)
        .bind(&info.name)
        .bind(info.role.as_str())
        .bind(stored_scopes(&info.role)?)
        .bind(value.digest().as_slice())
        .bind(&info.last4)
        .bind(to_milliseconds(info.created_at))
        .bind(info.expires_at.map(to_milliseconds))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let subject = Subject::token(&user.name, &info).with_detail(info.role.as_str());
        self.record_audit(&mut transaction, AuditAction::TokenCreate, subject, context)
            .await?;
        self.request_approvals(&mut transaction, ApprovalScope::Token(&info.id), context)
            .await?;
        // A new token has never been used, so it is not in the cache.
        self.commit(transaction, CacheEffect::None).await?;
        Ok(CreatedToken { value, info })
    }

    async fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError> {
        let user = self.user(user).await?;
        let rows = sqlx::query("SELECT * FROM tokens WHERE user_id = ? AND kind = 'user'")
            .bind(&user.id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        let tokens = rows.iter().map(|row| self.token(row));
        let mut tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        // Not sorted in SQL, where SQLite would move entire rows.
        tokens.sort_unstable_by(|left, right| {
            (left.created_at, &left.id).cmp(&(right.created_at, &right.id))
        });
        Ok(tokens)
    }

    async fn rename_token(
        &self,
        user: &str,
        wanted: &str,
        name: &str,
        context: &AuditContext,
    ) -> Result<TokenInfo, HubError> {
        names::check_token(name)?;
        let owner = self.user(user).await?;
        let mut transaction = self.begin_write().await?;
        let mut found = self.find_token(&mut transaction, &owner, wanted).await?;
        sqlx::query("UPDATE tokens SET name = ? WHERE id = ?")
            .bind(name)
            .bind(&found.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        let before = std::mem::replace(&mut found.name, name.to_owned());
        let subject = Subject::token(&owner.name, &found).with_detail(format!("was {before}"));
        self.record_audit(&mut transaction, AuditAction::TokenRename, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await?;
        Ok(found)
    }

    async fn change_token(
        &self,
        user: &str,
        wanted: &str,
        role: TokenRole,
        context: &AuditContext,
    ) -> Result<TokenInfo, HubError> {
        let owner = self.user(user).await?;
        let role = self.resolve_role(role).await?;
        let mut transaction = self.begin_write().await?;
        let mut found = self.find_token(&mut transaction, &owner, wanted).await?;
        if found.role == role {
            return Ok(found);
        }
        role.check_spelling(Some(&found.role))?;
        sqlx::query("UPDATE tokens SET role = ?, fine_grained = ? WHERE id = ?")
            .bind(role.as_str())
            .bind(stored_scopes(&role)?)
            .bind(&found.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        found.role = role;
        let subject = Subject::token(&owner.name, &found).with_detail(found.role.as_str());
        self.record_audit(&mut transaction, AuditAction::TokenChange, subject, context)
            .await?;
        self.renew_approvals(&mut transaction, &found.id, context)
            .await?;
        self.request_approvals(&mut transaction, ApprovalScope::Token(&found.id), context)
            .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await?;
        Ok(found)
    }

    async fn refresh_token(
        &self,
        user: &str,
        wanted: &str,
        context: &AuditContext,
    ) -> Result<CreatedToken, HubError> {
        let owner = self.user(user).await?;
        let value = Secret::access_token()?;
        let mut transaction = self.begin_write().await?;
        let mut info = self.find_token(&mut transaction, &owner, wanted).await?;
        sqlx::query("UPDATE tokens SET digest = ?, last4 = ?, last_used_at = NULL WHERE id = ?")
            .bind(value.digest().as_slice())
            .bind(value.last4())
            .bind(&info.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        info.last4 = value.last4();
        info.last_used_at = None;
        let subject = Subject::token(&owner.name, &info);
        self.record_audit(
            &mut transaction,
            AuditAction::TokenRefresh,
            subject,
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await?;
        Ok(CreatedToken { value, info })
    }

    async fn delete_token(
        &self,
        user: &str,
        wanted: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let owner = self.user(user).await?;
        let mut transaction = self.begin_write().await?;
        let found = self.find_token(&mut transaction, &owner, wanted).await?;
        self.remove_token(&mut transaction, &found.id).await?;
        let subject = Subject::token(&owner.name, &found);
        self.record_audit(&mut transaction, AuditAction::TokenDelete, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }

    async fn revoke(&self, digests: &[Digest], context: &AuditContext) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        let mut is_changed = false;
        for digest in digests {
            let row = sqlx::query(
                "SELECT tokens.*, namespaces.name AS owner FROM tokens
                 JOIN namespaces ON namespaces.id = tokens.user_id
                 WHERE tokens.id IN (
                    SELECT id FROM tokens WHERE digest = ?1
                    UNION ALL SELECT token_id FROM access_tokens WHERE digest = ?1
                    UNION ALL SELECT token_id FROM refresh_tokens WHERE digest = ?1
                 )",
            )
            .bind(digest.as_slice())
            .fetch_optional(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
            let Some(row) = row else {
                is_changed |= self
                    .revoke_account_token(&mut transaction, digest, context)
                    .await?;
                continue;
            };
            let found = self.token(&row)?;
            let owner: String = row
                .try_get("owner")
                .map_err(|error| self.database_error(&error))?;
            self.remove_token(&mut transaction, &found.id).await?;
            let subject = Subject::token(&owner, &found);
            self.record_audit(&mut transaction, AuditAction::TokenRevoke, subject, context)
                .await?;
            is_changed = true;
        }
        if is_changed {
            self.commit(transaction, CacheEffect::InvalidatePrincipals)
                .await?;
        }
        Ok(())
    }

    fn cached_principal(&self, digest: &Digest, now: OffsetDateTime) -> Option<Arc<Principal>> {
        self.principal_cache.get(digest, now).ok().flatten()
    }

    async fn authenticate(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
    ) -> Result<Option<Arc<Principal>>, HubError> {
        let generation = match self.principal_cache.get(digest, now) {
            Ok(answer) => return Ok(answer),
            Err(generation) => generation,
        };
        let rows = sqlx::query(PRINCIPAL)
            .bind(digest.as_slice())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        let principal = match self.principal(&rows)? {
            Some(principal) => principal,
            None => match self.account_principal(digest).await? {
                Some(principal) => principal,
                None => return Ok(None),
            },
        };
        if is_expired(&principal, now) {
            return Ok(None);
        }
        let principal = Arc::new(principal);
        self.principal_cache
            .insert_current(digest, &principal, generation);
        Ok(Some(principal))
    }

    async fn touch_token(&self, id: &str, now: OffsetDateTime) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        for statement in [
            "UPDATE tokens SET last_used_at = ? WHERE id = ?",
            "UPDATE service_account_tokens SET last_used_at = ? WHERE id = ?",
        ] {
            let done = sqlx::query(statement)
                .bind(to_milliseconds(now))
                .bind(id)
                .execute(transaction.connection())
                .await
                .map_err(|error| self.database_error(&error))?;
            if done.rows_affected() > 0 {
                break;
            }
        }
        self.commit(transaction, CacheEffect::None).await
    }

    async fn count_inference(&self, counted: &HashMap<String, u64>) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        for (id, count) in counted {
            sqlx::query(
                "UPDATE tokens SET inference_requests = inference_requests + ? WHERE id = ?",
            )
            .bind(i64::try_from(*count).unwrap_or(i64::MAX))
            .bind(id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        }
        self.commit(transaction, CacheEffect::None).await
    }
}

impl Sqlite {
    /// Looks for an id first: it is exact, and a name that looks like an id must not shadow it.
    async fn find_token(
        &self,
        transaction: &mut WriteTransaction,
        owner: &User,
        wanted: &str,
    ) -> Result<TokenInfo, HubError> {
        let rows = sqlx::query(
            "SELECT * FROM tokens WHERE user_id = ?1 AND kind = 'user' AND (id = ?2 OR name = ?2)
             ORDER BY created_at, id",
        )
        .bind(&owner.id)
        .bind(wanted)
        .fetch_all(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let mut named = rows
            .iter()
            .map(|row| self.token(row))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(token) = named.iter().find(|token| token.id == wanted) {
            return Ok(token.clone());
        }
        match named.len() {
            0 => Err(HubError::UnknownToken {
                user: owner.name.clone(),
                token: redacted(wanted),
            }),
            1 => Ok(named.remove(0)),
            _ => Err(HubError::AmbiguousToken {
                user: owner.name.clone(),
                name: wanted.to_owned(),
                ids: named.into_iter().map(|token| token.id).collect(),
            }),
        }
    }

    pub(super) async fn remove_token(
        &self,
        transaction: &mut WriteTransaction,
        id: &str,
    ) -> Result<(), HubError> {
        sqlx::query("DELETE FROM tokens WHERE id = ?")
            .bind(id)
            .execute(transaction.connection())
            .await
            .map(|_| ())
            .map_err(|error| self.database_error(&error))
    }
}

/// A fine-grained token's scopes, as the table stores them.
fn stored_scopes(role: &GrantedRole) -> Result<Option<String>, HubError> {
    match role {
        GrantedRole::FineGrained(fine) => {
            serde_json::to_string(fine)
                .map(Some)
                .map_err(|error| HubError::InvalidToken {
                    reason: error.to_string(),
                })
        }
        GrantedRole::Read
        | GrantedRole::Write
        | GrantedRole::Login(_)
        | GrantedRole::Repository(_) => Ok(None),
    }
}

/// The name to show in a message. People paste a token's value where its name is expected, and the
/// value must not be echoed.
pub(super) fn redacted(wanted: &str) -> String {
    if wanted.starts_with("hf_") {
        "hf_\u{2026}".to_owned()
    } else if wanted.starts_with("hubtoken_admin_") {
        "hubtoken_admin_\u{2026}".to_owned()
    } else {
        wanted.chars().filter(|each| !each.is_control()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn a_value_in_place_of_a_name_is_not_repeated() {
        assert_eq!(redacted(&format!("hf_{}", "a".repeat(34))), "hf_…");
        assert_eq!(redacted("ci\n"), "ci");
    }
}
