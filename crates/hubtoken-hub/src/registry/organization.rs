//! Organizations, their members, and the members' roles.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::AuditContext;
use crate::error::HubError;

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The name used in URLs.
    pub name: String,
    /// The display name.
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
    /// Read every repository, create repositories, and change those they created.
    Contributor,
    /// Read every repository.
    Read,
    /// Only what the public may do.
    NoAccess,
}

/// A user's membership in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// The user's role in it.
    pub role: OrganizationRole,
}

impl OrganizationRole {
    /// All roles, most powerful first.
    pub const ALL: [Self; 5] = [
        Self::Admin,
        Self::Write,
        Self::Contributor,
        Self::Read,
        Self::NoAccess,
    ];

    /// The name that the Hub uses.
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

    /// Parses the name that the Hub uses.
    #[must_use]
    pub fn parse(role: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == role)
    }

    /// The names of all roles, for an error message: `"admin", … or "no_access"`.
    #[must_use]
    pub fn choices() -> String {
        let [others @ .., last] = Self::ALL.map(|role| format!("{:?}", role.as_str()));
        format!("{} or {last}", others.join(", "))
    }
}

/// The registry's operations on organizations.
#[async_trait]
pub(crate) trait Organizations {
    /// Creates an organization without members.
    async fn create_organization(
        &self,
        name: &str,
        fullname: &str,
        context: &AuditContext,
    ) -> Result<Organization, HubError>;

    /// All organizations, by name.
    async fn organizations(&self) -> Result<Vec<Organization>, HubError>;

    /// The organization with this name.
    async fn organization(&self, name: &str) -> Result<Organization, HubError>;

    /// Adds the user as a member, or changes an existing member's role.
    async fn set_member(
        &self,
        organization: &str,
        user: &str,
        role: OrganizationRole,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Removes a member. Does nothing for a user who is not a member.
    async fn remove_member(
        &self,
        organization: &str,
        user: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Changes a member's role, or removes the member for `None`. Fails if that would leave the
    /// organization without an administrator.
    async fn change_member_keeping_an_admin(
        &self,
        organization: &str,
        user: &str,
        role: Option<OrganizationRole>,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// The members of an organization, by name.
    async fn members(
        &self,
        organization: &str,
    ) -> Result<Vec<(String, OrganizationRole)>, HubError>;

    /// The organizations that a user is a member of, by name.
    async fn memberships(&self, user_id: &str) -> Result<Vec<Membership>, HubError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_written_and_parsed_alike() {
        for role in OrganizationRole::ALL {
            assert_eq!(OrganizationRole::parse(role.as_str()), Some(role));
        }
        assert_eq!(OrganizationRole::parse("Admin"), None);
        assert_eq!(
            OrganizationRole::choices(),
            "\"admin\", \"write\", \"contributor\", \"read\" or \"no_access\""
        );
    }
}
