//! Organizations, and who is a member of them in which role.

use sqlx::Row as _;
use time::OffsetDateTime;

use super::Registry;
use crate::hub::clock::{from_milliseconds, to_milliseconds};
use crate::hub::error::HubError;
use crate::hub::{names, secret};

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The name in URLs.
    pub name: String,
    /// The name for people.
    pub fullname: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
}

/// What a member may do in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationRole {
    /// Everything.
    Admin,
    /// Create, change and delete every repository.
    Write,
    /// Read every repository, create some, and change one's own creations.
    Contributor,
    /// Read every repository.
    Read,
    /// Nothing that the public may not do as well.
    NoAccess,
}

/// A user's place in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// The user's role in it.
    pub role: OrganizationRole,
}

impl OrganizationRole {
    /// All of them, the most powerful first.
    pub const ALL: [Self; 5] = [
        Self::Admin,
        Self::Write,
        Self::Contributor,
        Self::Read,
        Self::NoAccess,
    ];

    /// The Hub's own spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Write => "write",
            Self::Contributor => "contributor",
            Self::Read => "read",
            Self::NoAccess => "no_access",
        }
    }

    /// Reads the Hub's own spelling.
    #[must_use]
    pub fn parse(role: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == role)
    }
}

impl Registry {
    pub(crate) async fn create_organization(
        &self,
        name: &str,
        fullname: &str,
        now: OffsetDateTime,
    ) -> Result<Organization, HubError> {
        names::check_namespace("an organization", name)?;
        names::check_text("a full name", fullname)?;
        let id = secret::object_id()?;
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO namespaces (id, kind, name, name_key, fullname, created_at) VALUES (?, 'org', ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(name)
        .bind(names::key(name))
        .bind(fullname)
        .bind(to_milliseconds(now))
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.taken(&error, name))?;
        self.commit(transaction).await?;
        let created_at = from_milliseconds(to_milliseconds(now));
        Ok(Organization {
            id,
            name: name.to_owned(),
            fullname: fullname.to_owned(),
            created_at,
        })
    }

    pub(crate) async fn organizations(&self) -> Result<Vec<Organization>, HubError> {
        sqlx::query("SELECT id, name, fullname, created_at FROM namespaces WHERE kind = 'org' ORDER BY name_key")
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(organization).collect())
            .map_err(|error| self.fault(&error))
    }

    pub(crate) async fn organization(&self, name: &str) -> Result<Organization, HubError> {
        sqlx::query("SELECT id, name, fullname, created_at FROM namespaces WHERE name_key = ? AND kind = 'org'")
            .bind(names::key(name))
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| row.as_ref().map(organization).transpose())
            .map_err(|error| self.fault(&error))?
            .ok_or_else(|| HubError::UnknownOrganization { name: name.to_owned() })
    }

    /// Makes the user a member, or changes the role of one.
    pub(crate) async fn set_member(
        &self,
        organization: &str,
        user: &str,
        role: OrganizationRole,
    ) -> Result<(), HubError> {
        let organization = self.organization(organization).await?;
        let user = self.user(user).await?;
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO members (organization_id, user_id, role) VALUES (?, ?, ?)
             ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role",
        )
        .bind(&organization.id)
        .bind(&user.id)
        .bind(role.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    /// Removes a member; one who is none stays none.
    pub(crate) async fn remove_member(
        &self,
        organization: &str,
        user: &str,
    ) -> Result<(), HubError> {
        let organization = self.organization(organization).await?;
        let user = self.user(user).await?;
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM members WHERE organization_id = ? AND user_id = ?")
            .bind(&organization.id)
            .bind(&user.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    /// Changes a member's role, or removes the member for `None`, unless nobody would be left who could take it back.
    pub(crate) async fn change_member_keeping_an_admin(
        &self,
        organization: &Organization,
        user: &str,
        role: Option<OrganizationRole>,
    ) -> Result<(), HubError> {
        let user = self.user(user).await?;
        // Both in one transaction, or two admins could each send the other away at the same moment.
        let mut transaction = self.write().await?;
        let query = match role {
            Some(role) => sqlx::query(
                "INSERT INTO members (organization_id, user_id, role) VALUES (?1, ?2, ?3)
                 ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role",
            )
            .bind(&organization.id)
            .bind(&user.id)
            .bind(role.as_str()),
            None => sqlx::query("DELETE FROM members WHERE organization_id = ?1 AND user_id = ?2")
                .bind(&organization.id)
                .bind(&user.id),
        };
        query
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        let admins: i64 = sqlx::query(
            "SELECT count(*) FROM members WHERE organization_id = ? AND role = 'admin'",
        )
        .bind(&organization.id)
        .fetch_one(&mut *transaction)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|error| self.fault(&error))?;
        if admins == 0 {
            return Err(HubError::LastAdmin {
                organization: organization.name.clone(),
            });
        }
        self.commit(transaction).await
    }

    /// The members of an organization by name.
    pub(crate) async fn members(
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
        .map_err(|error| self.fault(&error))?;
        rows.iter()
            .map(|row| {
                let read = || Ok((row.try_get(0)?, row.try_get::<String, _>(1)?));
                let (name, role) = read().map_err(|error| self.fault(&error))?;
                Ok((
                    name,
                    OrganizationRole::parse(&role).ok_or_else(|| self.unreadable("role"))?,
                ))
            })
            .collect()
    }

    /// The organizations that a user is a member of.
    pub(crate) async fn memberships(&self, user_id: &str) -> Result<Vec<Membership>, HubError> {
        let rows = sqlx::query(
            "SELECT namespaces.id, namespaces.name, namespaces.fullname, namespaces.created_at, members.role
             FROM members JOIN namespaces ON namespaces.id = members.organization_id
             WHERE members.user_id = ? ORDER BY namespaces.name_key",
        )
        .bind(user_id)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.fault(&error))?;
        rows.iter()
            .map(|row| {
                let read = || Ok((organization(row)?, row.try_get::<String, _>("role")?));
                let (organization, role) =
                    read().map_err(|error: sqlx::Error| self.fault(&error))?;
                let role = OrganizationRole::parse(&role).ok_or_else(|| self.unreadable("role"))?;
                Ok(Membership { organization, role })
            })
            .collect()
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
