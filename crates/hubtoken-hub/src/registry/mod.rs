//! The registry: the Hub's users, organizations, memberships, tokens and repositories, and its
//! audit log.
//!
//! [`Registry`] is the only interface that the rest of the Hub uses: one trait per entity, behind a
//! pointer. The database has a folder of its own (`sqlite`), so supporting another one means adding
//! a folder. Only `state`, which opens the database, and `backup`, which copies it, refer to that
//! folder. A test checks that nothing outside the folder uses the database library directly.
//! `contract` runs the same tests against every database. Calling an async trait method this way
//! costs an allocation, which is negligible beside a database query.
//!
//! The interface makes two guarantees beyond what each method documents. A change and its audit log
//! entry are atomic. And an acknowledged change is visible to every reader from then on and
//! survives every crash. In particular, deleting, refreshing or blocking a token takes effect
//! immediately.

mod account_token;
mod administrator;
mod approval;
mod audit;
mod counts;
mod device_code;
mod login;
mod login_scopes;
mod member_tokens;
mod organization;
mod publisher;
mod repository;
mod scopes;
mod service_account;
mod session;
pub(super) mod sqlite;
mod token;
mod user;

#[cfg(test)]
mod contract;

use async_trait::async_trait;

pub(crate) use self::account_token::{
    AccountGrants, AccountToken, AccountTokenChange, AccountTokens, CreatedAccountToken,
};
pub(crate) use self::administrator::Administrators;
pub use self::approval::{Approval, ApprovalStatus, Decision, TokenPolicy};
pub(crate) use self::approval::{Approvals, MemberToken, Restriction};
pub(crate) use self::audit::{AUDIT_DAYS, AuditContext, AuditLog};
pub use self::audit::{AUDIT_ENTRIES, Actor, AuditAction, AuditEntry, AuditFilter, Subject};
pub(crate) use self::counts::{CountStore, Counts};
pub(crate) use self::device_code::{
    DeviceCodes, DeviceExchange, DeviceRefusal, DeviceRequest, LoginDecision, NewDeviceCode,
};
pub use self::login::Login;
pub(crate) use self::login::{
    Exchanged, IssuedGrant, IssuedLogin, LoginLifetimes, Logins, Mint, NewIssuedToken,
    REPEAT_WINDOW, RefreshRefusal,
};
pub(crate) use self::login_scopes::LoginScope;
pub use self::login_scopes::LoginScopes;
pub(crate) use self::member_tokens::{MemberTokenStatus, MemberTokens};
pub(crate) use self::organization::Organizations;
pub use self::organization::{Membership, Organization, OrganizationRole};
pub(crate) use self::publisher::{
    KNOWN_ISSUERS, NewPublisher, PublisherTarget, Publishers, Resource, UsedIdToken,
};
pub use self::publisher::{Publisher, PublisherTrust};
pub use self::repository::{Gate, Repository};
pub(crate) use self::repository::{GateChange, NewRepository, Repositories, RepositoryChange};
pub(crate) use self::scopes::misspelling;
pub use self::scopes::{
    Entity, EntityType, FineGrained, GrantedRole, GrantedScope, Scope, TokenRole,
};
pub(crate) use self::service_account::{NewServiceAccount, ServiceAccount, ServiceAccounts};
pub(crate) use self::session::{Lifetimes, Session, Sessions};
pub use self::token::{CreatedToken, NewToken, TokenInfo};
pub(crate) use self::token::{Principal, TokenOwner, Tokens};
pub use self::user::User;
pub(crate) use self::user::{Namespace, NamespaceType, NewUser, Users};
pub use hubtoken_core::repository::RepositoryType;

/// The registry of one Hub.
#[async_trait]
pub(crate) trait Registry:
    Users
    + Organizations
    + Tokens
    + ServiceAccounts
    + AccountTokens
    + Logins
    + DeviceCodes
    + Repositories
    + Approvals
    + MemberTokens
    + AuditLog
    + Sessions
    + Publishers
    + Administrators
    + CountStore
    + std::fmt::Debug
    + Send
    + Sync
{
    /// Flushes all pending writes and closes the database.
    async fn close(&self);
}
