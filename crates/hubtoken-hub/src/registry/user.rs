//! Users, and the names that they share with organizations.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Origin;
use crate::error::HubError;

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The name in URLs.
    pub name: String,
    /// The name for people.
    pub fullname: String,
    /// The e-mail address, if one was given.
    pub email: Option<String>,
    /// When the account was created.
    pub created_at: OffsetDateTime,
}

/// What a namespace belongs to.
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

/// What is needed to create a user; the password is hashed already.
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

/// What the registry knows of people.
#[async_trait]
pub(crate) trait Users {
    /// Creates a user.
    async fn create_user(&self, new: NewUser, origin: &Origin) -> Result<User, HubError>;

    /// The user of that name.
    async fn user(&self, name: &str) -> Result<User, HubError>;

    /// All users by name.
    async fn users(&self) -> Result<Vec<User>, HubError>;

    /// The user or organization of that name.
    async fn namespace(&self, name: &str) -> Result<Namespace, HubError>;
}
