//! The interface of a cache that processes share.
//!
//! The [disk](crate::identity::cache::disk) cache serves the processes of one machine; a server
//! that many machines can reach would be another. A backend stores bytes and interprets nothing.
//! Its errors are silent: the result is then that nothing is cached, or that leases are
//! unsupported. Its methods are called between the steps of a request, so each must bound its own
//! time and return within milliseconds, even if the backend is remote and does not respond.
//!
//! `disk.rs` is the only backend so far; the tests have one in memory that satisfies the same
//! contract. A networked backend would be selected in `places.rs`.

use crate::endpoint::Endpoint;
use crate::token::Digest;

/// The largest record, in bytes. An identity takes one or two thousand.
pub const MAXIMUM_SIZE: u64 = 256 * 1024;

/// The kind of a record about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// The account it belongs to.
    Identity,
    /// The Hub does not recognize the token.
    Rejection,
    /// The Hub limits whoami requests for a while.
    Limit,
    /// The Hub limits all requests for a while.
    HubLimit,
    /// A request failed. Only for the processes that waited for that request.
    Failure,
    /// How often its requirements were denied.
    Denials,
}

/// What a rate limit applies to.
///
/// The Hub limits whoami more strictly than other requests. If such a limit also applied to the
/// auth-check, a cached identity would be useless for minutes. A limit on any other request applies
/// to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// Whoami requests only.
    Whoami,
    /// All requests.
    Hub,
}

impl LimitScope {
    /// The kind of record for such a limit.
    pub(super) fn kind(self) -> RecordKind {
        match self {
            Self::Whoami => RecordKind::Limit,
            Self::Hub => RecordKind::HubLimit,
        }
    }
}

/// The cache key for one token at one Hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The start of the token's digest, in hexadecimal.
    pub token: String,
    /// The start of the digest of the Hub's URL, in hexadecimal.
    pub hub: String,
}

impl CacheKey {
    /// The token's part of the key.
    #[must_use]
    pub fn of_token(digest: &Digest) -> String {
        let mut text = digest.hex();
        text.truncate(32);
        text
    }

    /// The Hub's part of the key.
    #[must_use]
    pub fn of_hub(endpoint: &Endpoint) -> String {
        let mut text = Digest::of(endpoint.as_str()).hex();
        text.truncate(16);
        text
    }
}

/// A leader's heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// A random lease ID.
    pub lease_id: u64,
    /// How often the lease was renewed.
    pub count: u64,
}

/// The result of trying to become the leader.
pub enum TryLease {
    /// This process is the leader until the lease is dropped.
    Acquired(Box<dyn Lease>),
    /// Another process is the leader; its last heartbeat.
    HeldBy(Heartbeat),
    /// Leases are unsupported here. Each process sends its own request.
    Unsupported,
}

/// A lease that is held. It is released when dropped, and when its process ends.
pub trait Lease: Send + Sync {
    /// The lease ID.
    fn id(&self) -> u64;
    /// Sends a heartbeat.
    fn renew(&mut self);
}

/// A cache that processes share.
pub trait SharedCache: Send + Sync {
    /// Returns a record of at most [`MAXIMUM_SIZE`] bytes.
    fn get(&self, key: &CacheKey, kind: RecordKind) -> Option<Vec<u8>>;
    /// Replaces a record atomically.
    fn put(&self, key: &CacheKey, kind: RecordKind, content: &[u8]);
    /// Removes a record.
    fn remove(&self, key: &CacheKey, kind: RecordKind);
    /// Removes all records about a token, about a Hub, or about a token at a Hub.
    fn invalidate(&self, token: Option<&str>, hub: Option<&str>);
    /// Tries to acquire the lease for a token. Does not wait.
    fn try_lease(&self, key: &CacheKey) -> TryLease;
    /// Checks between two polls whether the lease may still be held. Must be very cheap. Returning
    /// `true` is always correct; `false` makes a waiting process poll at once.
    fn is_leased(&self, _key: &CacheKey) -> bool {
        true
    }
    /// Breaks a lease without a heartbeat since `mark`. A lease that was renewed is left alone.
    fn break_stale(&self, key: &CacheKey, heartbeat: Heartbeat);
}
