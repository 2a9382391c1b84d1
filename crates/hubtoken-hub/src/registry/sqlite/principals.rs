//! The principal cache: the results of `authenticate`, kept until something changes.
//!
//! Every authenticated request needs its principal, and the database query costs many times what
//! the rest of a `whoami` does, so principals are cached by token digest. One rule makes this safe:
//! a change that affects any principal closes the cache *before* it commits, and reopens it, empty,
//! afterwards. While the cache is closed, no request is answered from it, and the result of a query
//! that began before it reopened is not cached. The old and the new value of a token therefore
//! never both work, not even briefly.
//!
//! The whole cache is dropped, not just the affected entries: changes are rare compared to
//! requests, and working out which entries are affected could go wrong. Only valid tokens are
//! cached, so guessing tokens cannot fill it.
//!
//! This relies on a data folder belonging to one process. A database shared by several Hubs would
//! have to do without this cache.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use time::OffsetDateTime;

use crate::registry::Principal;
use crate::secret::Digest;

/// The maximum number of entries. When it is reached, the cache is emptied. An entry takes about a
/// kilobyte.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct Principals(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Incremented whenever the cache closes or reopens.
    generation: u64,
    /// The number of commits in progress.
    closed: usize,
    by_digest: HashMap<Digest, Arc<Principal>>,
}

/// The cache generation when a database query began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

/// Keeps the cache closed until dropped.
#[derive(Debug)]
pub(super) struct Closed(Arc<Principals>);

impl Principals {
    /// Returns the cached result, or on a miss an `Err` with the value to pass to
    /// [`keep`](Self::keep).
    pub(super) fn get(&self, digest: &Digest, now: OffsetDateTime) -> Result<Answer, Moment> {
        let known = self.read();
        if known.closed > 0 {
            return Err(Moment(known.generation));
        }
        match known.by_digest.get(digest) {
            Some(principal) if is_expired(principal, now) => Ok(None),
            Some(principal) => Ok(Some(Arc::clone(principal))),
            None => Err(Moment(known.generation)),
        }
    }

    /// Caches a result, unless something has changed since the query began.
    pub(super) fn keep(&self, digest: &Digest, principal: &Arc<Principal>, began: Moment) {
        let mut known = self.write();
        if known.closed > 0 || known.generation != began.0 {
            return;
        }
        if known.by_digest.len() >= MOST {
            known.by_digest.clear();
        }
        known.by_digest.insert(*digest, Arc::clone(principal));
    }

    /// Empties the cache and keeps it closed until the returned guard is dropped.
    pub(super) fn close(self: &Arc<Self>) -> Closed {
        let mut known = self.write();
        known.closed += 1;
        known.generation += 1;
        known.by_digest.clear();
        drop(known);
        Closed(Arc::clone(self))
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token's principal, if the token is valid.
pub(super) type Answer = Option<Arc<Principal>>;

/// Whether the token has expired. The expiry time itself counts as expired.
pub(super) fn is_expired(principal: &Principal, now: OffsetDateTime) -> bool {
    principal
        .token
        .expires_at
        .is_some_and(|expiry| expiry <= now)
}

impl Drop for Closed {
    fn drop(&mut self) {
        let mut known = self.0.write();
        known.closed -= 1;
        // A query that began while the cache was closed may have read the state before the commit.
        known.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicI64;

    use super::*;
    use crate::registry::{GrantedRole, TokenInfo, User};

    const DIGEST: Digest = [7; 32];
    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn principal(expires_at: Option<OffsetDateTime>) -> Arc<Principal> {
        Arc::new(Principal {
            user: User {
                id: "a".to_owned(),
                name: "alice".to_owned(),
                fullname: String::new(),
                email: None,
                created_at: NOW,
            },
            memberships: Vec::new(),
            restrictions: Vec::new(),
            token: TokenInfo {
                id: "t".to_owned(),
                name: "ci".to_owned(),
                role: GrantedRole::Read,
                last4: "abcd".to_owned(),
                created_at: NOW,
                last_used_at: None,
                expires_at,
                inference_requests: 0,
            },
            whoami: OnceLock::new(),
            noted: AtomicI64::new(i64::MIN),
        })
    }

    fn began(principals: &Principals) -> Moment {
        principals.get(&DIGEST, NOW).unwrap_err()
    }

    #[test]
    fn an_answer_is_kept_until_something_changes() {
        let principals = Arc::new(Principals::default());
        let moment = began(&principals);
        principals.keep(&DIGEST, &principal(None), moment);
        assert!(principals.get(&DIGEST, NOW).unwrap().is_some());
        drop(principals.close());
        assert!(principals.get(&DIGEST, NOW).is_err());
    }

    #[test]
    fn an_answer_from_before_a_change_is_not_kept() {
        let principals = Arc::new(Principals::default());
        let before = began(&principals);
        let closed = principals.close();
        let during = began(&principals);
        principals.keep(&DIGEST, &principal(None), before);
        principals.keep(&DIGEST, &principal(None), during);
        assert!(principals.get(&DIGEST, NOW).is_err());
        drop(closed);
        principals.keep(&DIGEST, &principal(None), before);
        principals.keep(&DIGEST, &principal(None), during);
        assert!(principals.get(&DIGEST, NOW).is_err());
        let after = began(&principals);
        principals.keep(&DIGEST, &principal(None), after);
        assert!(principals.get(&DIGEST, NOW).is_ok());
    }

    #[test]
    fn it_is_closed_until_the_last_change_is_done() {
        let principals = Arc::new(Principals::default());
        let (first, second) = (principals.close(), principals.close());
        drop(first);
        let moment = began(&principals);
        principals.keep(&DIGEST, &principal(None), moment);
        assert!(principals.get(&DIGEST, NOW).is_err());
        drop(second);
        let moment = began(&principals);
        principals.keep(&DIGEST, &principal(None), moment);
        assert!(principals.get(&DIGEST, NOW).is_ok());
    }

    #[test]
    fn a_token_that_is_remembered_ends_on_time() {
        let principals = Principals::default();
        let end = NOW + time::Duration::seconds(10);
        let moment = began(&principals);
        principals.keep(&DIGEST, &principal(Some(end)), moment);
        let before = principals.get(&DIGEST, end - time::Duration::milliseconds(1));
        assert!(before.unwrap().is_some());
        assert!(principals.get(&DIGEST, end).unwrap().is_none());
    }
}
