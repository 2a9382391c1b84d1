//! Roles, permissions and targets: what can be required, and on what.
//!
//! [`authorization`](crate::authorization) decides whether a token has it.

pub mod permission;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use permission::Spelling;

/// The role of a user access token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TokenRole {
    /// May read whatever its user can read.
    Read,
    /// May also write wherever its user can write.
    Write,
    /// May do only what its scopes list.
    FineGrained,
    /// Counts as write; known only from the Hub's specification.
    God,
    /// A role of a later Hub.
    Other(String),
}

impl TokenRole {
    /// The role for the Hub's term.
    #[must_use]
    pub fn from_wire(word: &str) -> Self {
        match word {
            "read" => Self::Read,
            "write" => Self::Write,
            "fineGrained" => Self::FineGrained,
            "god" => Self::God,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The display name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::FineGrained => "fine-grained",
            Self::God => "god",
            Self::Other(other) => other,
        }
    }
}

/// Of the display name, as it is serialized.
impl From<String> for TokenRole {
    fn from(name: String) -> Self {
        match name.as_str() {
            "fine-grained" => Self::FineGrained,
            other => Self::from_wire(other),
        }
    }
}

impl From<TokenRole> for String {
    fn from(role: TokenRole) -> Self {
        role.name().to_owned()
    }
}

/// The role of a user in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum OrganizationRole {
    /// May also manage the organization.
    Admin,
    /// May write to every repository.
    Write,
    /// May create repositories and write to those.
    Contributor,
    /// May read every repository.
    Read,
    /// May read only what is public.
    NoAccess,
    /// A role of a later Hub.
    Other(String),
}

impl OrganizationRole {
    /// The role for the Hub's term.
    #[must_use]
    pub fn from_wire(word: &str) -> Self {
        match word {
            "admin" => Self::Admin,
            "write" => Self::Write,
            "contributor" => Self::Contributor,
            "read" => Self::Read,
            "no_access" => Self::NoAccess,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The Hub's term.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Admin => "admin",
            Self::Write => "write",
            Self::Contributor => "contributor",
            Self::Read => "read",
            Self::NoAccess => "no_access",
            Self::Other(other) => other,
        }
    }
}

impl From<String> for OrganizationRole {
    fn from(name: String) -> Self {
        Self::from_wire(&name)
    }
}

impl From<OrganizationRole> for String {
    fn from(role: OrganizationRole) -> Self {
        role.name().to_owned()
    }
}

/// The two roles that can be required: `read` < `write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Read content.
    Read,
    /// Change content.
    Write,
}

impl Role {
    /// Parses a role.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for anything but `read` and `write`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(Error::InvalidArgument(
                "a role is \"read\" or \"write\"; use require_permission for a finer right"
                    .to_owned(),
            )),
        }
    }

    /// The role's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The permission that a fine-grained token needs for this role.
    #[must_use]
    pub fn permission(self) -> &'static str {
        match self {
            Self::Read => READ,
            Self::Write => WRITE,
        }
    }
}

/// The Hub's permission to read a repository's content.
pub const READ: &str = "repo.content.read";
/// The Hub's permission to write to a repository; it includes reading.
pub const WRITE: &str = "repo.write";

/// What a `read` token may do although the permission's name does not end in `.read`: the Hub's
/// documentation lists inference among the uses of a read token.
const ALSO_READ: [&str; 2] = [
    "inference.serverless.write",
    "inference.endpoints.infer.write",
];

/// What is required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Required {
    /// A role.
    Role(Role),
    /// One of the Hub's permission strings.
    Permission(String),
}

impl Required {
    /// Parses a permission. Its spelling is checked later, when the token's scopes are known: what
    /// they list counts as granted.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for text that cannot be a permission: the Hub's permissions are
    /// words separated by dots.
    pub fn permission_named(text: &str) -> Result<Self, Error> {
        if permission::is_well_formed(text) {
            return Ok(Self::Permission(text.to_owned()));
        }
        Err(permission::malformed(text))
    }

    /// The permission that was most likely meant, if the given one is not known to hubtoken.
    #[must_use]
    pub fn suggestion(&self) -> Option<&'static str> {
        match self {
            Self::Role(_) => None,
            Self::Permission(name) => match permission::spelling(name) {
                Spelling::Misspelled(suggestion) => Some(suggestion),
                Spelling::Known | Spelling::Unfamiliar => None,
            },
        }
    }

    /// The role that is equivalent on a repository, if there is one.
    #[must_use]
    pub fn as_role(&self) -> Option<Role> {
        match self {
            Self::Role(role) => Some(*role),
            Self::Permission(permission) if permission == READ => Some(Role::Read),
            Self::Permission(permission) if permission == WRITE => Some(Role::Write),
            Self::Permission(_) => None,
        }
    }

    /// The name of the role or permission.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Role(role) => role.name(),
            Self::Permission(permission) => permission,
        }
    }

    pub(crate) fn permission(&self) -> &str {
        match self {
            Self::Role(role) => role.permission(),
            Self::Permission(permission) => permission,
        }
    }

    pub(crate) fn changes_something(&self) -> bool {
        match self {
            Self::Role(role) => *role == Role::Write,
            Self::Permission(permission) => {
                permission.rsplit('.').next() != Some("read")
                    && !ALSO_READ.contains(&permission.as_str())
            }
        }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
