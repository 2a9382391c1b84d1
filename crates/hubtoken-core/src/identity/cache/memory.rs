//! The client's in-memory caches, and how each answer affects the others.
//!
//! A server sees many tokens, and most of those it has never seen before may be made up. Rejections
//! and denials therefore have bounds of their own: a rejection evicts only other rejections, never
//! a positive answer. It also touches only its own token, since a stream of made-up tokens must not
//! slow down the others.
//!
//! A positive answer is cached with the token's end, if known, and is invalid afterwards. It is
//! also dropped when a later answer contradicts it: another identity, another end, a denial from
//! the auth-check. A grant is inserted first and then checked against later answers; a later answer
//! is inserted first and then drops the grants it invalidates. So neither can miss the other,
//! whichever comes first.
//!
//! A grant is cached as a whole, with the times of its two halves (identity, auth-check), so the
//! next `require_role` is a single lookup. A denial, an unknown verdict, and the right to create a
//! repository that does not exist yet are never cached. Each entry carries the earliest known end
//! of its token, after which the entry is invalid; the wall clock is read only where an end is
//! known.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::error::ResponseDetails;
use crate::expiry::Expiry;
use crate::identity::auth_check::AuthCheck;
use crate::identity::cache::bounded::BoundedCache;
use crate::identity::cache::grouped::GroupedCache;
use crate::identity::cache::key::Key;
use crate::identity::cache::shared::{LimitScope, MAXIMUM_LIMIT, RateLimit};
use crate::identity::failure::Failure;
use crate::identity::freshness::{Rejection, Repeated};
use crate::identity::model::Identity;
use crate::identity::{CHECK_LIFETIME, IDENTITY_LIFETIME};
use crate::token::Digest;

/// The maximum number of identities.
const IDENTITIES: usize = 16_384;
/// The maximum total size of all identities. Each takes a few hundred bytes, and about a hundred
/// more per organization and scope.
const IDENTITY_BYTES: usize = 64 * 1024 * 1024;
/// The maximum number of rejections, and of rate limits.
const REJECTIONS: usize = 1_024;
/// The maximum number of allowed auth-checks, and of granted decisions.
const CHECKS: usize = 16_384;
/// The maximum number of denials, each with its repeat count.
const DENIALS: usize = 4_096;

/// A granted requirement, cached so that the next call need not evaluate it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecisionKey<'a> {
    /// The token and its Hub.
    pub key: Key,
    /// The requirement, as a string chosen by the caller.
    pub request: Cow<'a, str>,
}

/// All caches of a client, by token.
pub(in crate::identity) struct ClientCache {
    identities: BoundedCache<Key, (Arc<Identity>, Expiry)>,
    rejections: BoundedCache<Key, (Repeated, ResponseDetails)>,
    /// When the auth-check last denied something to a token.
    refusals: BoundedCache<Key, Instant>,
    /// Until when the Hub's rate limit lasts.
    limits: BoundedCache<(Key, LimitScope), (Instant, ResponseDetails)>,
    checks: GroupedCache<Key, AuthCheck, Expiry>,
    grants: GroupedCache<Key, String, (Instant, Option<Instant>, Expiry)>,
    /// How often a requirement was denied, by the requirement's digest.
    denials: GroupedCache<Key, Digest, Repeated>,
    /// Requests before a denial that went unanswered.
    unanswered: BoundedCache<Key, Failure>,
}

impl Default for ClientCache {
    fn default() -> Self {
        Self {
            identities: BoundedCache::with_weigher(IDENTITIES, IDENTITY_BYTES, |(identity, _)| {
                estimated_size(identity)
            }),
            rejections: BoundedCache::new(REJECTIONS),
            refusals: BoundedCache::new(REJECTIONS),
            limits: BoundedCache::new(REJECTIONS),
            checks: GroupedCache::new(CHECKS),
            grants: GroupedCache::new(CHECKS),
            denials: GroupedCache::new(DENIALS),
            unanswered: BoundedCache::new(REJECTIONS),
        }
    }
}

