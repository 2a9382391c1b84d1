//! Organizations, and who is a member of them in which role.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Origin;
use crate::error::HubError;

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

/// What the registry knows of organizations.
#[async_trait]
pub(crate) trait Organizations {
    /// Creates an organization, without members.
    async fn create_organization(
        &self,
        name: &str,
        fullname: &str,
        origin: &Origin,
    ) -> Result<Organization, HubError>;

    /// All organizations by name.
    async fn organizations(&self) -> Result<Vec<Organization>, HubError>;

    /// The organization of that name.
    async fn organization(&self, name: &str) -> Result<Organization, HubError>;

    /// Makes the user a member, or changes the role of one.
    async fn set_member(
        &self,
        organization: &str,
        user: &str,
        role: OrganizationRole,
        origin: &Origin,
    ) -> Result<(), HubError>;

    /// Removes a member; one who is none stays none.
    async fn remove_member(
        &self,
        organization: &str,
        user: &str,
        origin: &Origin,
    ) -> Result<(), HubError>;

    /// Changes a member's role, or removes the member for `None`, unless nobody would be left who could take it back.
    async fn change_member_keeping_an_admin(
        &self,
        organization: &str,
        user: &str,
        role: Option<OrganizationRole>,
        origin: &Origin,
    ) -> Result<(), HubError>;

    /// The members of an organization by name.
    async fn members(
        &self,
        organization: &str,
    ) -> Result<Vec<(String, OrganizationRole)>, HubError>;

    /// The organizations that a user is a member of, by name.
    async fn memberships(&self, user_id: &str) -> Result<Vec<Membership>, HubError>;
}
