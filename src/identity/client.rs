//! Asks the Hub about tokens, and remembers.

mod flying;
mod question;

use std::hash::Hash;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::cache::Cache;
use super::check::{Check, Permit};
use super::disk::DiskCache;
use super::failure::Failure;
use super::flight::Flights;
use super::model::Identity;
use super::runtime::Runtime;
use super::shared::{Moment, Place, Shared, SharedCache};
use super::{CHECK_LIFETIME, IDENTITY_LIFETIME, Interrupt, Options, REJECTION_LIFETIME};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::{self, Settings, Transport};
use crate::sync::lock;
use crate::token::Digest;
use question::{Question, limited};

/// How many identities are kept: a server sees many tokens.
const IDENTITIES: usize = 16_384;
/// How many rejections are kept. A stream of made-up tokens evicts other rejections only.
const REJECTIONS: usize = 1_024;
/// How many allowed auth-checks and decisions are kept.
const CHECKS: usize = 16_384;

/// A token at its Hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    digest: Digest,
    endpoint: Endpoint,
}

/// A decision that was made, so that the next call need not make it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The token.
    pub digest: Digest,
    /// The Hub.
    pub endpoint: Endpoint,
    /// The question, in the caller's own words.
    pub question: String,
}

/// The way to one Hub, made ready while the environment may be read.
#[derive(Clone)]
pub struct Line {
    http: Result<reqwest::Client, Error>,
    offline: bool,
    cache: Option<Arc<DiskCache>>,
}

/// An identity, and whether it is only the last that is known.
pub struct Known {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// When it was asked for.
    pub asked: Instant,
    /// Its age and why no newer one could be had.
    pub stale: Option<(Duration, Failure)>,
}

type Answered = Result<(Instant, Arc<Identity>), Failure>;
type Permitted = Result<(Instant, Permit), Failure>;

/// A Hub client with its caches.
pub struct Client {
    transport: Transport,
    runtime: Runtime,
    // One for each folder that was used: nearly always one.
    disks: Mutex<Vec<Arc<DiskCache>>>,
    identities: Cache<Key, Arc<Identity>>,
    rejections: Cache<Key, ()>,
    checks: Cache<Check, ()>,
    grants: Cache<Grant, (Instant, Option<Instant>)>,
    identity_flights: Flights<Key, Answered>,
    check_flights: Flights<Check, Permitted>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            transport: Transport::default(),
            runtime: Runtime::default(),
            disks: Mutex::default(),
            identities: Cache::new(IDENTITIES),
            rejections: Cache::new(REJECTIONS),
            checks: Cache::new(CHECKS),
            grants: Cache::new(CHECKS),
            identity_flights: Flights::default(),
            check_flights: Flights::default(),
        }
    }
}

/// The moment before which an answer is too old; `None` when no answer can be.
fn not_before(now: Instant, age: Duration) -> Option<Instant> {
    now.checked_sub(age)
}

impl Client {
    /// Makes the way to a Hub ready. Reads certificates when needed, but asks nobody.
    #[must_use]
    pub fn line(&self, endpoint: &Endpoint, settings: &Settings) -> Line {
        Line {
            http: self.transport.client(endpoint, settings),
            offline: settings.offline,
            cache: settings
                .identities
                .as_deref()
                .map(|folder| self.disk(folder)),
        }
    }

    /// Drops everything that is known of a token, also what the machine's processes share.
    pub fn forget_shared(&self, settings: &Settings, digest: Digest) {
        if let Some(folder) = settings.identities.as_deref() {
            self.disk(folder);
        }
        self.forget(digest);
    }

    /// The cache in a folder. What is forgotten from now on is forgotten there as well.
    pub fn disk(&self, folder: &Path) -> Arc<DiskCache> {
        let mut disks = lock(&self.disks);
        if let Some(known) = disks.iter().find(|disk| disk.folder() == folder) {
            return known.clone();
        }
        let disk = Arc::new(DiskCache::new(folder.to_owned()));
        disks.push(disk.clone());
        disk
    }

    /// An identity that is known and young enough; asks nobody.
    #[must_use]
    pub fn recall(
        &self,
        credential: &Credential,
        max_age: Option<Duration>,
    ) -> Option<Arc<Identity>> {
        let limit = not_before(Instant::now(), max_age.unwrap_or(IDENTITY_LIFETIME));
        self.young(&Key::of(credential), limit)
            .map(|(_, identity)| identity)
    }

