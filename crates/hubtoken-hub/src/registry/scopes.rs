//! What a token may do: its role, and the scopes of a fine-grained token.
//!
//! A scope is requested by its entity's name and stored by its entity's id. A token for
//! `alice/tiny` therefore does not apply to another repository that takes over the name after the
//! first one is deleted.

use serde::{Deserialize, Serialize};

use super::LoginScopes;
use crate::error::HubError;
use hubtoken_core::role::permission::{self, Spelling};

/// The role requested for a new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRole {
    /// Read access to whatever its user may read.
    Read,
    /// Also write access, wherever its user may write.
    Write,
    /// What its scopes allow, limited to what its user may do.
    FineGrained {
        /// The permissions per entity.
        scopes: Vec<Scope>,
        /// Permissions that are not tied to an entity, such as `discussion.write`.
        global: Vec<String>,
        /// Whether it may read the public gated repositories that its user may read.
        can_read_gated_repos: bool,
    },
}

/// Permissions on one entity, identified by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// `alice` (a user or an organization), `alice/tiny` (a model), `datasets/alice/x` or
    /// `spaces/alice/x`.
    pub entity: String,
    /// The permissions, such as `repo.content.read` and `repo.write`.
    pub permissions: Vec<String>,
}

/// A token's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantedRole {
    /// Read access to whatever its user may read.
    Read,
    /// Also write access, wherever its user may write.
    Write,
    /// What its scopes allow.
    FineGrained(FineGrained),
    /// What the scopes of an OAuth login allow.
    Login(LoginScopes),
    /// Write access to one repository, and nothing else.
    Repository(Entity),
}

/// What a fine-grained token may do, as whoami returns it and as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FineGrained {
    /// Whether it may read the public gated repositories that its user may read.
    pub can_read_gated_repos: bool,
    /// Permissions that are not tied to an entity.
    pub global: Vec<String>,
    /// Permissions on entities.
    pub scoped: Vec<GrantedScope>,
}

/// Permissions on one entity, identified by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedScope {
    /// The entity.
    pub entity: Entity,
    /// The permissions.
    pub permissions: Vec<String>,
}

/// An entity that permissions can apply to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// 24 hexadecimal digits.
    #[serde(rename = "_id")]
    pub id: String,
    /// User, organization, or a repository type.
    #[serde(rename = "type")]
    pub kind: EntityType,
    /// Its name when the token was created.
    pub name: String,
}

/// The kinds of entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityType {
    /// A user.
    User,
    /// An organization.
    Org,
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// A Space.
    Space,
}

impl GrantedRole {
    /// The name that the Hub uses. The last two are this Hub's own: the real one shows no role for
    /// such tokens.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::FineGrained(_) => "fineGrained",
            Self::Login(_) => "oauth",
            Self::Repository(_) => "repository",
        }
    }
}

impl Entity {
    /// The name as a scope is requested: prefixed with `datasets/` or `spaces/` where applicable.
    #[must_use]
    pub fn path(&self) -> String {
        match self.kind {
            EntityType::User | EntityType::Org | EntityType::Model => self.name.clone(),
            EntityType::Dataset => format!("datasets/{}", self.name),
            EntityType::Space => format!("spaces/{}", self.name),
        }
    }
}

impl FineGrained {
    /// All permissions of the token, across its entities and globally.
    fn permissions(&self) -> impl Iterator<Item = &String> {
        self.scoped
            .iter()
            .flat_map(|scope| &scope.permissions)
            .chain(&self.global)
    }
}

impl GrantedRole {
    /// Rejects misspelled permissions. A name that the token already has, on any entity, is
    /// accepted.
    pub(super) fn check_spelling(&self, present: Option<&Self>) -> Result<(), HubError> {
        let Self::FineGrained(fine) = self else {
            return Ok(());
        };
        let present = match present {
            Some(Self::FineGrained(present)) => Some(present),
            _ => None,
        };
        match fine
            .permissions()
            .find_map(|name| misspelling(name, present))
        {
            Some((name, suggestion)) => Err(HubError::MisspelledPermission {
                name: name.to_owned(),
                suggestion,
            }),
            None => Ok(()),
        }
    }
}

/// Returns the name and the likely intended one if the name is misspelled and the token does not
/// already have it.
pub(crate) fn misspelling<'a>(
    name: &'a str,
    present: Option<&FineGrained>,
) -> Option<(&'a str, &'static str)> {
    let Spelling::Misspelled(suggestion) = permission::spelling(name) else {
        return None;
    };
    let is_present = present.is_some_and(|fine| fine.permissions().any(|listed| listed == name));
    (!is_present).then_some((name, suggestion))
}

pub(super) fn check_permissions(permissions: &[String]) -> Result<(), HubError> {
    for permission in permissions {
        if !permission::is_well_formed(permission) {
            if let Some((_, suggestion)) = misspelling(permission, None) {
                return Err(HubError::MisspelledPermission {
                    name: permission.escape_debug().to_string(),
                    suggestion,
                });
            }
            return Err(HubError::InvalidPermission {
                name: permission.escape_debug().take(100).collect(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_scopes_have_the_form_of_whoami() {
        let entity = Entity {
            id: "a".repeat(24),
            kind: EntityType::Org,
            name: "acme".to_owned(),
        };
        let scope = GrantedScope {
            entity,
            permissions: vec!["repo.write".to_owned()],
        };
        let fine = FineGrained {
            can_read_gated_repos: true,
            global: vec![],
            scoped: vec![scope],
        };
        let json = serde_json::to_value(&fine).unwrap();
        assert_eq!(json["scoped"][0]["entity"]["_id"], "a".repeat(24));
        assert_eq!(json["scoped"][0]["entity"]["type"], "org");
        assert_eq!(json["canReadGatedRepos"], true);
        assert_eq!(serde_json::from_value::<FineGrained>(json).unwrap(), fine);
    }

    #[test]
    fn permissions_are_words() {
        assert!(
            check_permissions(&[
                "inference.serverless.write".to_owned(),
                "sql-console.embed.write".to_owned()
            ])
            .is_ok()
        );
        for bad in ["", "write", "a b", "a.b\n", "a.é"] {
            assert!(check_permissions(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_misspelling_is_refused_unless_the_token_has_it() {
        let role = |permission: &str| {
            GrantedRole::FineGrained(FineGrained {
                global: vec![permission.to_owned()],
                ..FineGrained::default()
            })
        };
        let slip = role("repo.wirte");
        let refused = slip.check_spelling(None);
        assert!(matches!(
            refused,
            Err(HubError::MisspelledPermission { name, suggestion: "repo.write" }) if name == "repo.wirte"
        ));
        assert!(slip.check_spelling(Some(&GrantedRole::Write)).is_err());
        assert!(slip.check_spelling(Some(&role("repo.writ"))).is_err());
        assert!(slip.check_spelling(Some(&slip)).is_ok());
        for fine in ["repo.write", "repo.read", "quantum.entangle"] {
            assert!(role(fine).check_spelling(None).is_ok(), "{fine}");
        }
        assert!(GrantedRole::Write.check_spelling(None).is_ok());
    }
}
