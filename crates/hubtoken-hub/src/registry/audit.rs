//! The audit log: who did what to what, when, and from where.
//!
//! An entry is written in the transaction that makes the change, so neither exists without the
//! other. Entries are never modified, and they are deleted only by the registry, when they are past
//! the retention period. An entry identifies a token by its id, its name and its last four
//! characters, never by its value.
//!
//! Every change receives an `AuditContext` (who, from where, when), so it cannot be made without an
//! entry. A change that has no effect is rolled back and not logged.

use std::net::IpAddr;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::TokenInfo;
use crate::error::HubError;

/// The largest number of entries that are read at once for others.
pub const AUDIT_ENTRIES: u32 = 1000;
/// How many days entries are kept by default.
pub(crate) const AUDIT_DAYS: u32 = 365;

/// Who makes a change, from where and when. Every registry change receives one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditContext {
    pub actor: Actor,
    pub address: Option<IpAddr>,
    pub at: OffsetDateTime,
}

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user, with an access token or signed in to the pages.
    User {
        /// The user's id.
        id: String,
        /// The user's name.
        name: String,
        /// The id of the access token, or `None` for a user who signed in to the pages.
        token: Option<String>,
    },
    /// A service account of an organization.
    ServiceAccount {
        /// The account's name.
        name: String,
        /// The id of its token.
        token: String,
    },
    /// The holder of the administration API's key.
    AdminKey,
    /// The program in which the Hub is embedded.
    Program,
    /// An unauthenticated client, where authentication is not required.
    Nobody,
}

/// An action that the audit log records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// A token was created.
    TokenCreate,
    /// A token got a new value.
    TokenRefresh,
    /// A token was renamed.
    TokenRename,
    /// A token's permissions were changed.
    TokenChange,
    /// A token was deleted.
    TokenDelete,
    /// A token was revoked by a client that presented its value.
    TokenRevoke,
    /// A service account was created.
    ServiceAccountCreate,
    /// A service account was deleted, and its tokens with it.
    ServiceAccountDelete,
    /// A user approved a program's login.
    LoginApprove,
    /// A user denied a program's login.
    LoginDeny,
    /// A code that no login waits for was entered, or a code or token of a login was refused to whoever
    /// presented it.
    LoginRefuse,
    /// A login began, or a token was issued for a time.
    LoginIssue,
    /// A login got a new access token.
    LoginRefresh,
    /// A refresh token was used again after it had been replaced, which ended the login.
    LoginReplay,
    /// A login was ended.
    LoginEnd,
    /// A trusted publisher was added.
    PublisherAdd,
    /// A trusted publisher was deleted, and the tokens issued for it with it.
    PublisherRemove,
    /// A verified id token was refused, because no publisher matches it or it was used before.
    PublisherRefuse,
    /// A new key signs the tokens of logins, before it was time.
    SigningKeyRotate,
    /// A user signed in to the pages.
    LoginSucceeded,
    /// A sign-in failed.
    LoginFailed,
    /// A user signed out.
    Logout,
    /// A user was created.
    UserCreate,
    /// A password was set.
    UserPassword,
    /// An organization was created.
    OrganizationCreate,
    /// A member was added, or a member's role was changed.
    MemberSet,
    /// A member was removed.
    MemberRemove,
    /// An organization's token policy was changed.
    PolicySet,
    /// A token requested approval from an organization.
    ApprovalRequest,
    /// A token was approved.
    ApprovalApprove,
    /// A token was denied.
    ApprovalDeny,
    /// A token was revoked by an organization.
    ApprovalRevoke,
    /// A repository was created.
    RepositoryCreate,
    /// A repository's settings were changed.
    RepositorySettings,
    /// A token was issued that uploads large files to a repository by Xet.
    RepositoryUpload,
    /// A repository was deleted.
    RepositoryDelete,
    /// A user was granted access to a gated repository.
    AccessGrant,
    /// A user's access to a gated repository was revoked.
    AccessRevoke,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Increases from entry to entry and is never reused.
    pub id: i64,
    /// When the action happened, to the millisecond.
    pub at: OffsetDateTime,
    /// The action.
    pub act: AuditAction,
    /// The kind of actor: `user`, `service-account`, `admin-key`, `program` or `nobody`.
    pub actor: String,
    /// The name of the acting user or service account.
    pub actor_name: Option<String>,
    /// The id of the token that the actor authenticated with.
    pub actor_token: Option<String>,
    /// The IP address that the request came from.
    pub address: Option<String>,
    /// The target of the action.
    pub subject: Subject,
}

