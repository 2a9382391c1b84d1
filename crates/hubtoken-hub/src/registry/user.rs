//! Users, and the names that they share with organizations.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::AuditContext;
use crate::error::HubError;

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The name used in URLs.
    pub name: String,
    /// The display name.
    pub fullname: String,
    /// The e-mail address, if one was given.
    pub email: Option<String>,
    /// When the account was created.
    pub created_at: OffsetDateTime,
}

/// The kind of owner of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamespaceType {
    User,
    Organization,
}

/// The first part of a repository's id: a user or an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    pub id: String,
    pub name: String,
    pub kind: NamespaceType,
}

/// The parameters of a new user, with the password already hashed.
#[derive(Clone, Debug)]
pub(crate) struct NewUser {
    pub name: String,
    pub fullname: String,
    pub email: Option<String>,
    pub password_hash: Option<String>,
}

impl NamespaceType {
    pub(crate) fn parse(kind: &str) -> Option<Self> {
        match kind {
            "user" => Some(Self::User),
            "org" => Some(Self::Organization),
            _ => None,
        }
    }
}

/// The registry's operations on users.
#[async_trait]
pub(crate) trait Users {
    /// Creates a user.
    async fn create_user(&self, new: NewUser, context: &AuditContext) -> Result<User, HubError>;

    /// The user with this name.
    async fn user(&self, name: &str) -> Result<User, HubError>;

    /// All users, by name.
    async fn users(&self) -> Result<Vec<User>, HubError>;

    /// The user or organization with this name.
    async fn namespace(&self, name: &str) -> Result<Namespace, HubError>;
}
