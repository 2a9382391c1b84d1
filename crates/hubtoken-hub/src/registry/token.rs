//! Access tokens: what they are, and what can be done with them.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{Actor, GrantedRole, Membership, Origin, Restriction, TokenRole, User};
use crate::error::HubError;
use crate::rendered::Rendered;
use crate::secret::{Digest, Secret};

/// What is asked for in a new token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name; names may repeat.
    pub name: String,
    /// What it may do.
    pub role: TokenRole,
    /// When it stops working, if ever.
    pub expires_at: Option<OffsetDateTime>,
}

/// A token, without its value, which nobody can learn again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// 24 hexadecimal digits; stays the same when the value is renewed.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: GrantedRole,
    /// The last four characters of its value.
    pub last4: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it stops working, if ever.
    pub expires_at: Option<OffsetDateTime>,
    /// How many requests it had a model answer.
    pub inference_requests: u64,
}

/// A token with its value, which is shown this once.
#[derive(Clone, Debug)]
pub struct CreatedToken {
    /// The value.
    pub value: Secret,
    /// Everything else.
    pub info: TokenInfo,
}

/// Who is asking, as far as a valid token tells.
#[derive(Debug)]
pub(crate) struct Principal {
    pub user: User,
    pub memberships: Vec<Membership>,
    /// The organizations of the user's that keep this token out, by id; mostly none.
    pub restrictions: Vec<(String, Restriction)>,
    pub token: TokenInfo,
    /// What whoami answers, once it was asked: all that it says is in here, so it lives as long and no longer.
    pub whoami: OnceLock<Rendered>,
    /// When its use was last noted, in Unix seconds.
    pub noted: AtomicI64,
}

impl Principal {
    /// As the audit log has it.
    pub(crate) fn actor(&self) -> Actor {
        Actor::User {
            id: self.user.id.clone(),
            name: self.user.name.clone(),
            token: Some(self.token.id.clone()),
        }
    }

    /// Why the organization keeps this token out, if it does.
    pub(crate) fn restriction(&self, organization_id: &str) -> Option<Restriction> {
        self.restrictions
            .iter()
            .find(|(id, _)| id == organization_id)
            .map(|(_, restriction)| *restriction)
    }
}

/// What the registry knows of tokens. A token is named by its id, or by its name where only one of the user's has it.
#[async_trait]
pub(crate) trait Tokens {
    /// Makes a token.
    async fn create_token(
        &self,
        user: &str,
        new: NewToken,
        origin: &Origin,
    ) -> Result<CreatedToken, HubError>;

    /// The tokens of a user, the oldest first.
    async fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError>;

    /// Gives a token another name.
    async fn rename_token(
        &self,
        user: &str,
        wanted: &str,
        name: &str,
        origin: &Origin,
    ) -> Result<TokenInfo, HubError>;

    /// Gives a token another role. What organizations approved was the old one, so they are asked again.
    async fn change_token(
        &self,
        user: &str,
        wanted: &str,
        role: TokenRole,
        origin: &Origin,
    ) -> Result<TokenInfo, HubError>;

    /// Gives a token a new value. The old one stops working in the same moment: at no time do both work, or neither.
    /// It is the same token: what organizations decided about it stays.
    async fn refresh_token(
        &self,
        user: &str,
        wanted: &str,
        origin: &Origin,
    ) -> Result<CreatedToken, HubError>;

    /// Deletes a token.
    async fn delete_token(&self, user: &str, wanted: &str, origin: &Origin)
    -> Result<(), HubError>;

    /// Deletes the tokens with these digests, whosever they are; unknown ones are passed over.
    async fn revoke(&self, digests: &[Digest], origin: &Origin) -> Result<(), HubError>;

    /// What [`authenticate`](Self::authenticate) would say, where that is known without a wait.
    fn recall(&self, digest: &Digest, now: OffsetDateTime) -> Option<Arc<Principal>>;

    /// Whose token has this digest, if it has not expired. What is answered here is never older than the last change
    /// that was acknowledged.
    async fn authenticate(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
    ) -> Result<Option<Arc<Principal>>, HubError>;

    /// Notes when a token was last used.
    async fn touch_token(&self, id: &str, now: OffsetDateTime) -> Result<(), HubError>;

    /// Adds to what tokens are counted to have done, by id. Those that are gone are passed over.
    async fn count_inference(&self, counted: &HashMap<String, u64>) -> Result<(), HubError>;
}
