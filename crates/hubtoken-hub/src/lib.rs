//! The embedded Hub: a small token authority that speaks the same HTTP API as the Hugging Face Hub.
//!
//! It creates, lists, refreshes and deletes access tokens by role and name, and uses them to guard
//! repositories. It is one process with one folder and needs no setup, so tests, demos and teams
//! without network access have a real Hub to authenticate against. Clients of the Hub work against
//! it unchanged.
//!
//! The path of a request:
//!
//! ```text
//! server ─► middleware ─► api ──► access ──► registry (SQLite: users, tokens, repositories)
//!           counted,      │             └──► repository (git: content)
//!           authenticated ├─► git ──┴──────► git's own programs, on the same repositories
//!                   │     └─► response
//!                   ├─────► inference ──► the servers that the operator names
//!                   ├─────► admin (admin key only)
//!                   └─────► pages (a user's session, in a browser)
//! ```
//!
//! [`Hub`] is the whole server, for programs that just want to run one. [`app`] is only the HTTP
//! part, which tests can run in-process. Differences from the real Hub are listed in
//! `docs/differences.md`.

mod admin;
mod api;
mod auth;
mod backup;
mod blocking;
mod cached_json;
mod clock;
mod data_folder;
mod error;
mod extract;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod git;
mod hub;
mod inference;
mod lfs;
mod local_url;
mod middleware;
mod monitoring;
mod names;
mod oauth;
mod options;
mod pages;
mod password;
mod rate_limit;
mod registry;
mod repository;
mod response;
mod route_family;
mod router;
mod seal;
mod secret;
mod server;
mod state;
mod stream_body;
mod xet;

pub use self::backup::{Backup, backup, restore};
pub use self::clock::Clock;
pub use self::data_folder::is_locked;
pub use self::error::HubError;
pub use self::hub::Hub;
pub use self::inference::options::{InferenceOptions, Upstream};
pub use self::monitoring::log::{LogFormat, LogLevel};
pub use self::oauth::options::OAuthOptions;
pub use self::options::{HubOptions, Limits, TlsFiles};
pub use self::pages::sign_in_limiter::SignInPolicy;
pub use self::rate_limit::RateLimit;
pub use self::registry::{
    AUDIT_ENTRIES, Actor, Approval, ApprovalStatus, AuditAction, AuditEntry, AuditFilter,
    CreatedToken, Decision, Entity, EntityType, FineGrained, Gate, GrantedRole, GrantedScope,
    Login, LoginScopes, NewToken, Organization, OrganizationRole, Publisher, PublisherTrust,
    Repository, Scope, Subject, TokenInfo, TokenPolicy, TokenRole, User,
};
pub use self::router::app;
pub use self::secret::Secret;
pub use self::state::HubState;
pub use hubtoken_core::repository::RepositoryType;
