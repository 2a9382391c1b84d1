//! The tokens of service accounts, and what each may do.
//!
//! A token has permissions on the whole organization, and for single repositories other ones that
//! replace them. To the rest of the Hub it is a fine-grained token.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    AuditContext, Entity, EntityType, FineGrained, GrantedRole, GrantedScope, Organization,
    TokenInfo,
};
use crate::error::HubError;
use crate::names;
use crate::secret::Secret;
use hubtoken_core::role::permission::{self, Spelling};

/// The permissions that a token may have on the whole organization.
pub(crate) const ORGANIZATION_PERMISSIONS: [&str; 13] = [
    "repo.content.read",
    "repo.write",
    "inference.serverless.write",
    "inference.endpoints.infer.write",
    "inference.endpoints.write",
    "org.read",
    "org.write",
    "collection.read",
    "collection.write",
    "resourceGroup.write",
    "job.write",
    "org.serviceAccounts.read",
    "org.serviceAccounts.write",
];
/// The permissions that a token may have on single repositories.
pub(crate) const REPOSITORY_PERMISSIONS: [&str; 2] = ["repo.content.read", "repo.write"];
/// The maximum number of single repositories. The real Hub documents none.
const MAX_REPOSITORIES: usize = 1000;
const MAX_PATTERNS: usize = 20;
const MAX_PATTERN_LENGTH: usize = 256;
/// A service account's token, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountToken {
    pub info: TokenInfo,
    pub grants: AccountGrants,
}

/// A service account's token with its value, which is shown only once.
#[derive(Clone, Debug)]
pub(crate) struct CreatedAccountToken {
    pub value: Secret,
    pub token: AccountToken,
}

/// What a service account's token may do, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountGrants {
    /// Permissions on the whole organization.
    pub permissions: Vec<String>,
    /// The repositories for which `repository_permissions` apply instead. The names are those that
    /// they had when the token got them.
    pub repositories: Vec<Entity>,
    pub repository_permissions: Vec<String>,
    /// The inference endpoints that the permissions for endpoints are limited to. This Hub has no
    /// endpoints, and only keeps the patterns.
    pub endpoint_patterns: Vec<String>,
    /// Whether it is exempt from network security, which this Hub does not have.
    pub skip_network_security: bool,
}

/// The new properties of a token. Those that are `None` stay, or have the Hub's defaults in a new
/// token.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountTokenChange {
    pub name: Option<String>,
    pub permissions: Option<Vec<String>>,
    pub repository_ids: Option<Vec<String>>,
    pub repository_permissions: Option<Vec<String>>,
    pub endpoint_patterns: Option<Vec<String>>,
    pub skip_network_security: Option<bool>,
}

impl AccountTokenChange {
    /// Checks everything that can be checked without the registry, and removes duplicates.
    pub(super) fn checked(mut self) -> Result<Self, HubError> {
        if let Some(name) = &self.name {
            names::check_token(name)?;
        }
        for (permissions, allowed) in [
            (&mut self.permissions, &ORGANIZATION_PERMISSIONS[..]),
            (
                &mut self.repository_permissions,
                &REPOSITORY_PERMISSIONS[..],
            ),
        ] {
            if let Some(permissions) = permissions {
                check_permissions(permissions, allowed)?;
                remove_duplicates(permissions);
            }
        }
        if let Some(ids) = &mut self.repository_ids {
            if ids.iter().any(|id| !is_object_id(id)) {
                return Err(invalid(
                    "each of `repoIds` must be the 24 hexadecimal digits of a repository's id",
                ));
            }
            for id in ids.iter_mut() {
                id.make_ascii_lowercase();
            }
            remove_duplicates(ids);
            if ids.len() > MAX_REPOSITORIES {
                return Err(invalid("`repoIds` has more than 1000 entries"));
            }
        }
        if let Some(patterns) = &mut self.endpoint_patterns {
            remove_duplicates(patterns);
            if patterns.len() > MAX_PATTERNS {
                return Err(invalid("`endpointPatterns` has more than 20 entries"));
            }
            if !patterns.iter().all(|pattern| is_pattern(pattern)) {
                return Err(invalid(
                    "each of `endpointPatterns` must have 1 to 256 characters, and none of \
                     `. ? ( ) [ ] { } \\`",
                ));
            }
        }
        Ok(self)
    }

    /// The grants after the change. The repositories must be those of `repository_ids`.
    pub(super) fn apply(self, grants: &mut AccountGrants, repositories: Option<Vec<Entity>>) {
        if let Some(permissions) = self.permissions {
            grants.permissions = permissions;
        }
        if let Some(repositories) = repositories {
            grants.repositories = repositories;
        }
        if let Some(permissions) = self.repository_permissions {
            grants.repository_permissions = permissions;
        }
        if let Some(patterns) = self.endpoint_patterns {
            grants.endpoint_patterns = patterns;
        }
        if let Some(skip) = self.skip_network_security {
            grants.skip_network_security = skip;
        }
    }
}

impl AccountGrants {
    /// The same as scopes, so that the rest of the Hub sees a fine-grained token. That the
    /// repositories' permissions replace the organization's is up to `auth::access`.
    pub(crate) fn role(&self, organization: &Organization) -> GrantedRole {
        let on_organization = GrantedScope {
            entity: Entity {
                id: organization.id.clone(),
                kind: EntityType::Org,
                name: organization.name.clone(),
            },
            permissions: self.permissions.clone(),
        };
        let on_repositories = self.repositories.iter().map(|entity| GrantedScope {
            entity: entity.clone(),
            permissions: self.repository_permissions.clone(),
        });
        GrantedRole::FineGrained(FineGrained {
            can_read_gated_repos: false,
            global: Vec::new(),
            scoped: std::iter::once(on_organization)
                .filter(|scope| !scope.permissions.is_empty())
                .chain(on_repositories)
                .collect(),
        })
    }

