//! What a client remembers, and what each answer means for the rest of it.
//!
//! A server sees many tokens, and most of those that it has never seen before may be made up. So
//! what a *no* leaves behind has bounds of its own: a rejection pushes out other rejections, and
//! nothing that was answered with *yes*. It also looks at nothing but its own token, since a
//! stream of made-up tokens must not make the others wait.
//!
//! What was answered with *yes* is kept with the end of its token, as far as that is known, and is
//! gone after it. It is also gone when something else is heard later: another identity, another
//! end, a *no* of the auth-check. Who keeps a *yes* keeps it first and then looks whether something
//! later is known, and who hears something keeps that first and then drops what it ends; so neither
//! escapes the other, whichever comes first.
//!
//! A *yes* is cached as a whole. A granted request is kept with the times of its two halves
//! (identity, auth-check), so the next `require_role` is a single lookup. A *no*, an unknown
//! verdict, and the right to create a repository that does not exist yet are never cached. Each
//! entry carries the earliest known end of its token, after which the entry is invalid; the wall
//! clock is read only where an end is known.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::identity::cache::Cache;
use crate::identity::check::Check;
use crate::identity::failure::Failure;
use crate::identity::freshness::Repeated;
use crate::identity::grouped::GroupedCache;
use crate::identity::key::Key;
use crate::identity::model::Identity;
use crate::identity::shared::{LimitScope, MAXIMUM_LIMIT};
use crate::identity::{CHECK_LIFETIME, IDENTITY_LIFETIME};
use crate::known_end::KnownEnd;
use crate::token::Digest;

/// How many identities are kept.
const IDENTITIES: usize = 16_384;
/// How many bytes all identities may have together. One has a few hundred, or one for each of its
/// organizations and scopes.
const IDENTITY_BYTES: usize = 64 * 1024 * 1024;
/// How many rejections, and how many rate limits, are kept.
const REJECTIONS: usize = 1_024;
/// How many allowed auth-checks, and how many decisions, are kept.
const CHECKS: usize = 16_384;
/// How many denials are kept: how often each was repeated.
const DENIALS: usize = 4_096;

/// A decision that was made, so that the next call need not make it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant<'a> {
    /// The token and its Hub.
    pub key: Key,
    /// The question, in the caller's own words.
    pub question: Cow<'a, str>,
}

