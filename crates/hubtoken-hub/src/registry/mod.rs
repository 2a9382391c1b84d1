//! The registry: who exists, who belongs where, which tokens and repositories there are, and what became of them.
//!
//! [`Registry`] is the whole of it for the rest of the Hub: one interface, a part for each noun. The
//! database behind it has a folder of its own (`sqlite`), so that another database is one more
//! folder. Only two modules name it: `state`, which opens it, and `backup`, which copies it.
//! `contract` holds every database to one set of tests.
//!
//! Two promises are part of the interface, beside what each method says. A change and its entry in the audit log are
//! one: both are there, or neither. And a change that was acknowledged holds from then on, for every reader and after
//! every crash; above all a token that was deleted, refreshed or shut out is so at once.
//!
//! The registry is one trait per noun behind a pointer. Only `registry/sqlite/` knows the
//! database; a test checks that nothing else names it. An async method costs an allocation that
//! way, which is negligible beside a database query.

mod administrator;
mod approval;
mod audit;
mod census;
mod organization;
mod repository;
mod scopes;
mod session;
pub(super) mod sqlite;
mod standing;
mod token;
mod user;

#[cfg(test)]
mod contract;

use async_trait::async_trait;

pub(crate) use self::administrator::Administrators;
pub use self::approval::{Approval, ApprovalStatus, Decision, TokenPolicy};
pub(crate) use self::approval::{Approvals, MemberToken, Restriction};
pub(crate) use self::audit::{AUDIT_DAYS, AuditLog, Origin};
pub use self::audit::{Act, Actor, AuditEntry, AuditFilter, Subject};
pub(crate) use self::census::{Census, Counts};
pub(crate) use self::organization::Organizations;
pub use self::organization::{Membership, Organization, OrganizationRole};
pub use self::repository::{Gate, Repository};
pub(crate) use self::repository::{GateChange, NewRepository, Repositories, RepositoryChange};
pub(crate) use self::scopes::misspelling;
pub use self::scopes::{
    Entity, EntityType, FineGrained, GrantedRole, GrantedScope, Scope, TokenRole,
};
pub(crate) use self::session::{Lifetimes, Session, Sessions};
pub(crate) use self::standing::{Standings, TokenStanding};
pub use self::token::{CreatedToken, NewToken, TokenInfo};
pub(crate) use self::token::{Principal, Tokens};
pub use self::user::User;
pub(crate) use self::user::{Namespace, NamespaceType, NewUser, Users};
pub use hubtoken_core::repository::RepositoryType;

/// The registry of one Hub.
#[async_trait]
pub(crate) trait Registry:
    Users
    + Organizations
    + Tokens
    + Repositories
    + Approvals
    + Standings
    + AuditLog
    + Sessions
    + Administrators
    + Counts
    + std::fmt::Debug
    + Send
    + Sync
{
    /// Writes everything back and closes the database.
    async fn close(&self);
}
