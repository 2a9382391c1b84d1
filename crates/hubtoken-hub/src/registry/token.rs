//! Access tokens and the operations on them.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{
    Actor, AuditContext, GrantedRole, Membership, Restriction, ServiceAccount, TokenRole, User,
};
use crate::cached_json::CachedJson;
use crate::error::HubError;
use crate::secret::{Digest, Secret};

/// The parameters of a new token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name, which need not be unique.
    pub name: String,
    /// What it may do.
    pub role: TokenRole,
    /// When it expires, if ever.
    pub expires_at: Option<OffsetDateTime>,
}

/// A token without its value, which cannot be retrieved again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// 24 hexadecimal digits. Refreshing the value does not change it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: GrantedRole,
    /// The last four characters of its value.
    pub last4: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it expires, if ever.
    pub expires_at: Option<OffsetDateTime>,
    /// How many inference requests were made with it.
    pub inference_requests: u64,
}

/// A token with its value, which is shown only once.
#[derive(Clone, Debug)]
pub struct CreatedToken {
    /// The value.
    pub value: Secret,
    /// Everything else.
    pub info: TokenInfo,
}

/// The account that a token acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenOwner {
    User(User),
    ServiceAccount(ServiceAccount),
}

impl TokenOwner {
    /// The account's id.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::User(user) => &user.id,
            Self::ServiceAccount(account) => &account.id,
        }
    }

    /// The account's name in logs, commits and messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.name,
            Self::ServiceAccount(account) => &account.user,
        }
    }

    /// The namespace that a repository without one belongs to: the user's own, or the
    /// organization of a service account.
    pub(crate) fn default_namespace(&self) -> &str {
        match self {
            Self::User(user) => &user.name,
            Self::ServiceAccount(account) => &account.organization.name,
        }
    }
}

/// The authenticated caller, as identified by a valid token.
#[derive(Debug)]
pub(crate) struct Principal {
    pub owner: TokenOwner,
    /// The user's organizations. A service account is no member of its own.
    pub memberships: Vec<Membership>,
    /// The user's organizations that block this token, by id. Usually empty.
    pub restrictions: Vec<(String, Restriction)>,
    pub token: TokenInfo,
    /// The cached whoami response. It depends only on this principal, so both are invalidated
    /// together.
    pub whoami: OnceLock<CachedJson>,
    /// When its use was last recorded, in Unix seconds.
    pub last_touched: AtomicI64,
}

impl Principal {
    /// The actor for the audit log.
    pub(crate) fn actor(&self) -> Actor {
        let token = self.token.id.clone();
        match &self.owner {
            TokenOwner::User(user) => Actor::User {
                id: user.id.clone(),
                name: user.name.clone(),
                token: Some(token),
            },
            TokenOwner::ServiceAccount(account) => Actor::ServiceAccount {
                name: account.user.clone(),
                token,
            },
        }
    }

    /// Why the organization blocks this token, or `None` if it accepts it.
    pub(crate) fn restriction(&self, organization_id: &str) -> Option<Restriction> {
        self.restrictions
            .iter()
            .find(|(id, _)| id == organization_id)
            .map(|(_, restriction)| *restriction)
    }
}

/// The registry's operations on tokens. A token is identified by its id, or by its name if the user
/// has only one with that name.
#[async_trait]
pub(crate) trait Tokens {
    /// Creates a token.
    async fn create_token(
        &self,
        user: &str,
        new: NewToken,
        context: &AuditContext,
    ) -> Result<CreatedToken, HubError>;

    /// A user's tokens, oldest first.
    async fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError>;

    /// Renames a token.
    async fn rename_token(
        &self,
        user: &str,
        wanted: &str,
        name: &str,
        context: &AuditContext,
    ) -> Result<TokenInfo, HubError>;

    /// Changes a token's role. Earlier approvals were for the old role, so they are requested
    /// again.
    async fn change_token(
        &self,
        user: &str,
        wanted: &str,
        role: TokenRole,
        context: &AuditContext,
    ) -> Result<TokenInfo, HubError>;

    /// Gives a token a new value. The old value stops working at the same instant: there is no time
    /// at which both or neither work. It remains the same token, so organizations' decisions about
    /// it stay.
    async fn refresh_token(
        &self,
        user: &str,
        wanted: &str,
        context: &AuditContext,
    ) -> Result<CreatedToken, HubError>;

    /// Deletes a token.
    async fn delete_token(
        &self,
        user: &str,
        wanted: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Deletes the tokens with these digests, whoever owns them, and ignores unknown digests. An
    /// access or refresh token of a login ends the login.
    async fn revoke(&self, digests: &[Digest], context: &AuditContext) -> Result<(), HubError>;

    /// Returns the result of [`authenticate`](Self::authenticate) if it is available without
    /// waiting.
    fn cached_principal(&self, digest: &Digest, now: OffsetDateTime) -> Option<Arc<Principal>>;

    /// The principal of the unexpired token with this digest. The result reflects every change
    /// acknowledged so far.
    async fn authenticate(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
    ) -> Result<Option<Arc<Principal>>, HubError>;

    /// Records when a token was last used.
    async fn touch_token(&self, id: &str, now: OffsetDateTime) -> Result<(), HubError>;

    /// Adds to the tokens' inference request counts, by token id. Deleted tokens are ignored.
    async fn count_inference(&self, counted: &HashMap<String, u64>) -> Result<(), HubError>;
}
