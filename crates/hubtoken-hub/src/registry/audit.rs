//! The audit log: who did what to what, when, and from where.
//!
//! An entry is written by the transaction that does the deed, so there is neither without the other. Nothing here
//! changes or removes an entry; the registry itself drops those that are older than they have to be kept. An entry
//! names a token by its id, its name and its last four characters, never by its value.
//!
//! Every change receives an `Origin` (who, from where, when) and is entered in the audit log in
//! its own transaction. There is no way to write without one. A change that changes nothing is
//! rolled back and not entered.

use std::net::IpAddr;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::TokenInfo;
use crate::error::HubError;

/// How long entries are kept unless the owner says otherwise.
pub(crate) const AUDIT_DAYS: u32 = 365;

/// Who does something, from where and when. Every change of the registry is given one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub actor: Actor,
    pub address: Option<IpAddr>,
    pub at: OffsetDateTime,
}

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user, with an access token or signed in to the pages.
    User {
        /// The user's id.
        id: String,
        /// The user's name.
        name: String,
        /// The id of the access token; none for somebody who signed in to the pages.
        token: Option<String>,
    },
    /// Whoever holds the key of the administration API.
    AdminKey,
    /// The program in which the Hub is embedded.
    Program,
    /// Somebody who did not say, and did not have to.
    Nobody,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A token was made.
    TokenCreate,
    /// A token got a new value.
    TokenRefresh,
    /// A token got another name.
    TokenRename,
    /// A token got other permissions.
    TokenChange,
    /// A token was deleted.
    TokenDelete,
    /// A token was ended by somebody who knew its value.
    TokenRevoke,
    /// Somebody signed in to the pages.
    LoginOk,
    /// Somebody tried to.
    LoginFailed,
    /// Somebody signed out.
    Logout,
    /// A user was created.
    UserCreate,
    /// A password was set.
    UserPassword,
    /// An organization was created.
    OrganizationCreate,
    /// A member was taken in, or got another role.
    MemberSet,
    /// A member was put out.
    MemberRemove,
    /// An organization got another token policy.
    PolicySet,
    /// A token asked to be let in to an organization.
    ApprovalRequest,
    /// It was let in.
    ApprovalApprove,
    /// It was turned down.
    ApprovalDeny,
    /// It was shut out.
    ApprovalRevoke,
    /// A repository was created.
    RepositoryCreate,
    /// A repository's settings were changed.
    RepositorySettings,
    /// A repository was deleted.
    RepositoryDelete,
    /// A user was let through a gate.
    AccessGrant,
    /// That was taken back.
    AccessRevoke,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Grows from entry to entry, and is never used twice.
    pub id: i64,
    /// When it was done, to the millisecond.
    pub at: OffsetDateTime,
    /// What was done.
    pub act: Act,
    /// Who did it: `user`, `admin-key`, `program` or `nobody`.
    pub actor: String,
    /// The name of the user who did it.
    pub actor_name: Option<String>,
    /// The id of the token with which the user did it.
    pub actor_token: Option<String>,
    /// The address it was done from.
    pub address: Option<String>,
    /// What it was done to.
    pub subject: Subject,
}

/// What something was done to; whatever does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// A user's name.
    pub user: Option<String>,
    /// An organization's name.
    pub organization: Option<String>,
    /// A token's id.
    pub token_id: Option<String>,
    /// A token's name.
    pub token_name: Option<String>,
    /// The last four characters of a token's value; of the new one, after a refresh.
    pub token_last4: Option<String>,
    /// A repository: `namespace/name`, with `datasets/` or `spaces/` before it.
    pub repository: Option<String>,
    /// What it became: a role, a policy, settings.
    pub detail: Option<String>,
}

/// Which entries are wanted, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Done by this user, or to this user.
    pub user: Option<String>,
    /// Done by this user.
    pub actor: Option<String>,
    /// Done to this organization.
    pub organization: Option<String>,
    /// What was done: a word such as `token.create`, or the first part of several, such as `token`.
    pub act: Option<String>,
    /// Not before this.
    pub since: Option<OffsetDateTime>,
    /// Before this.
    pub until: Option<OffsetDateTime>,
    /// With a smaller id than this: the next page of a list.
    pub before: Option<i64>,
    /// This many at most.
    pub limit: Option<u32>,
}

