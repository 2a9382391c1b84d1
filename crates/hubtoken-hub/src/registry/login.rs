//! Tokens that the Hub issues for a time: OAuth logins with their refresh tokens, the device codes
//! that start them, and tokens for one repository.
//!
//! A login is a row among the tokens, so an organization's policy, the audit log, and everything
//! else that concerns a token apply to it, and its id stays the same for as long as it lasts. It
//! has any number of access tokens, each with its own end, and a chain of refresh tokens. Deleting
//! the row ends all of them at once. The registry stores the digest of each value alone.
//!
//! A refresh token is used once and replaced by its successor. The answer that carries the
//! successor may be lost, so the exchange can be repeated with the same result, for
//! [`REPEAT_WINDOW`] at most and only until the successor is used. Any other use of a replaced
//! refresh token means that two parties have it, and ends the login.

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{AuditContext, Entity, LoginScopes, UsedIdToken, User};
use crate::error::HubError;
use crate::secret::{Digest, Secret};

/// How long an exchange of a refresh token or a device code can be repeated.
pub(crate) const REPEAT_WINDOW: Duration = Duration::seconds(60);

/// What an issued token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IssuedGrant {
    /// An OAuth access token (`hf_oauth_…`).
    Scopes(LoginScopes),
    /// Write access to one repository (`hf_jwt_…`).
    Repository(Entity),
}

/// The parameters of a token without a refresh token.
#[derive(Debug)]
pub(crate) struct NewIssuedToken<'a> {
    /// 24 hexadecimal digits, which the value may contain.
    pub id: &'a str,
    /// In whose name it acts.
    pub user: &'a User,
    /// The name by which it is listed, such as that of the client.
    pub name: &'a str,
    pub grant: &'a IssuedGrant,
    pub value: &'a Secret,
    pub expires_at: OffsetDateTime,
    /// The id token that it is issued for, if it is.
    pub used: Option<UsedIdToken<'a>>,
}

/// A login, as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The id of the client.
    pub client_id: String,
    /// The name of the client when the login began.
    pub client: String,
    /// What it may do.
    pub scopes: LoginScopes,
    /// When the user approved it.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it ends unless it is refreshed before.
    pub expires_at: Option<OffsetDateTime>,
}

/// How long the parts of a login last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoginLifetimes {
    pub access: Duration,
    pub refresh: Duration,
}

/// The login that an access token is made for, and when its exchange first happened.
#[derive(Clone, Debug)]
pub(crate) struct Exchanged {
    pub login_id: String,
    pub user_id: String,
    pub client_id: String,
    pub scopes: LoginScopes,
    pub at: OffsetDateTime,
}

/// Makes the access token of an exchange. The same exchange gives the same token.
pub(crate) type Mint<'a> = dyn Fn(&Exchanged) -> Result<Secret, HubError> + Send + Sync + 'a;

/// The result of an exchange.
#[derive(Debug)]
pub(crate) struct IssuedLogin {
    pub access_token: Secret,
    pub expires_at: OffsetDateTime,
    pub scopes: LoginScopes,
}

/// Why a refresh token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshRefusal {
    /// Not known: never issued, or its login has ended.
    Unknown,
    /// It was issued to another client.
    OtherClient,
    Expired,
    /// It had been replaced. Its login was ended by this.
    Replayed,
}

/// The registry's operations on issued tokens.
#[async_trait]
pub(crate) trait Logins {
    /// Stores a token that has no refresh token.
    async fn issue_token(
        &self,
        new: NewIssuedToken<'_>,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Exchanges a refresh token for an access token and this successor.
    async fn exchange_refresh_token(
        &self,
        presented: &Digest,
        client_id: &str,
        successor: &Digest,
        lifetimes: LoginLifetimes,
        mint: &Mint<'_>,
        context: &AuditContext,
    ) -> Result<Result<IssuedLogin, RefreshRefusal>, HubError>;

    /// A user's logins, newest first.
    async fn logins(&self, user: &str) -> Result<Vec<Login>, HubError>;

    /// Ends a login: its access and refresh tokens stop working at once.
    async fn end_login(&self, user: &str, id: &str, context: &AuditContext)
    -> Result<(), HubError>;
}
