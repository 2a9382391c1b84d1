//! Organizations and their members.

use async_trait::async_trait;
use sqlx::Row as _;

use super::approval_requests::ApprovalScope;
use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    AuditAction, AuditContext, Membership, Organization, OrganizationRole, Organizations, Subject,
    Users as _,
};
use crate::{names, secret};

#[async_trait]
impl Organizations for Sqlite {
    async fn create_organization(
        &self,
        name: &str,
        fullname: &str,
        context: &AuditContext,
    ) -> Result<Organization, HubError> {
        names::check_namespace("an organization", name)?;
        names::check_text("a full name", fullname)?;
        let id = secret::object_id()?;
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "INSERT INTO namespaces (id, kind, name, name_key, fullname, created_at) VALUES (?, 'org', ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(name)
        .bind(names::key(name))
        .bind(fullname)
        .bind(to_milliseconds(context.at))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.name_taken_or(&error, name))?;
        let subject = Subject::organization(name);
        self.record_audit(
            &mut transaction,
            AuditAction::OrganizationCreate,
            subject,
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::None).await?;
        let created_at = from_milliseconds(to_milliseconds(context.at));
        Ok(Organization {
            id,
            name: name.to_owned(),
            fullname: fullname.to_owned(),
            created_at,
        })
    }

    async fn organizations(&self) -> Result<Vec<Organization>, HubError> {
        sqlx::query("SELECT id, name, fullname, created_at FROM namespaces WHERE kind = 'org' ORDER BY name_key")
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(organization).collect())
            .map_err(|error| self.database_error(&error))
    }

    async fn organization(&self, name: &str) -> Result<Organization, HubError> {
        sqlx::query("SELECT id, name, fullname, created_at FROM namespaces WHERE name_key = ? AND kind = 'org'")
            .bind(names::key(name))
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| row.as_ref().map(organization).transpose())
            .map_err(|error| self.database_error(&error))?
            .ok_or_else(|| HubError::UnknownOrganization { name: name.to_owned() })
    }

    async fn set_member(
        &self,
        organization: &str,
        user: &str,
        role: OrganizationRole,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        self.change_member(organization, user, Some(role), false, context)
            .await
    }

    async fn remove_member(
        &self,
        organization: &str,
        user: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        self.change_member(organization, user, None, false, context)
            .await
    }

    async fn change_member_keeping_an_admin(
        &self,
        organization: &str,
        user: &str,
        role: Option<OrganizationRole>,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        self.change_member(organization, user, role, true, context)
            .await
    }

    async fn members(
        &self,
        organization: &str,
    ) -> Result<Vec<(String, OrganizationRole)>, HubError> {
        let organization = self.organization(organization).await?;
        let rows = sqlx::query(
            "SELECT namespaces.name, members.role FROM members JOIN namespaces ON namespaces.id = members.user_id
             WHERE members.organization_id = ? ORDER BY namespaces.name_key",
        )
        .bind(&organization.id)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.database_error(&error))?;
        rows.iter()
            .map(|row| {
                let read = || Ok((row.try_get(0)?, row.try_get::<String, _>(1)?));
                let (name, role) = read().map_err(|error| self.database_error(&error))?;
                Ok((
                    name,
                    OrganizationRole::parse(&role).ok_or_else(|| self.unreadable("role"))?,
                ))
            })
            .collect()
    }

    async fn memberships(&self, user_id: &str) -> Result<Vec<Membership>, HubError> {
        let rows = sqlx::query(
            "SELECT namespaces.id, namespaces.name, namespaces.fullname, namespaces.created_at, members.role
             FROM members JOIN namespaces ON namespaces.id = members.organization_id
             WHERE members.user_id = ? ORDER BY namespaces.name_key",
        )
        .bind(user_id)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.database_error(&error))?;
        rows.iter()
            .map(|row| {
                let read = || Ok((organization(row)?, row.try_get::<String, _>("role")?));
                let (organization, role) =
                    read().map_err(|error: sqlx::Error| self.database_error(&error))?;
                let role = OrganizationRole::parse(&role).ok_or_else(|| self.unreadable("role"))?;
                Ok(Membership { organization, role })
            })
            .collect()
    }
}

impl Sqlite {
    /// Sets a member's role, or removes the member for `None`. With `keeps_an_admin`, fails if no
    /// administrator would be left.
    async fn change_member(
        &self,
        organization: &str,
        user: &str,
        role: Option<OrganizationRole>,
        keeps_an_admin: bool,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let organization = self.organization(organization).await?;
        let user = self.user(user).await?;
        // All in one transaction. Otherwise, two administrators could remove each other at the same
        // time.
        let mut transaction = self.begin_write().await?;
        let query = match role {
            Some(role) => sqlx::query(
                "INSERT INTO members (organization_id, user_id, role) VALUES (?, ?, ?)
                 ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role
                 WHERE role <> excluded.role",
            )
            .bind(&organization.id)
            .bind(&user.id)
            .bind(role.as_str()),
            None => sqlx::query("DELETE FROM members WHERE organization_id = ? AND user_id = ?")
                .bind(&organization.id)
                .bind(&user.id),
        };
        let done = query
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        if keeps_an_admin && self.admins(&mut transaction, &organization).await? == 0 {
            return Err(HubError::LastAdmin {
                organization: organization.name,
            });
        }
        let subject = Subject::user(&user.name).in_organization(&organization.name);
        if let Some(role) = role {
            let subject = subject.with_detail(role.as_str());
            self.record_audit(&mut transaction, AuditAction::MemberSet, subject, context)
                .await?;
            let scope = ApprovalScope::Member(&organization.id, &user.id);
            self.request_approvals(&mut transaction, scope, context)
                .await?;
        } else {
            // A member who rejoins must request approval again, but revocations remain.
            sqlx::query(
                "DELETE FROM approvals WHERE organization_id = ? AND status <> 'revoked'
                    AND token_id IN (SELECT id FROM tokens WHERE user_id = ?)",
            )
            .bind(&organization.id)
            .bind(&user.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
            self.record_audit(
                &mut transaction,
                AuditAction::MemberRemove,
                subject,
                context,
            )
            .await?;
        }
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }

    async fn admins(
        &self,
        transaction: &mut WriteTransaction,
        organization: &Organization,
    ) -> Result<i64, HubError> {
        sqlx::query("SELECT count(*) FROM members WHERE organization_id = ? AND role = 'admin'")
            .bind(&organization.id)
            .fetch_one(transaction.connection())
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|error| self.database_error(&error))
    }
}

fn organization(row: &sqlx::sqlite::SqliteRow) -> Result<Organization, sqlx::Error> {
    Ok(Organization {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        fullname: row.try_get("fullname")?,
        created_at: from_milliseconds(row.try_get("created_at")?),
    })
}