impl Actor {
    /// `user`, `admin-key`, `program` or `nobody`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::AdminKey => "admin-key",
            Self::Program => "program",
            Self::Nobody => "nobody",
        }
    }

    /// The user's name, or the sort of actor.
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::User { name, .. } => name,
            _ => self.kind(),
        }
    }
}

impl Act {
    /// All of them, those about the same thing beside each other.
    pub(crate) const ALL: [Self; 24] = [
        Self::TokenCreate,
        Self::TokenRefresh,
        Self::TokenRename,
        Self::TokenChange,
        Self::TokenDelete,
        Self::TokenRevoke,
        Self::LoginOk,
        Self::LoginFailed,
        Self::Logout,
        Self::UserCreate,
        Self::UserPassword,
        Self::OrganizationCreate,
        Self::MemberSet,
        Self::MemberRemove,
        Self::PolicySet,
        Self::ApprovalRequest,
        Self::ApprovalApprove,
        Self::ApprovalDeny,
        Self::ApprovalRevoke,
        Self::RepositoryCreate,
        Self::RepositorySettings,
        Self::RepositoryDelete,
        Self::AccessGrant,
        Self::AccessRevoke,
    ];

    /// The word in the log, such as `token.create`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenCreate => "token.create",
            Self::TokenRefresh => "token.refresh",
            Self::TokenRename => "token.rename",
            Self::TokenChange => "token.change",
            Self::TokenDelete => "token.delete",
            Self::TokenRevoke => "token.revoke",
            Self::LoginOk => "login.ok",
            Self::LoginFailed => "login.failed",
            Self::Logout => "logout",
            Self::UserCreate => "user.create",
            Self::UserPassword => "user.password",
            Self::OrganizationCreate => "organization.create",
            Self::MemberSet => "member.set",
            Self::MemberRemove => "member.remove",
            Self::PolicySet => "policy.set",
            Self::ApprovalRequest => "approval.request",
            Self::ApprovalApprove => "approval.approve",
            Self::ApprovalDeny => "approval.deny",
            Self::ApprovalRevoke => "approval.revoke",
            Self::RepositoryCreate => "repository.create",
            Self::RepositorySettings => "repository.settings",
            Self::RepositoryDelete => "repository.delete",
            Self::AccessGrant => "access.grant",
            Self::AccessRevoke => "access.revoke",
        }
    }

    /// Reads such a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == word)
    }
}

impl Subject {
    /// A user.
    pub(crate) fn user(name: &str) -> Self {
        Self {
            user: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// An organization.
    pub(crate) fn organization(name: &str) -> Self {
        Self {
            organization: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// A token and its owner.
    pub(crate) fn token(owner: &str, token: &TokenInfo) -> Self {
        Self {
            token_id: Some(token.id.clone()),
            token_name: Some(token.name.clone()),
            token_last4: Some(token.last4.clone()),
            ..Self::user(owner)
        }
    }

    /// A repository's page.
    pub(crate) fn repository(page: String) -> Self {
        Self {
            repository: Some(page),
            ..Self::default()
        }
    }

    /// The organization that it is about as well.
    pub(crate) fn within(self, organization: &str) -> Self {
        Self {
            organization: Some(organization.to_owned()),
            ..self
        }
    }

    /// What it became.
    pub(crate) fn detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// What the registry knows of the past.
#[async_trait]
pub(crate) trait AuditLog {
    /// Enters what leaves no other trace in the registry, such as a sign-in. A user is named only if there is one of
    /// that name: what people type there by mistake is their password.
    async fn record(&self, act: Act, subject: Subject, origin: &Origin) -> Result<(), HubError>;

    /// Entries, the newest first.
    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, HubError>;

    /// Says for how many days entries are kept.
    fn keep_audit(&self, days: u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_one_act() {
        for act in Act::ALL {
            assert_eq!(Act::parse(act.as_str()), Some(act));
        }
        assert_eq!(Act::parse("token"), None);
    }
}
