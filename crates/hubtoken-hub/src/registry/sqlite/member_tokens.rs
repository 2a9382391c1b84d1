//! Lists the tokens of an organization's members, from the tokens, members and approvals tables.

use async_trait::async_trait;
use sqlx::Row as _;

use super::Sqlite;
use super::approvals::{SELECT, scopes_within};
use crate::error::HubError;
use crate::registry::{
    ApprovalStatus, MemberTokenStatus, MemberTokens, OrganizationRole, Organizations as _,
};

#[async_trait]
impl MemberTokens for Sqlite {
    async fn member_tokens(
        &self,
        organization: &str,
        user_id: Option<&str>,
    ) -> Result<Vec<MemberTokenStatus>, HubError> {
        let organization = self.organization(organization).await?;
        let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT);
        query.push(
            " WHERE ?2 IS NULL OR users.id = ?2
              ORDER BY users.name_key, tokens.created_at DESC, tokens.id",
        );
        let rows = query
            .build()
            .bind(&organization.id)
            .bind(user_id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        rows.iter()
            .map(|row| {
                let read = || {
                    Ok((
                        row.try_get("owner")?,
                        row.try_get("owner_role")?,
                        row.try_get("approval_status")?,
                    ))
                };
                let (user, role, status): (_, String, Option<String>) =
                    read().map_err(|error: sqlx::Error| self.database_error(&error))?;
                let token = self.token(row)?;
                Ok(MemberTokenStatus {
                    user,
                    role_in_organization: OrganizationRole::parse(&role)
                        .ok_or_else(|| self.unreadable("role of a member"))?,
                    scopes: scopes_within(&token, &organization),
                    token,
                    status: status
                        .map(|status| {
                            ApprovalStatus::parse(&status)
                                .ok_or_else(|| self.unreadable("approval"))
                        })
                        .transpose()?,
                })
            })
            .collect()
    }
}
