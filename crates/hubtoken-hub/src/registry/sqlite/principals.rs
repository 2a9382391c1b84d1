//! Who is known by which token: the answers of `authenticate`, kept until something changes.
//!
//! Every request with a token asks whose it is, and the database's answer costs many times what the rest of a `whoami`
//! does. So answers are kept in memory, by digest. What makes this safe is one rule: a change that bears on any of them
//! closes the memory *before* it is committed and opens it again, empty, afterwards. While it is closed nobody is
//! answered from it, and an answer that was asked for before it opened again is not kept.
//!
//! All are forgotten, not only those that a change is about: changes are rare beside requests, and whoever works out
//! which ones matter can be wrong. Only valid tokens are kept, so nobody fills the memory with guesses.
//!
//! Principals are cached because every request needs one. A change that affects them closes the
//! cache before it commits and reopens it, empty, afterwards, so the old and the new value of a
//! token never both work, not even briefly. The whole cache is dropped, since changes are rare
//! beside requests. This relies on a data folder belonging to one process; a database shared by
//! several Hubs would need to do without it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use time::OffsetDateTime;

use crate::registry::Principal;
use crate::secret::Digest;

/// The most answers kept; then all are dropped and it starts anew. Each takes about a kilobyte.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct Principals(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Counts the times it was closed.
    generation: u64,
    /// How many changes are being committed.
    closed: usize,
    by_digest: HashMap<Digest, Arc<Principal>>,
}

/// When a question to the database began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

/// Keeps the memory closed until it is dropped.
#[derive(Debug)]
pub(super) struct Closed(Arc<Principals>);

impl Principals {
    /// The answer that is known; `Err` with what [`keep`](Self::keep) wants to be told when there is none.
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

    /// Keeps an answer, unless something changed since the question began.
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

    /// Forgets everything, and answers nobody until what is returned is dropped.
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

/// Whose token it is, if anybody's.
pub(super) type Answer = Option<Arc<Principal>>;

/// Whether its time is over: a token that has one ends at that moment, not a moment later.
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
        // Who asked while it was closed may have been answered from before the commit.
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