    fn young(&self, key: &Key, limit: Option<Instant>) -> Option<(Instant, Arc<Identity>)> {
        self.identities.get(key, limit).filter(|(_, identity)| {
            identity
                .expires_at
                .is_none_or(|end| end > OffsetDateTime::now_utc())
        })
    }

    /// Who a token belongs to.
    ///
    /// # Errors
    ///
    /// [`Failure`], when the Hub rejects the token, or when nothing is known and no identity of
    /// at most `max_stale` is.
    pub fn identify(
        self: &Arc<Self>,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Known, Failure> {
        let key = Key::of(credential);
        let now = Instant::now();
        let limit = not_before(now, options.max_age.unwrap_or(IDENTITY_LIFETIME));
        let rejected = not_before(
            now,
            options
                .max_age
                .unwrap_or(REJECTION_LIFETIME)
                .min(REJECTION_LIFETIME),
        );
        let recall = |client: &Self| {
            if let Some(known) = client.young(&key, limit) {
                return Some(Ok(known));
            }
            client
                .rejections
                .get(&key, rejected)
                .map(|_| Err(Failure::Rejected))
        };
        let shared = line.shared(&key);
        let told = |client: &Self| client.told(&key, shared.as_ref()?, limit, rejected);
        let ask = || {
            let http = line.http()?;
            // Also for who asks anew: the Hub has said that it will not answer.
            shared.as_ref().map_or(Ok(()), limited)?;
            let question = Question {
                key: key.clone(),
                credential: credential.clone(),
                http,
                timeout: options.timeout,
                shared: shared.clone(),
                limit,
                rejected,
            };
            let client = self.clone();
            self.fly(
                |client| &client.identity_flights,
                &key,
                limit,
                options.timeout,
                interrupt,
                recall,
                move |asked| client.learn(question, asked),
            )
        };
        let outcome = recall(self).or_else(|| told(self)).unwrap_or_else(|| {
            loop {
                let outcome = ask();
                // A flight may bring what another process learnt, which is as old as its leader
                // liked it; the next one may be led by this caller.
                let is_old = |asked: Instant| limit.is_some_and(|limit| asked < limit);
                if !matches!(&outcome, Ok((asked, _)) if is_old(*asked)) {
                    return outcome;
                }
            }
        });
        match outcome {
            Ok((asked, identity)) => Ok(Known {
                identity,
                asked,
                stale: None,
            }),
            Err(failure) if failure.says_nothing() => {
                let limit = not_before(now, options.max_stale);
                let known = self
                    .young(&key, limit)
                    .or_else(|| self.told(&key, shared.as_ref()?, limit, Some(now))?.ok());
                match known {
                    Some((asked, identity)) => Ok(Known {
                        identity,
                        asked,
                        stale: Some((now.saturating_duration_since(asked), failure)),
                    }),
                    None => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether a repository may be read or written, by the Hub's own word, and when it was given.
    ///
    /// # Errors
    ///
    /// [`Failure`]. Never an old answer: a stale *yes* is none.
    pub fn check(
        self: &Arc<Self>,
        check: &Check,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<(Instant, Permit), Failure> {
        let age = options
            .max_age
            .unwrap_or(CHECK_LIFETIME)
            .min(CHECK_LIFETIME);
        let limit = not_before(Instant::now(), age);
        let recall = |client: &Self| {
            client
                .checks
                .get(check, limit)
                .map(|(asked, ())| Ok((asked, Permit::Allowed)))
        };
        if let Some(known) = recall(self) {
            return known;
        }
        let http = line.http()?;
        let (client, credential, timeout) = (self.clone(), credential.clone(), options.timeout);
        let shared = line.shared(&Key::of(&credential));
        let request = {
            let check = check.clone();
            move |asked| client.auth_check(check, credential, (http, shared), timeout, asked)
        };
        self.fly(
            |client| &client.check_flights,
            check,
            limit,
            options.timeout,
            interrupt,
            recall,
            request,
        )
    }

    async fn auth_check(
        self: Arc<Self>,
        check: Check,
        credential: Arc<Credential>,
        (http, shared): (reqwest::Client, Option<Shared>),
        timeout: Duration,
        asked: Instant,
    ) -> Permitted {
        let moment = Moment::now();
        let authorization = Some(credential.bearer());
        let answer = http::get(
            &http,
            &check.endpoint,
            &check.path(),
            authorization,
            timeout,
        )
        .await?;
        let permit = check.read(&answer).inspect_err(|failure| {
            if matches!(failure, Failure::Rejected) {
                self.reject(Key::of(&credential), asked, moment, shared.as_ref());
            }
        })?;
        if permit == Permit::Allowed {
            self.checks.insert(check, asked, ());
        }
        Ok((asked, permit))
    }

    /// Drops what a token had and remembers that it is dead: both questions learn it.
    fn reject(&self, key: Key, asked: Instant, moment: Moment, shared: Option<&Shared>) {
        if let Some(shared) = shared {
            shared.keep_rejection(moment);
        }
        let Key { digest, endpoint } = &key;
        self.identities.remove(|known| *known == key);
        self.checks
            .remove(|check| check.digest == *digest && check.endpoint == *endpoint);
        self.grants
            .remove(|grant| grant.digest == *digest && grant.endpoint == *endpoint);
        self.rejections.insert(key, asked, ());
    }

    /// Whether the same question was answered with *yes* a short while ago.
    #[must_use]
    pub fn is_granted(&self, grant: &Grant, max_age: Option<Duration>) -> bool {
        let now = Instant::now();
        let young = |asked: Instant, lifetime: Duration| {
            let age = max_age.map_or(lifetime, |age| age.min(lifetime));
            now.saturating_duration_since(asked) <= age
        };
        max_age != Some(Duration::ZERO)
            && self
                .grants
                .get(grant, None)
                .is_some_and(|(_, (identity, check))| {
                    young(identity, max_age.unwrap_or(IDENTITY_LIFETIME))
                        && check.is_none_or(|asked| young(asked, CHECK_LIFETIME))
                })
    }

    /// Remembers a *yes*, with the times at which its two halves were asked for.
    pub fn remember(&self, grant: Grant, identity: Instant, check: Option<Instant>) {
        self.grants.insert(grant, Instant::now(), (identity, check));
    }

    /// Drops everything that is known of a token.
    pub fn forget(&self, digest: Digest) {
        self.identities.remove(|key| key.digest == digest);
        self.rejections.remove(|key| key.digest == digest);
        self.checks.remove(|check| check.digest == digest);
        self.grants.remove(|grant| grant.digest == digest);
        for disk in self.all_disks() {
            disk.forget(Some(&Place::of_token(&digest)), None);
        }
    }

    /// Drops everything that is known of the tokens of one Hub.
    pub fn forget_endpoint(&self, endpoint: &Endpoint) {
        self.identities.remove(|key| key.endpoint == *endpoint);
        self.rejections.remove(|key| key.endpoint == *endpoint);
        self.checks.remove(|check| check.endpoint == *endpoint);
        self.grants.remove(|grant| grant.endpoint == *endpoint);
        for disk in self.all_disks() {
            disk.forget(None, Some(&Place::of_hub(endpoint)));
        }
    }

    fn all_disks(&self) -> Vec<Arc<DiskCache>> {
        lock(&self.disks).clone()
    }
}

impl Key {
    fn of(credential: &Credential) -> Self {
        Self {
            digest: credential.token.digest(),
            endpoint: credential.endpoint.clone(),
        }
    }
}

impl Line {
    fn shared(&self, key: &Key) -> Option<Shared> {
        let cache = self.cache.clone()?;
        Some(Shared::new(cache, &key.digest, &key.endpoint))
    }

    fn http(&self) -> Result<reqwest::Client, Failure> {
        if self.offline {
            return Err(Failure::Offline);
        }
        self.http.clone().map_err(Failure::Setup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_made_up_tokens_evicts_nothing_that_is_in_use() {
        let client = Client::default();
        let endpoint = Endpoint::default_hub();
        let key = |text: &str| Key {
            digest: Digest::of(text),
            endpoint: endpoint.clone(),
        };
        let identity = Identity::parse(br#"{"name":"alice"}"#, &endpoint)
            .unwrap_or_else(|problem| unreachable!("{problem}"));
        let (asked, identity) = (Instant::now(), Arc::new(identity));
        for number in 0..100 {
            client
                .identities
                .insert(key(&format!("good {number}")), asked, identity.clone());
        }
        for number in 0..100_000 {
            let bad = key(&format!("bad {number}"));
            client.reject(bad, Instant::now(), Moment::now(), None);
        }
        for number in 0..100 {
            let good = key(&format!("good {number}"));
            assert!(client.young(&good, Some(asked)).is_some(), "{number}");
        }
        assert!(client.rejections.count() <= REJECTIONS);
    }
}
