//! Asks the Hub about tokens, and remembers.

use std::future::Future;
use std::hash::Hash;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::cache::Cache;
use super::check::{Check, Permit};
use super::disk::DiskCache;
use super::failure::Failure;
use super::flight::{Boarding, Flight, Flights, Gone};
use super::model::Identity;
use super::runtime::Runtime;
use super::shared::{Claim, Moment, Place, Shared, SharedCache};
use super::{CHECK_LIFETIME, IDENTITY_LIFETIME, Interrupt, Options, REJECTION_LIFETIME};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::{self, Settings, Transport};
use crate::sync::lock;
use crate::token::Digest;

/// How many identities are kept: a server sees many tokens.
const IDENTITIES: usize = 16_384;
/// How many rejections are kept. A stream of made-up tokens evicts other rejections only.
const REJECTIONS: usize = 1_024;
/// How many allowed auth-checks and decisions are kept.
const CHECKS: usize = 16_384;

/// A longer wait for another process shortens the question of one's own.
const WAITED: Duration = Duration::from_millis(10);

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

/// What a flight needs to learn whose a token is.
struct Question {
    key: Key,
    credential: Arc<Credential>,
    http: reqwest::Client,
    timeout: Duration,
    shared: Option<Shared>,
    limit: Option<Instant>,
    rejected: Option<Instant>,
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

    /// What another process has learnt of a token, if it is young enough.
    fn told(
        &self,
        key: &Key,
        shared: &Shared,
        limit: Option<Instant>,
        rejected: Option<Instant>,
    ) -> Option<Answered> {
        let now = Moment::now();
        if let Some((asked, identity)) = shared.identity(now)
            && limit.is_none_or(|limit| asked >= limit)
        {
            self.identities.insert(key.clone(), asked, identity.into());
            // By the same way as everything from memory, which knows when a token ends.
            if let Some(known) = self.young(key, limit) {
                return Some(Ok(known));
            }
        }
        let asked = shared.rejection(now)?;
        rejected.is_none_or(|limit| asked >= limit).then(|| {
            self.rejections.insert(key.clone(), asked, ());
            Err(Failure::Rejected)
        })
    }

    /// Learns who a token belongs to: from another process that asks right now, or from the Hub.
    async fn learn(self: Arc<Self>, question: Question, mut asked: Instant) -> Answered {
        let mut timeout = question.timeout;
        let _claim = match &question.shared {
            None => Claim::Impossible,
            Some(shared) => {
                let answered =
                    || self.told(&question.key, shared, question.limit, question.rejected);
                // The rest is for a question of one's own.
                let claim = match shared.claim(timeout * 3 / 4, answered).await {
                    Ok(claim) => claim,
                    Err(answer) => return answer,
                };
                limited(shared)?;
                let waited = asked.elapsed();
                if waited > WAITED {
                    timeout = timeout.saturating_sub(waited);
                    asked = Instant::now();
                }
                claim
            }
        };
        self.whoami(question, timeout, asked).await
    }

    /// Asks `GET /api/whoami-v2` and keeps the answer.
    async fn whoami(
        self: Arc<Self>,
        question: Question,
        timeout: Duration,
        asked: Instant,
    ) -> Answered {
        let Question {
            key,
            credential,
            http,
            shared,
            ..
        } = question;
        let moment = Moment::now();
        let authorization = Some(credential.bearer());
        let endpoint = &credential.endpoint;
        let answer = http::get(&http, endpoint, "/api/whoami-v2", authorization, timeout).await?;
        if answer.status != 200 {
            let failure = Failure::of(&answer);
            match (&failure, &shared) {
                (Failure::Rejected, _) => self.reject(key, asked, moment, shared.as_ref()),
                (
                    Failure::RateLimited {
                        retry_after: Some(seconds),
                    },
                    Some(shared),
                ) => shared.keep_limit(Moment::now(), *seconds),
                _ => {}
            }
            return Err(failure);
        }
        let identity = Identity::parse(&answer.body, endpoint).map_err(Failure::Strange)?;
        let identity = Arc::new(identity);
        self.identities.insert(key, asked, identity.clone());
        if let Some(shared) = shared {
            shared.keep_identity(moment, &answer.body, &credential);
        }
        Ok((asked, identity))
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

    /// Boards the flight for a key, or starts it.
    #[expect(clippy::too_many_arguments, reason = "one place for both questions")]
    fn fly<K, A, R>(
        self: &Arc<Self>,
        flights: fn(&Self) -> &Flights<K, Result<A, Failure>>,
        key: &K,
        limit: Option<Instant>,
        timeout: Duration,
        interrupt: &dyn Interrupt,
        recall: impl Fn(&Self) -> Option<Result<A, Failure>>,
        request: impl FnOnce(Instant) -> R,
    ) -> Result<A, Failure>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        A: Clone + Send + 'static,
        R: Future<Output = Result<A, Failure>> + Send + 'static,
    {
        let flight = loop {
            match flights(self).board(key, Instant::now(), limit, || recall(self)) {
                Boarding::Answered(answer) => return answer,
                Boarding::Follow(flight) => break flight,
                Boarding::Wait(flight) => {
                    let _ = wait(&flight, timeout, interrupt)?;
                }
                Boarding::Lead(flight) => {
                    let landing = Landing {
                        client: self.clone(),
                        flights,
                        key: key.clone(),
                        flight: flight.clone(),
                        outcome: Some(Err(Failure::Unreachable(
                            "the request was dropped".to_owned(),
                        ))),
                    };
                    let runtime = self.runtime.handle().map_err(Failure::Setup)?;
                    let answer = request(Instant::now());
                    runtime.spawn(async move { landing.complete(answer.await) });
                    break flight;
                }
            }
        };
        // The request has its own time-out; a little more lets it be the one that tells.
        wait(&flight, timeout + Duration::from_secs(1), interrupt)?
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

/// The Hub's wish to be left alone, told to a process of this machine.
fn limited(shared: &Shared) -> Result<(), Failure> {
    match shared.limit(Moment::now()) {
        Some(seconds) => Err(Failure::RateLimited {
            retry_after: Some(seconds),
        }),
        None => Ok(()),
    }
}

fn wait<T: Clone>(
    flight: &Flight<T>,
    timeout: Duration,
    interrupt: &dyn Interrupt,
) -> Result<T, Failure> {
    flight.wait(timeout, interrupt).map_err(|gone| match gone {
        Gone::Interrupted => Failure::Interrupted,
        Gone::TimedOut => Failure::Unreachable(format!(
            "no answer within {} seconds",
            timeout.as_secs_f64()
        )),
    })
}

/// Ends a flight whatever happens to its request, so that nobody waits for one that crashed.
struct Landing<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    client: Arc<Client>,
    flights: fn(&Client) -> &Flights<K, Result<A, Failure>>,
    key: K,
    flight: Arc<Flight<Result<A, Failure>>>,
    outcome: Option<Result<A, Failure>>,
}

impl<K, A> Landing<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    fn complete(mut self, outcome: Result<A, Failure>) {
        self.outcome = Some(outcome);
    }
}

impl<K, A> Drop for Landing<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            (self.flights)(&self.client).land(&self.key, &self.flight, outcome);
        }
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