/// The approximate size of an identity in bytes.
fn estimated_size(identity: &Identity) -> usize {
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

impl ClientCache {
    /// Returns an identity that was requested at `limit` or later and has not expired.
    pub(in crate::identity) fn identity(
        &self,
        key: &Key,
        limit: Option<Instant>,
    ) -> Option<(Instant, Arc<Identity>)> {
        let (asked, (identity, end)) = self.identities.get(key, limit)?;
        (!end.has_passed()).then_some((asked, identity))
    }

    /// The token's known end, from its last identity.
    fn end(&self, key: &Key) -> Expiry {
        let known = self.identities.get(key, None);
        known.map(|(_, (_, end))| end).unwrap_or_default()
    }

    /// The Hub's last rejection of the token.
    pub(in crate::identity) fn rejection(&self, key: &Key) -> Option<Rejection> {
        let (asked, (repeated, response)) = self.rejections.get(key, None)?;
        Some(Rejection {
            asked,
            repeated,
            response,
        })
    }

    /// The Hub's rate limit, if it still lasts.
    pub(in crate::identity) fn limit(
        &self,
        key: &Key,
        scope: LimitScope,
        now: Instant,
    ) -> Option<RateLimit> {
        let (_, (end, response)) = self.limits.get(&(key.clone(), scope), None)?;
        let left = end.checked_duration_since(now)?;
        (!left.is_zero()).then_some(RateLimit { left, response })
    }

    pub(in crate::identity) fn is_allowed(
        &self,
        check: &AuthCheck,
        limit: Option<Instant>,
    ) -> Option<Instant> {
        let (asked, end) = self.checks.get(&check.key, check, limit)?;
        (!end.has_passed()).then_some(asked)
    }

    /// Caches an identity. `end` is the token's end as known from other sources.
    pub(in crate::identity) fn insert_identity(
        &self,
        key: &Key,
        asked: Instant,
        identity: Arc<Identity>,
        end: Expiry,
    ) {
        // An identity from disk may be older than what this process has learned since.
        let limit = (key.clone(), LimitScope::Whoami);
        self.limits.remove_if(&limit, |kept| kept <= asked);
        self.unanswered.remove_if(key, |kept| kept <= asked);
        self.rejections.remove_if(key, |kept| kept < asked);
        let end = end.earlier(identity.expires_at.into());
        let known = self.identities.get(key, None);
        let is_news = known.is_none_or(|(then, (known, known_end))| {
            then <= asked && (known_end != end || known != identity)
        });
        self.identities.insert(key.clone(), asked, (identity, end));
        if is_news {
            self.checks.remove(key);
            self.grants.remove(key);
        }
    }

    /// Caches a rejection and drops what was cached for the token, unless the Hub accepted the
    /// token in a later request. Returns whether an identity was cached.
    pub(in crate::identity) fn insert_rejection(&self, key: &Key, rejection: Rejection) -> bool {
        let Rejection {
            asked,
            repeated,
            response,
        } = rejection;
        if self.identities.get(key, Some(asked)).is_some() {
            return false;
        }
        self.rejections
            .insert(key.clone(), asked, (repeated, response));
        let known = self.identities.remove(key);
        self.checks.remove(key);
        self.grants.remove(key);
        self.unanswered.remove(key);
        known
    }

    /// Caches a rate limit that starts now and lasts at most an hour.
    pub(in crate::identity) fn insert_limit(
        &self,
        key: Key,
        scope: LimitScope,
        now: Instant,
        limit: RateLimit,
    ) {
        let end = now + limit.left.min(MAXIMUM_LIMIT);
        self.limits.insert((key, scope), now, (end, limit.response));
    }

    /// Caches an allowed auth-check. `end` is the token's end as known from sources other than its
    /// identity.
    pub(in crate::identity) fn insert_check(&self, check: &AuthCheck, asked: Instant, end: Expiry) {
        let end = end.earlier(self.end(&check.key));
        let key = &check.key;
        self.checks.insert(key.clone(), check.clone(), asked, end);
        if self.is_outdated(key, None, Some(asked)) {
            self.checks.remove_one(key, check);
        }
    }

    /// Drops an auth-check with another outcome, and every grant of the token: which of them rest
    /// on the check is not recorded.
    pub(in crate::identity) fn remove_check(&self, check: &AuthCheck, asked: Instant) {
        self.refusals.insert(check.key.clone(), asked, asked);
        self.checks.remove_one(&check.key, check);
        self.grants.remove(&check.key);
    }

    /// Whether a later answer contradicts what a grant rests on: the `identity` and the `check`.
    fn is_outdated(&self, key: &Key, identity: Option<Instant>, check: Option<Instant>) -> bool {
        let is_later = |update: Option<Instant>, than: Option<Instant>| {
            update.zip(than).is_some_and(|(update, than)| update > than)
        };
        let rejected = self.rejections.get(key, None).map(|(asked, _)| asked);
        let known = self.identities.get(key, None).map(|(asked, _)| asked);
        let refused = self.refusals.get(key, None).map(|(asked, _)| asked);
        is_later(known, identity)
            || is_later(rejected, identity.or(check))
            || is_later(refused, check)
    }

    /// The known end of the token, if a decision is a grant.
    pub(in crate::identity) fn granted_until(
        &self,
        decision: &DecisionKey<'_>,
        now: Instant,
        max_age: Option<Duration>,
    ) -> Option<Expiry> {
        let young = |asked: Instant, lifetime: Duration| {
            let age = max_age.map_or(lifetime, |age| age.min(lifetime));
            now.saturating_duration_since(asked) <= age
        };
        if max_age == Some(Duration::ZERO) {
            return None;
        }
        let (_, (identity, check, end)) =
            self.grants
                .get(&decision.key, decision.request.as_ref(), None)?;
        let is_valid = young(identity, max_age.unwrap_or(IDENTITY_LIFETIME))
            && check.is_none_or(|asked| young(asked, CHECK_LIFETIME))
            && !end.has_passed();
        is_valid.then_some(end)
    }

    pub(in crate::identity) fn insert_grant(
        &self,
        decision: DecisionKey<'_>,
        now: Instant,
        identity: Instant,
        check: Option<Instant>,
        end: Expiry,
    ) {
        let DecisionKey { key, request } = decision;
        let decision = (identity, check, end);
        self.grants
            .insert(key.clone(), request.clone().into_owned(), now, decision);
        if self.is_outdated(&key, Some(identity), check) {
            self.grants.remove_one(&key, request.as_ref());
        }
    }

    /// Drops a grant whose decision has changed.
    pub(in crate::identity) fn remove_grant(&self, decision: &DecisionKey<'_>) {
        self.grants
            .remove_one(&decision.key, decision.request.as_ref());
    }

    /// How often a requirement was denied.
    pub(in crate::identity) fn denial(&self, key: &Key, request: &Digest) -> Option<Repeated> {
        let (_, repeated) = self.denials.get(key, request, None)?;
        Some(repeated)
    }

    pub(in crate::identity) fn insert_denial(&self, key: Key, request: Digest, repeated: Repeated) {
        self.denials
            .insert(key, request, repeated.confirmed, repeated);
    }

    /// Forgets how often the token's requirements were denied.
    pub(in crate::identity) fn remove_denials(&self, key: &Key) {
        self.denials.remove(key);
    }

    /// Why a request before a denial went unanswered, if it was sent at `limit` or later.
    pub(in crate::identity) fn unanswered(
        &self,
        key: &Key,
        limit: Option<Instant>,
    ) -> Option<Failure> {
        let (_, failure) = self.unanswered.get(key, limit)?;
        Some(failure)
    }

    pub(in crate::identity) fn insert_unanswered(
        &self,
        key: Key,
        asked: Instant,
        failure: Failure,
    ) {
        self.unanswered.insert(key, asked, failure);
    }

    pub(in crate::identity) fn invalidate(&self, digest: &Digest) {
        self.invalidate_all(|key| key.digest == *digest);
    }

    pub(in crate::identity) fn invalidate_endpoint(&self, endpoint: &Endpoint) {
        self.invalidate_all(|key| key.endpoint == *endpoint);
    }

    /// Removes everything except rate limits.
    pub(in crate::identity) fn clear(&self) {
        self.remove_answers(|_| true);
    }

    fn invalidate_all(&self, fits: impl Fn(&Key) -> bool) {
        self.limits.remove_all(|(key, _)| fits(key));
        self.remove_answers(fits);
    }

    fn remove_answers(&self, fits: impl Fn(&Key) -> bool) {
        self.identities.remove_all(&fits);
        self.rejections.remove_all(&fits);
        self.refusals.remove_all(&fits);
        self.checks.remove_all(&fits);
        self.grants.remove_all(&fits);
        self.denials.remove_all(&fits);
        self.unanswered.remove_all(&fits);
    }
}

#[cfg(test)]
mod tests;