/// Everything that is known, by token.
pub(super) struct Memory {
    identities: Cache<Key, (Arc<Identity>, KnownEnd)>,
    rejections: Cache<Key, Repeated>,
    /// When the auth-check refused something to a token last.
    refusals: Cache<Key, Instant>,
    /// Until when the Hub wants to be left alone.
    limits: Cache<(Key, LimitScope), Instant>,
    checks: GroupedCache<Key, Check, KnownEnd>,
    grants: GroupedCache<Key, String, (Instant, Option<Instant>, KnownEnd)>,
    /// How often a question was answered with *no*, by the digest of the question.
    denials: GroupedCache<Key, Digest, Repeated>,
    /// Questions before a *no* that nobody answered.
    unanswered: Cache<Key, Failure>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            identities: Cache::weighed(IDENTITIES, IDENTITY_BYTES, |(identity, _)| {
                weight(identity)
            }),
            rejections: Cache::new(REJECTIONS),
            refusals: Cache::new(REJECTIONS),
            limits: Cache::new(REJECTIONS),
            checks: GroupedCache::new(CHECKS),
            grants: GroupedCache::new(CHECKS),
            denials: GroupedCache::new(DENIALS),
            unanswered: Cache::new(REJECTIONS),
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
        let (asked, (identity, end)) = self.identities.get(key, limit)?;
        (!end.is_over()).then_some((asked, identity))
    }

    /// The end that is known of a token, by its last identity.
    fn end(&self, key: &Key) -> KnownEnd {
        let known = self.identities.get(key, None);
        known.map(|(_, (_, end))| end).unwrap_or_default()
    }

    /// When the Hub was asked last and did not know the token, and how often that repeated.
    pub(super) fn rejection(&self, key: &Key) -> Option<(Instant, Repeated)> {
        self.rejections.get(key, None)
    }

    /// For how long the Hub still wants to be left alone.
    pub(super) fn limit(&self, key: &Key, scope: LimitScope, now: Instant) -> Option<Duration> {
        let (_, end) = self.limits.get(&(key.clone(), scope), None)?;
        let left = end.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn is_allowed(&self, check: &Check, limit: Option<Instant>) -> Option<Instant> {
        let (asked, end) = self.checks.get(&check.key, check, limit)?;
        (!end.is_over()).then_some(asked)
    }

    /// Keeps an identity; `end` is what is known of the token's besides.
    pub(super) fn keep_identity(
        &self,
        key: &Key,
        asked: Instant,
        identity: Arc<Identity>,
        end: KnownEnd,
    ) {
        // An identity from the disk may be older than what this process has learned since.
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

    /// Keeps that a token is dead, and drops what it had, unless that was asked for later.
    /// Whether it had an identity.
    pub(super) fn keep_rejection(&self, key: &Key, asked: Instant, repeated: Repeated) -> bool {
        if self.identities.get(key, Some(asked)).is_some() {
            return false;
        }
        self.rejections.insert(key.clone(), asked, repeated);
        let known = self.identities.remove(key);
        self.checks.remove(key);
        self.grants.remove(key);
        self.unanswered.remove(key);
        known
    }

    /// Keeps that the Hub wants to be left alone from now on; for an hour at most.
    pub(super) fn keep_limit(&self, key: Key, scope: LimitScope, now: Instant, length: Duration) {
        self.limits
            .insert((key, scope), now, now + length.min(MAXIMUM_LIMIT));
    }

    /// Keeps that a check was allowed; `end` is what is known of the token's besides its identity.
    pub(super) fn keep_check(&self, check: &Check, asked: Instant, end: KnownEnd) {
        let end = end.earlier(self.end(&check.key));
        let key = &check.key;
        self.checks.insert(key.clone(), check.clone(), asked, end);
        if self.is_outdated(key, None, Some(asked)) {
            self.checks.remove_one(key, check);
        }
    }

    /// Drops a check that the Hub has answered in another way, and every decision about the token:
    /// which of them rest on the check is not written down.
    pub(super) fn drop_check(&self, check: &Check, asked: Instant) {
        self.refusals.insert(check.key.clone(), asked, asked);
        self.checks.remove_one(&check.key, check);
        self.grants.remove(&check.key);
    }

    /// Whether something was heard later than what a *yes* rests on: the `identity` and the `check`.
    fn is_outdated(&self, key: &Key, identity: Option<Instant>, check: Option<Instant>) -> bool {
        let is_later = |heard: Option<Instant>, than: Option<Instant>| {
            heard.zip(than).is_some_and(|(heard, than)| heard > than)
        };
        let rejected = self.rejections.get(key, None).map(|(asked, _)| asked);
        let known = self.identities.get(key, None).map(|(asked, _)| asked);
        let refused = self.refusals.get(key, None).map(|(asked, _)| asked);
        is_later(known, identity)
            || is_later(rejected, identity.or(check))
            || is_later(refused, check)
    }

    pub(super) fn is_granted(
        &self,
        grant: &Grant<'_>,
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
                .get(&grant.key, grant.question.as_ref(), None)
                .is_some_and(|(_, (identity, check, end))| {
                    young(identity, max_age.unwrap_or(IDENTITY_LIFETIME))
                        && check.is_none_or(|asked| young(asked, CHECK_LIFETIME))
                        && !end.is_over()
                })
    }

    pub(super) fn keep_grant(
        &self,
        grant: Grant<'_>,
        now: Instant,
        identity: Instant,
        check: Option<Instant>,
        end: KnownEnd,
    ) {
        let Grant { key, question } = grant;
        let decision = (identity, check, end);
        self.grants
            .insert(key.clone(), question.clone().into_owned(), now, decision);
        if self.is_outdated(&key, Some(identity), check) {
            self.grants.remove_one(&key, question.as_ref());
        }
    }

    /// Drops a decision that has become another.
    pub(super) fn drop_grant(&self, grant: &Grant<'_>) {
        self.grants.remove_one(&grant.key, grant.question.as_ref());
    }

    /// How often a question was answered with *no*.
    pub(super) fn denial(&self, key: &Key, question: &Digest) -> Option<Repeated> {
        let (_, repeated) = self.denials.get(key, question, None)?;
        Some(repeated)
    }

    pub(super) fn keep_denial(&self, key: Key, question: Digest, repeated: Repeated) {
        self.denials
            .insert(key, question, repeated.confirmed, repeated);
    }

    /// Forgets how often the questions about a token were answered with *no*.
    pub(super) fn drop_denials(&self, key: &Key) {
        self.denials.remove(key);
    }

    /// Why nobody answered the question before a *no*, if that was asked at `limit` or later.
    pub(super) fn unanswered(&self, key: &Key, limit: Option<Instant>) -> Option<Failure> {
        let (_, failure) = self.unanswered.get(key, limit)?;
        Some(failure)
    }

    pub(super) fn keep_unanswered(&self, key: Key, asked: Instant, failure: Failure) {
        self.unanswered.insert(key, asked, failure);
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
        self.refusals.remove_all(&fits);
        self.limits.remove_all(|(key, _)| fits(key));
        self.checks.remove_all(&fits);
        self.grants.remove_all(&fits);
        self.denials.remove_all(&fits);
        self.unanswered.remove_all(&fits);
    }
}

#[cfg(test)]
mod tests;
