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
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use time::OffsetDateTime;

use crate::registry::Principal;
use crate::secret::Digest;
use hubtoken_core::sync::{read_ignoring_poison, write_ignoring_poison};

/// The maximum number of entries. When it is reached, the cache is emptied. An entry takes about a
/// kilobyte.
const MAX_ENTRIES: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct PrincipalCache(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Incremented whenever the cache closes or reopens.
    generation: u64,
    /// The number of commits in progress.
    invalidating: usize,
    by_digest: HashMap<Digest, Arc<Principal>>,
}

/// The cache generation when a database query began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// Keeps the cache closed until dropped.
#[derive(Debug)]
pub(super) struct InvalidationGuard(Arc<PrincipalCache>);

impl PrincipalCache {
    /// Returns the cached result, or on a miss an `Err` with the value to pass to
    /// [`insert_current`](Self::insert_current).
    pub(super) fn get(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
    ) -> Result<CachedPrincipal, Generation> {
        let entries = self.read();
        if entries.invalidating > 0 {
            return Err(Generation(entries.generation));
        }
        match entries.by_digest.get(digest) {
            Some(principal) if is_expired(principal, now) => Ok(None),
            Some(principal) => Ok(Some(Arc::clone(principal))),
            None => Err(Generation(entries.generation)),
        }
    }

    /// Caches a result, unless something has changed since the query began.
    pub(super) fn insert_current(
        &self,
        digest: &Digest,
        principal: &Arc<Principal>,
        generation: Generation,
    ) {
        let mut entries = self.write();
        if entries.invalidating > 0 || entries.generation != generation.0 {
            return;
        }
        if entries.by_digest.len() >= MAX_ENTRIES {
            entries.by_digest.clear();
        }
        entries.by_digest.insert(*digest, Arc::clone(principal));
    }

    /// Empties the cache and keeps it closed until the returned guard is dropped.
    pub(super) fn invalidate(self: &Arc<Self>) -> InvalidationGuard {
        let mut entries = self.write();
        entries.invalidating += 1;
        entries.generation += 1;
        entries.by_digest.clear();
        drop(entries);
        InvalidationGuard(Arc::clone(self))
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        read_ignoring_poison(&self.0)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        write_ignoring_poison(&self.0)
    }
}

/// The token's principal, if the token is valid.
pub(super) type CachedPrincipal = Option<Arc<Principal>>;

/// Whether the token has expired. The expiry time itself counts as expired.
pub(super) fn is_expired(principal: &Principal, now: OffsetDateTime) -> bool {
    principal
        .token
        .expires_at
        .is_some_and(|expiry| expiry <= now)
}

impl Drop for InvalidationGuard {
    fn drop(&mut self) {
        let mut entries = self.0.write();
        entries.invalidating -= 1;
        // A query that began while the cache was closed may have read the state before the commit.
        entries.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicI64;

    use super::*;
    use crate::registry::{GrantedRole, TokenInfo, TokenOwner, User};

    const DIGEST: Digest = [7; 32];
    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn principal(expires_at: Option<OffsetDateTime>) -> Arc<Principal> {
        Arc::new(Principal {
            owner: TokenOwner::User(User {
                id: "a".to_owned(),
                name: "alice".to_owned(),
                fullname: String::new(),
                email: None,
                created_at: NOW,
            }),
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
            last_touched: AtomicI64::new(i64::MIN),
        })
    }

    fn generation(principal_cache: &PrincipalCache) -> Generation {
        principal_cache.get(&DIGEST, NOW).unwrap_err()
    }

    #[test]
    fn an_answer_is_kept_until_something_changes() {
        let principal_cache = Arc::new(PrincipalCache::default());
        let current = generation(&principal_cache);
        principal_cache.insert_current(&DIGEST, &principal(None), current);
        assert!(principal_cache.get(&DIGEST, NOW).unwrap().is_some());
        drop(principal_cache.invalidate());
        assert!(principal_cache.get(&DIGEST, NOW).is_err());
    }

    #[test]
    fn an_answer_from_before_a_change_is_not_kept() {
        let principal_cache = Arc::new(PrincipalCache::default());
        let before = generation(&principal_cache);
        let invalidating = principal_cache.invalidate();
        let during = generation(&principal_cache);
        principal_cache.insert_current(&DIGEST, &principal(None), before);
        principal_cache.insert_current(&DIGEST, &principal(None), during);
        assert!(principal_cache.get(&DIGEST, NOW).is_err());
        drop(invalidating);
        principal_cache.insert_current(&DIGEST, &principal(None), before);
        principal_cache.insert_current(&DIGEST, &principal(None), during);
        assert!(principal_cache.get(&DIGEST, NOW).is_err());
        let after = generation(&principal_cache);
        principal_cache.insert_current(&DIGEST, &principal(None), after);
        assert!(principal_cache.get(&DIGEST, NOW).is_ok());
    }

    #[test]
    fn it_is_closed_until_the_last_change_is_done() {
        let principal_cache = Arc::new(PrincipalCache::default());
        let (first, second) = (principal_cache.invalidate(), principal_cache.invalidate());
        drop(first);
        let current = generation(&principal_cache);
        principal_cache.insert_current(&DIGEST, &principal(None), current);
        assert!(principal_cache.get(&DIGEST, NOW).is_err());
        drop(second);
        let current = generation(&principal_cache);
        principal_cache.insert_current(&DIGEST, &principal(None), current);
        assert!(principal_cache.get(&DIGEST, NOW).is_ok());
    }

    #[test]
    fn a_token_that_is_remembered_ends_on_time() {
        let principal_cache = PrincipalCache::default();
        let end = NOW + time::Duration::seconds(10);
        let current = generation(&principal_cache);
        principal_cache.insert_current(&DIGEST, &principal(Some(end)), current);
        let before = principal_cache.get(&DIGEST, end - time::Duration::milliseconds(1));
        assert!(before.unwrap().is_some());
        assert!(principal_cache.get(&DIGEST, end).unwrap().is_none());
    }
}
