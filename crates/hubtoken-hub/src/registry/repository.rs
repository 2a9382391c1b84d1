//! Repository metadata. The content is stored in git.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{AuditContext, Namespace};
use crate::error::HubError;
use hubtoken_core::repository::RepositoryType;

/// How access to a gated repository is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Automatically, for every user who requests it.
    Auto,
    /// By the owner, for each user individually.
    Manual,
}

/// A repository's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// 24 hexadecimal digits. Never reused, so that rights to a deleted repository do not carry
    /// over to another.
    pub id: String,
    /// Model, dataset or Space.
    pub kind: RepositoryType,
    /// The id of the owning user or organization.
    pub namespace_id: String,
    /// The name of the owning user or organization.
    pub namespace: String,
    /// The name without the namespace.
    pub name: String,
    /// The id of the user who created it.
    pub creator_id: String,
    /// Whether only the owner (or the organization's members) may see it.
    pub private: bool,
    /// Whether, and how, access to its content must be granted.
    pub gated: Option<Gate>,
    /// Whether the Hub refuses all access to it.
    pub disabled: bool,
    /// When it was created.
    pub created_at: OffsetDateTime,
}

#[cfg(any(test, feature = "fuzzing"))]
impl Repository {
    /// The private model `alice/x`, for tests that need any repository.
    pub(crate) fn example(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: RepositoryType::Model,
            namespace_id: "a1".to_owned(),
            namespace: "alice".to_owned(),
            name: "x".to_owned(),
            creator_id: "a1".to_owned(),
            private: true,
            gated: None,
            disabled: false,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }
}

/// What is needed to register a repository.
#[derive(Clone, Debug)]
pub(crate) struct NewRepository<'a> {
    pub id: &'a str,
    pub kind: RepositoryType,
    pub namespace: &'a Namespace,
    pub name: &'a str,
    pub creator_id: &'a str,
    pub private: bool,
    pub gated: Option<Gate>,
}

/// A change to a repository's gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GateChange {
    /// Leave it as is.
    #[default]
    Keep,
    /// Set the gate, or remove it.
    Set(Option<Gate>),
}

/// The settings to change. `None` leaves a setting as is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RepositoryChange {
    pub private: Option<bool>,
    pub gated: GateChange,
    pub disabled: Option<bool>,
}

impl GateChange {
    /// Parses JSON: absent, `"auto"`, `"manual"` or `false`. Returns `None` for anything else.
    pub(crate) fn from_json(value: Option<&serde_json::Value>) -> Option<Self> {
        match value {
            None => Some(Self::Keep),
            Some(serde_json::Value::Bool(false)) => Some(Self::Set(None)),
            Some(serde_json::Value::String(gate)) => {
                Gate::parse(gate).map(|gate| Self::Set(Some(gate)))
            }
            Some(_) => None,
        }
    }

    /// The resulting gate of a repository that had none.
    pub(crate) fn gate(self) -> Option<Gate> {
        match self {
            Self::Keep => None,
            Self::Set(gate) => gate,
        }
    }
}

impl Gate {
    /// `auto` or `manual`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }

    /// Reads `auto` or `manual`.
    #[must_use]
    pub fn parse(gate: &str) -> Option<Self> {
        [Self::Auto, Self::Manual]
            .into_iter()
            .find(|each| each.as_str() == gate)
    }
}

impl Repository {
    /// `namespace/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The path of its page: `namespace/name`, prefixed with `datasets/` or `spaces/` where
    /// applicable.
    #[must_use]
    pub fn page(&self) -> String {
        format!("{}{}/{}", self.kind.prefix(), self.namespace, self.name)
    }
}

/// The registry's operations on repositories and on access to gated ones.
#[async_trait]
pub(crate) trait Repositories {
    /// Registers a repository whose folder already exists.
    async fn create_repository(
        &self,
        new: NewRepository<'_>,
        context: &AuditContext,
    ) -> Result<Repository, HubError>;

    /// The repository with this name, if it exists.
    async fn find_repository(
        &self,
        kind: RepositoryType,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Repository>, HubError>;

    /// The repository with this name.
    async fn repository(
        &self,
        kind: RepositoryType,
        namespace: &str,
        name: &str,
    ) -> Result<Repository, HubError>;

    /// All repositories, newest first.
    async fn repositories(&self) -> Result<Vec<Repository>, HubError>;

    /// Changes only the given settings, so that concurrent changes do not overwrite each other.
    async fn update_repository(
        &self,
        id: &str,
        change: RepositoryChange,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Deletes a repository's record. Returns whether it existed.
    async fn delete_repository(&self, id: &str, context: &AuditContext) -> Result<bool, HubError>;

    /// Grants a user access to a gated repository.
    async fn grant(
        &self,
        repository_id: &str,
        user_id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Revokes that access.
    async fn revoke_grant(
        &self,
        repository_id: &str,
        user_id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Whether a user was granted access.
    async fn is_granted(&self, repository_id: &str, user_id: &str) -> Result<bool, HubError>;

    /// The names of all users who were granted access.
    async fn grants(&self, repository_id: &str) -> Result<Vec<String>, HubError>;
}
