//! What a client remembers, and what each answer means for the rest of it.
//!
//! A server sees many tokens, and most of those that it has never seen before may be made up. So
//! what a *no* leaves behind has bounds of its own: a rejection pushes out other rejections, and
//! nothing that was answered with *yes*. It also looks at nothing but its own token, since a
//! stream of made-up tokens must not make the others wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::endpoint::Endpoint;
use crate::identity::cache::Cache;
use crate::identity::check::Check;
use crate::identity::grouped::GroupedCache;
use crate::identity::key::Key;
use crate::identity::model::Identity;
use crate::identity::shared::MAXIMUM_LIMIT;
use crate::identity::{CHECK_LIFETIME, IDENTITY_LIFETIME};
use crate::token::Digest;

/// How many identities are kept.
const IDENTITIES: usize = 16_384;
/// How many bytes all identities may have together. One has a few hundred, or one for each of its
/// organisations and scopes.
const IDENTITY_BYTES: usize = 64 * 1024 * 1024;
/// How many rejections, and how many rate limits, are kept.
const REJECTIONS: usize = 1_024;
/// How many allowed auth-checks, and how many decisions, are kept.
const CHECKS: usize = 16_384;

/// A decision that was made, so that the next call need not make it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The token and its Hub.
    pub key: Key,
    /// The question, in the caller's own words.
    pub question: String,
}

/// Everything that is known, by token.
pub(super) struct Memory {
    identities: Cache<Key, Arc<Identity>>,
    rejections: Cache<Key, ()>,
    /// Until when the Hub wants to be left alone.
    limits: Cache<Key, Instant>,
    checks: GroupedCache<Key, Check, ()>,
    grants: GroupedCache<Key, String, (Instant, Option<Instant>)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            identities: Cache::weighed(IDENTITIES, IDENTITY_BYTES, |identity| weight(identity)),
            rejections: Cache::new(REJECTIONS),
            limits: Cache::new(REJECTIONS),
            checks: GroupedCache::new(CHECKS),
            grants: GroupedCache::new(CHECKS),
        }
    }
}

/// About how many bytes an identity has.
fn weight(identity: &Identity) -> usize {
    let list = |texts: &[String]| texts.iter().map(|text| text.len() + 24).sum::<usize>();
    let organizations = identity.organizations.iter().map(|organization| {
        size_of_val(organization)
            + organization.name.len()
            + organization.full_name.as_deref().map_or(0, str::len)
            + list(&organization.security_restrictions)
    });
    let scopes = identity.scopes.iter().map(|scope| {
        size_of_val(scope)
            + scope.entity_name.as_deref().map_or(0, str::len)
            + list(&scope.permissions)
    });
    size_of_val(identity)
        + identity.user.len()
        + identity.full_name.as_deref().map_or(0, str::len)
        + list(&identity.global_permissions)
        + organizations.sum::<usize>()
        + scopes.sum::<usize>()
}

impl Memory {
    /// An identity that was asked for at `limit` or later, and has not ended.
    pub(super) fn identity(
        &self,
        key: &Key,
        limit: Option<Instant>,
    ) -> Option<(Instant, Arc<Identity>)> {
        self.identities.get(key, limit).filter(|(_, identity)| {
            identity
                .expires_at
                .is_none_or(|end| end > OffsetDateTime::now_utc())
        })
    }

    pub(super) fn is_rejected(&self, key: &Key, limit: Option<Instant>) -> bool {
        self.rejections.get(key, limit).is_some()
    }

    /// For how long the Hub still wants to be left alone.
    pub(super) fn limit(&self, key: &Key, now: Instant) -> Option<Duration> {
        let (_, end) = self.limits.get(key, None)?;
        let left = end.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn is_allowed(&self, check: &Check, limit: Option<Instant>) -> Option<Instant> {
        let (asked, ()) = self.checks.get(&check.key, check, limit)?;
        Some(asked)
    }

    pub(super) fn keep_identity(&self, key: Key, asked: Instant, identity: Arc<Identity>) {
        self.limits.remove(&key);
        self.identities.insert(key, asked, identity);
    }

    /// Keeps that a token is dead, and drops what it had, unless that was asked for later.
    /// Whether it had an identity.
    pub(super) fn keep_rejection(&self, key: Key, asked: Instant) -> bool {
        if self.identities.get(&key, Some(asked)).is_some() {
            return false;
        }
        let known = self.identities.remove(&key);
        self.checks.remove(&key);
        self.grants.remove(&key);
        self.rejections.insert(key, asked, ());
        known
    }

    /// Keeps that the Hub wants to be left alone from now on; for an hour at most.
    pub(super) fn keep_limit(&self, key: Key, now: Instant, length: Duration) {
        self.limits
            .insert(key, now, now + length.min(MAXIMUM_LIMIT));
    }

    pub(super) fn keep_check(&self, check: Check, asked: Instant) {
        self.checks.insert(check.key.clone(), check, asked, ());
    }

    pub(super) fn is_granted(
        &self,
        grant: &Grant,
        now: Instant,
        max_age: Option<Duration>,
    ) -> bool {
        let young = |asked: Instant, lifetime: Duration| {
            let age = max_age.map_or(lifetime, |age| age.min(lifetime));
            now.saturating_duration_since(asked) <= age
        };
        max_age != Some(Duration::ZERO)
            && self
                .grants
                .get(&grant.key, &grant.question, None)
                .is_some_and(|(_, (identity, check))| {
                    young(identity, max_age.unwrap_or(IDENTITY_LIFETIME))
                        && check.is_none_or(|asked| young(asked, CHECK_LIFETIME))
                })
    }

    pub(super) fn keep_grant(
        &self,
        grant: Grant,
        now: Instant,
        identity: Instant,
        check: Option<Instant>,
    ) {
        self.grants
            .insert(grant.key, grant.question, now, (identity, check));
    }

    pub(super) fn forget(&self, digest: &Digest) {
        self.forget_all(|key| key.digest == *digest);
    }

    pub(super) fn forget_endpoint(&self, endpoint: &Endpoint) {
        self.forget_all(|key| key.endpoint == *endpoint);
    }

    fn forget_all(&self, fits: impl Fn(&Key) -> bool) {
        self.identities.remove_all(&fits);
        self.rejections.remove_all(&fits);
        self.limits.remove_all(&fits);
        self.checks.remove_all(&fits);
        self.grants.remove_all(&fits);
    }
}

#[cfg(test)]
mod tests;
