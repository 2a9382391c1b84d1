//! What a repository is, beside its content, which is git's.

use time::OffsetDateTime;

use super::Namespace;
use crate::role::RepositoryType;

/// How access to a gated repository is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// To whoever asks.
    Auto,
    /// By the owner, one by one.
    Manual,
}

/// A repository as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// 24 hexadecimal digits; never used again, so that a right to a deleted repository does not pass on.
    pub id: String,
    /// Model, dataset or Space.
    pub kind: RepositoryType,
    /// The id of the owning user or organization.
    pub namespace_id: String,
    /// The name of the owning user or organization.
    pub namespace: String,
    /// The name, without the namespace.
    pub name: String,
    /// The id of the user who created it.
    pub creator_id: String,
    /// Whether only the owner and its members may see it.
    pub private: bool,
    /// Whether its content is for those only who were granted access.
    pub gated: Option<Gate>,
    /// Whether the Hub refuses all access to it.
    pub disabled: bool,
    /// When it was created.
    pub created_at: OffsetDateTime,
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

/// What to do with a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GateChange {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Set this one, or none.
    Set(Option<Gate>),
}

/// Settings to change; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RepositoryChange {
    pub private: Option<bool>,
    pub gated: GateChange,
    pub disabled: Option<bool>,
}

impl GateChange {
    /// From JSON: nothing, `"auto"`, `"manual"` or `false`. `None` for anything else.
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

    /// The gate afterwards, where none was before.
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

    /// The path of its page: `namespace/name`, with `datasets/` or `spaces/` before it.
    #[must_use]
    pub fn page(&self) -> String {
        format!("{}{}/{}", self.kind.prefix(), self.namespace, self.name)
    }
}