/// The target of an action. Fields that do not apply are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// A user's name, or a service account's.
    pub user: Option<String>,
    /// An organization's name.
    pub organization: Option<String>,
    /// A token's id.
    pub token_id: Option<String>,
    /// A token's name.
    pub token_name: Option<String>,
    /// The last four characters of a token's value: of the new value, after a refresh.
    pub token_last4: Option<String>,
    /// A repository: `namespace/name`, prefixed with `datasets/` or `spaces/` where applicable.
    pub repository: Option<String>,
    /// The new state: a role, a policy, settings.
    pub detail: Option<String>,
}

/// Which entries to return, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The user is the actor or the target.
    pub user: Option<String>,
    /// The user is the actor.
    pub actor: Option<String>,
    /// The organization is the target.
    pub organization: Option<String>,
    /// The action: a full name such as `token.create`, or the first component of several, such as
    /// `token`.
    pub act: Option<String>,
    /// At or after this time.
    pub since: Option<OffsetDateTime>,
    /// Before this time.
    pub until: Option<OffsetDateTime>,
    /// Entries with a smaller id than this, to fetch the next page.
    pub before: Option<i64>,
    /// The maximum number of entries.
    pub limit: Option<u32>,
}

impl Actor {
    /// `user`, `service-account`, `admin-key`, `program` or `nobody`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::ServiceAccount { .. } => "service-account",
            Self::AdminKey => "admin-key",
            Self::Program => "program",
            Self::Nobody => "nobody",
        }
    }

    /// The account's name, or the kind of actor.
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::User { name, .. } | Self::ServiceAccount { name, .. } => name,
            _ => self.kind(),
        }
    }
}

impl AuditAction {
    /// All actions, grouped by what they affect.
    pub(crate) const ALL: [Self; 38] = [
        Self::TokenCreate,
        Self::TokenRefresh,
        Self::TokenRename,
        Self::TokenChange,
        Self::TokenDelete,
        Self::TokenRevoke,
        Self::ServiceAccountCreate,
        Self::ServiceAccountDelete,
        Self::LoginApprove,
        Self::LoginDeny,
        Self::LoginRefuse,
        Self::LoginIssue,
        Self::LoginRefresh,
        Self::LoginReplay,
        Self::LoginEnd,
        Self::PublisherAdd,
        Self::PublisherRemove,
        Self::PublisherRefuse,
        Self::SigningKeyRotate,
        Self::LoginSucceeded,
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
        Self::RepositoryUpload,
        Self::RepositoryDelete,
        Self::AccessGrant,
        Self::AccessRevoke,
    ];

    /// The name used in the log, such as `token.create`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenCreate => "token.create",
            Self::TokenRefresh => "token.refresh",
            Self::TokenRename => "token.rename",
            Self::TokenChange => "token.change",
            Self::TokenDelete => "token.delete",
            Self::TokenRevoke => "token.revoke",
            Self::ServiceAccountCreate => "service-account.create",
            Self::ServiceAccountDelete => "service-account.delete",
            Self::LoginApprove => "oauth.approve",
            Self::LoginDeny => "oauth.deny",
            Self::LoginRefuse => "oauth.refuse",
            Self::LoginIssue => "oauth.issue",
            Self::LoginRefresh => "oauth.refresh",
            Self::LoginReplay => "oauth.replay",
            Self::LoginEnd => "oauth.end",
            Self::PublisherAdd => "publisher.add",
            Self::PublisherRemove => "publisher.remove",
            Self::PublisherRefuse => "publisher.refuse",
            Self::SigningKeyRotate => "signing-key.rotate",
            Self::LoginSucceeded => "login.ok",
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
            Self::RepositoryUpload => "repository.upload",
            Self::RepositoryDelete => "repository.delete",
            Self::AccessGrant => "access.grant",
            Self::AccessRevoke => "access.revoke",
        }
    }

    /// Parses an action's name.
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

    /// A repository, by the path of its page.
    pub(crate) fn repository(page: String) -> Self {
        Self {
            repository: Some(page),
            ..Self::default()
        }
    }

    /// Adds the organization that the action also concerns.
    pub(crate) fn in_organization(self, organization: &str) -> Self {
        Self {
            organization: Some(organization.to_owned()),
            ..self
        }
    }

    /// Adds the new state.
    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// The registry's audit log.
#[async_trait]
pub(crate) trait AuditLog {
    /// Records an event that leaves no other trace in the registry, such as a sign-in. The user's
    /// name is recorded only if such a user exists, because people sometimes type their password
    /// into that field.
    async fn record(
        &self,
        act: AuditAction,
        subject: Subject,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// The matching entries, newest first.
    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, HubError>;

    /// Sets how many days entries are kept.
    fn set_audit_retention(&self, days: u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_one_act() {
        for act in AuditAction::ALL {
            assert_eq!(AuditAction::parse(act.as_str()), Some(act));
        }
        assert_eq!(AuditAction::parse("token"), None);
    }
}
