//! Sign-in sessions for the pages, and the passwords that start them.
//!
//! While a session lasts, its id is as good as a password, so the registry stores only its digest.
//! Read access to the database is therefore not enough to take over a session or to forge its form
//! tokens. Sessions survive a restart. A new password ends the user's other sessions in the
//! transaction that stores it.

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{Actor, AuditContext, Membership, User};
use crate::error::HubError;
use crate::secret::Digest;

/// A signed-in user's session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub digest: Digest,
    pub user: User,
    pub memberships: Vec<Membership>,
    /// Whether the user administers the Hub.
    pub is_administrator: bool,
    /// The message from the last action, to show on the next page.
    pub notice: Option<String>,
    pub seen_at: OffsetDateTime,
}

impl Session {
    /// The actor for the audit log.
    pub(crate) fn actor(&self) -> Actor {
        Actor::User {
            id: self.user.id.clone(),
            name: self.user.name.clone(),
            token: None,
        }
    }
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub idle: Duration,
    pub absolute: Duration,
}

/// The registry's operations on sessions.
#[async_trait]
pub(crate) trait Sessions {
    /// The user with this name, and the hash of the password if there is one, for signing in.
    async fn find_password(&self, name: &str) -> Result<Option<(User, Option<String>)>, HubError>;

    /// Stores a new password and ends all of the user's sessions, in one transaction: someone who
    /// knew the old password must not stay signed in.
    async fn set_password(
        &self,
        user: &User,
        hash: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Starts a session and deletes those that have ended. Returns whether it started: `hash` is
    /// the password hash that was checked, and the session does not start if the password has
    /// changed since.
    async fn begin_session(
        &self,
        digest: &Digest,
        user: &User,
        hash: &str,
        lifetimes: Lifetimes,
        context: &AuditContext,
    ) -> Result<bool, HubError>;

    /// The session with this digest, if it has not ended.
    async fn session(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
        lifetimes: Lifetimes,
    ) -> Result<Option<Session>, HubError>;

    /// Records that a session was used.
    async fn touch_session(&self, digest: &Digest, now: OffsetDateTime) -> Result<(), HubError>;

    /// Stores a message for the session's next page, or clears it.
    async fn set_notice(&self, digest: &Digest, notice: Option<&str>) -> Result<(), HubError>;

    /// Ends a session. Does nothing if it has already ended.
    async fn end_session(&self, session: &Session, context: &AuditContext) -> Result<(), HubError>;

    /// Marks a single-use form as submitted. Returns whether this was the first time. The record is
    /// kept as long as the session, so that reloading a page after a restart does not create a
    /// second token.
    async fn use_form(
        &self,
        session: &Digest,
        form: &Digest,
        now: OffsetDateTime,
    ) -> Result<bool, HubError>;
}
