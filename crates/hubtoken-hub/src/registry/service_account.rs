//! Service accounts: accounts of an organization that no person signs in to.
//!
//! A service account acts in its organization alone. What it may do there is said by each of its
//! tokens (`account_token`). Only administrators of the organization manage accounts, and no
//! account manages another: a token could otherwise create one that may do more than itself.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::account_token::printable;
use super::{AccountToken, AuditContext, Organization};
use crate::error::HubError;

const MAX_NAME_LENGTH: usize = 50;
const MAX_DESCRIPTION_LENGTH: usize = 500;

/// An account of an organization that no person signs in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceAccount {
    /// 24 hexadecimal digits.
    pub id: String,
    /// Where it belongs, and the only place where it has any rights.
    pub organization: Organization,
    /// The name by which logs and commits refer to it. It contains `--`, so it cannot be the name
    /// of a user.
    pub user: String,
    /// The display name, which need not be unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: OffsetDateTime,
}

/// The parameters of a new service account.
#[derive(Clone, Debug)]
pub(crate) struct NewServiceAccount {
    pub name: String,
    pub description: Option<String>,
}

impl ServiceAccount {
    /// The name in logs and commits: `acme--nightly-build-0a1b2c`.
    pub(super) fn user_name(organization: &Organization, name: &str, id: &str) -> String {
        let words: Vec<String> = name
            .to_ascii_lowercase()
            .split(|each: char| !each.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(ToOwned::to_owned)
            .chain([id.chars().take(6).collect()])
            .collect();
        format!("{}--{}", organization.name, words.join("-"))
    }
}

impl NewServiceAccount {
    pub(super) fn check(&self) -> Result<(), HubError> {
        let name_fault = if self.name.trim().is_empty() {
            Some("it is empty")
        } else if self.name.chars().count() > MAX_NAME_LENGTH {
            Some("it has more than 50 characters")
        } else if self.name.chars().any(char::is_control) {
            Some("control characters are not allowed")
        } else {
            None
        };
        if let Some(reason) = name_fault {
            return Err(HubError::InvalidName {
                what: "a service account",
                name: printable(&self.name, MAX_NAME_LENGTH),
                reason,
            });
        }
        let description = self.description.as_deref().unwrap_or_default();
        let fault = if description.chars().count() > MAX_DESCRIPTION_LENGTH {
            Some("it has more than 500 characters")
        } else if description
            .chars()
            .any(|each| each.is_control() && each != '\n')
        {
            Some("control characters are not allowed")
        } else {
            None
        };
        fault.map_or(Ok(()), |reason| {
            Err(HubError::InvalidOption {
                what: "the description".to_owned(),
                reason: reason.to_owned(),
            })
        })
    }
}

/// The registry's operations on service accounts. Accounts and tokens are identified by their ids,
/// and a change requires that the actor administers the organization.
#[async_trait]
pub(crate) trait ServiceAccounts {
    /// Creates an account without tokens.
    async fn create_service_account(
        &self,
        organization: &str,
        new: NewServiceAccount,
        context: &AuditContext,
    ) -> Result<ServiceAccount, HubError>;

    /// The accounts of an organization, oldest first.
    async fn service_accounts(&self, organization: &str) -> Result<Vec<ServiceAccount>, HubError>;

    /// An account and its tokens, oldest first.
    async fn service_account(
        &self,
        organization: &str,
        account: &str,
    ) -> Result<(ServiceAccount, Vec<AccountToken>), HubError>;

    /// Deletes an account and its tokens.
    async fn delete_service_account(
        &self,
        organization: &str,
        account: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_can_have_the_name_of_an_account() {
        let organization = Organization {
            id: "b1".to_owned(),
            name: "acme".to_owned(),
            fullname: String::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
        };
        for (name, expected) in [
            ("Nightly build", "acme--nightly-build-0a1b2c"),
            ("  --  ", "acme--0a1b2c"),
            ("Zürich / 2", "acme--z-rich-2-0a1b2c"),
        ] {
            let user = ServiceAccount::user_name(&organization, name, "0a1b2c3d4e5f");
            assert_eq!(user, expected);
            assert!(crate::names::check_namespace("a user", &user).is_err());
        }
    }

    #[test]
    fn names_and_descriptions_are_checked() {
        let check = |name: &str, description: Option<&str>| {
            let new = NewServiceAccount {
                name: name.to_owned(),
                description: description.map(ToOwned::to_owned),
            };
            new.check()
        };
        assert!(check(&"é".repeat(50), Some(&"x\n".repeat(250))).is_ok());
        for name in ["", "  ", "a\u{1b}[31m", &"x".repeat(51)] {
            let error = check(name, None).unwrap_err().to_string();
            assert!(!error.contains('\u{1b}'), "{error}");
        }
        assert!(check("ci", Some(&"x".repeat(501))).is_err());
        assert!(check("ci", Some("\u{7}")).is_err());
    }
}
