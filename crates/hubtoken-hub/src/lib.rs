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
//!                   │     └─► answers
//!                   ├─────► inference ──► the servers that the operator names
//!                   ├─────► admin (admin key only)
//!                   └─────► pages (a user's session, in a browser)
//! ```
//!
//! [`Hub`] is the whole server, for programs that just want to run one. [`app`] is only the HTTP
//! part, which tests can run in-process. Differences from the real Hub are listed in
//! `docs/differences.md`.

mod access;
mod address;
mod admin;
mod answers;
mod api;
mod authentication;
mod backup;
mod blocking;
mod clock;
mod content;
mod data_folder;
mod deeds;
mod error;
mod extract;
mod framing;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod git;
mod handle;
mod health;
mod inference;
mod journal;
mod lfs;
mod listen;
mod metrics;
mod middleware;
mod names;
mod options;
mod pages;
mod password;
mod patience;
mod peer;
mod pieces;
mod rate_limit;
mod registry;
mod rendered;
mod repository;
mod request_id;
mod request_log;
mod router;
mod secret;
mod server;
mod state;
mod tls;

pub use self::backup::{Backup, backup, restore};
pub use self::clock::Clock;
pub use self::error::HubError;
pub use self::handle::Hub;
pub use self::inference::options::{InferenceOptions, Upstream};
pub use self::journal::{LogFormat, LogLevel};
pub use self::options::{HubOptions, Limits, TlsFiles};
pub use self::pages::desk::SignInPolicy;
pub use self::rate_limit::RateLimit;
pub use self::registry::{
    Act, Actor, Approval, ApprovalStatus, AuditEntry, AuditFilter, CreatedToken, Decision, Entity,
    EntityType, FineGrained, Gate, GrantedRole, GrantedScope, NewToken, Organization,
    OrganizationRole, Repository, Scope, Subject, TokenInfo, TokenPolicy, TokenRole, User,
};
pub use self::router::app;
pub use self::secret::Secret;
pub use self::state::HubState;
pub use hubtoken_core::repository::RepositoryType;
