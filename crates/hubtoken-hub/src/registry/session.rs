//! Who is signed in at the pages: sessions by the digest of their id, and the passwords they begin with.
//!
//! A session's id is as good as a password for as long as the session lasts, so the registry knows its digest only.
//! Whoever reads the database can neither take a session over nor forge the token of its forms.
//!
//! Sessions are stored in the database, by digest. A restart signs out no one, and a new password
//! ends the user's other sessions in the transaction that stores it.

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{Actor, Membership, Origin, User};
use crate::error::HubError;
use crate::secret::Digest;

/// A person who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub digest: Digest,
    pub user: User,
    pub memberships: Vec<Membership>,
    /// Whether the user administers the Hub.
    pub is_administrator: bool,
    /// What the last deed wants to have said on the next page.
    pub notice: Option<String>,
    pub seen_at: OffsetDateTime,
}

impl Session {
    /// As the audit log has it.
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

/// What the registry knows of those who are signed in.
#[async_trait]
pub(crate) trait Sessions {
    /// The user of a name, with the hash of the password if there is one; for signing in.
    async fn find_password(&self, name: &str) -> Result<Option<(User, Option<String>)>, HubError>;

    /// Stores a new password and ends every session of the user, in one transaction: whoever changes a password that
    /// somebody else knows must not leave that somebody signed in.
    async fn set_password(&self, user: &User, hash: &str, origin: &Origin) -> Result<(), HubError>;

    /// Begins a session, and sweeps out those that have ended; `hash` is the password that was checked for it, so that
    /// none begins with a password that was changed in between. Says whether it began.
    async fn begin_session(
        &self,
        digest: &Digest,
        user: &User,
        hash: &str,
        lifetimes: Lifetimes,
        origin: &Origin,
    ) -> Result<bool, HubError>;

    /// The session of this digest, if it has not ended.
    async fn session(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
        lifetimes: Lifetimes,
    ) -> Result<Option<Session>, HubError>;

    /// Notes that a session was used.
    async fn touch_session(&self, digest: &Digest, now: OffsetDateTime) -> Result<(), HubError>;

    /// Keeps a word for the session's next page, or forgets it.
    async fn set_notice(&self, digest: &Digest, notice: Option<&str>) -> Result<(), HubError>;

    /// Ends a session; one that has ended stays so.
    async fn end_session(&self, session: &Session, origin: &Origin) -> Result<(), HubError>;

    /// Uses up a form that may be sent once; says whether it was the first time. Kept as long as the session, so that
    /// a page reloaded after a restart makes no second token either.
    async fn use_form(
        &self,
        session: &Digest,
        form: &Digest,
        now: OffsetDateTime,
    ) -> Result<bool, HubError>;
}