    /// What the token may do, in a few words for the audit log.
    pub(super) fn summary(&self) -> String {
        let mut parts = Vec::new();
        if !self.permissions.is_empty() {
            parts.push(self.permissions.join(" "));
        }
        if !self.repositories.is_empty() {
            let names: Vec<String> = self.repositories.iter().take(3).map(Entity::path).collect();
            let more = self.repositories.len().saturating_sub(names.len());
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let permissions = if self.repository_permissions.is_empty() {
                "nothing".to_owned()
            } else {
                self.repository_permissions.join(" ")
            };
            parts.push(format!("{permissions} on {}{more}", names.join(", ")));
        }
        if parts.is_empty() {
            "nothing".to_owned()
        } else {
            parts.join("; ")
        }
    }
}

fn check_permissions(permissions: &[String], allowed: &[&str]) -> Result<(), HubError> {
    let Some(odd) = permissions
        .iter()
        .find(|each| !allowed.contains(&each.as_str()))
    else {
        return Ok(());
    };
    if let Spelling::Misspelled(suggestion) = permission::spelling(odd)
        && allowed.contains(&suggestion)
    {
        return Err(HubError::MisspelledPermission {
            name: printable(odd, 100),
            suggestion,
        });
    }
    Err(invalid(&format!(
        "`{}` is not one of the permissions that it can have here: {}",
        printable(odd, 100),
        allowed.join(", ")
    )))
}

fn invalid(reason: &str) -> HubError {
    HubError::InvalidToken {
        reason: reason.to_owned(),
    }
}

fn is_pattern(pattern: &str) -> bool {
    (1..=MAX_PATTERN_LENGTH).contains(&pattern.chars().count())
        && !pattern.chars().any(|each| {
            each.is_control()
                || matches!(each, '.' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '\\')
        })
}

/// Whether a text has the form of an id.
fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn remove_duplicates(texts: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
}

/// The beginning of a text, with no control characters.
pub(super) fn printable(text: &str, length: usize) -> String {
    text.chars()
        .take(length)
        .map(|each| if each.is_control() { '?' } else { each })
        .collect()
}

/// The registry's operations on the tokens of service accounts. Accounts and tokens are identified
/// by their ids, and the actor must administer the organization.
#[async_trait]
pub(crate) trait AccountTokens {
    /// Creates a token.
    async fn create_account_token(
        &self,
        organization: &str,
        account: &str,
        new: AccountTokenChange,
        context: &AuditContext,
    ) -> Result<CreatedAccountToken, HubError>;

    /// Changes a token's name or its grants.
    async fn change_account_token(
        &self,
        organization: &str,
        account: &str,
        token: &str,
        change: AccountTokenChange,
        context: &AuditContext,
    ) -> Result<AccountToken, HubError>;

    /// Gives a token a new value. The old one stops working at the same instant.
    async fn rotate_account_token(
        &self,
        organization: &str,
        account: &str,
        token: &str,
        context: &AuditContext,
    ) -> Result<CreatedAccountToken, HubError>;

    /// Deletes a token.
    async fn delete_account_token(
        &self,
        organization: &str,
        account: &str,
        token: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn grants_are_checked_and_without_duplicates() {
        let change = AccountTokenChange {
            permissions: Some(texts(&["repo.write", "repo.write", "job.write"])),
            repository_ids: Some(vec!["A".repeat(24), "a".repeat(24)]),
            endpoint_patterns: Some(texts(&["gpt2-*", "gpt2-*"])),
            ..AccountTokenChange::default()
        };
        let checked = change.checked().unwrap();
        assert_eq!(
            checked.permissions,
            Some(texts(&["repo.write", "job.write"]))
        );
        assert_eq!(checked.repository_ids, Some(vec!["a".repeat(24)]));
        assert_eq!(checked.endpoint_patterns, Some(texts(&["gpt2-*"])));

        let of = |permissions: &[&str]| AccountTokenChange {
            permissions: Some(texts(permissions)),
            ..AccountTokenChange::default()
        };
        assert!(matches!(
            of(&["repo.wirte"]).checked(),
            Err(HubError::MisspelledPermission {
                suggestion: "repo.write",
                ..
            })
        ));
        let refused = of(&["user.billing.read"])
            .checked()
            .unwrap_err()
            .to_string();
        assert!(refused.contains("org.serviceAccounts.write"), "{refused}");
        let change = AccountTokenChange {
            repository_permissions: Some(texts(&["job.write"])),
            ..AccountTokenChange::default()
        };
        assert!(change.checked().is_err());
        for patterns in [
            vec![String::new()],
            vec!["a.b".to_owned()],
            vec!["x".repeat(257)],
            (0..21).map(|number| format!("e{number}")).collect(),
        ] {
            let change = AccountTokenChange {
                endpoint_patterns: Some(patterns.clone()),
                ..AccountTokenChange::default()
            };
            assert!(change.checked().is_err(), "{patterns:?}");
        }
        for id in ["", "a1", &"g".repeat(24), &"é".repeat(12)] {
            let change = AccountTokenChange {
                repository_ids: Some(texts(&[id])),
                ..AccountTokenChange::default()
            };
            assert!(change.checked().is_err(), "{id}");
        }
    }
}
