//! Asks the Hub about tokens, and remembers.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::cache::Cache;
use super::check::{Check, Permit};
use super::failure::Failure;
use super::flight::{Boarding, Flight, Flights, Gone};
use super::model::Identity;
use super::runtime::Runtime;
use super::{CHECK_LIFETIME, IDENTITY_LIFETIME, Interrupt, Options, REJECTION_LIFETIME};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::{self, Settings, Transport};
use crate::token::Digest;

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
        }
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
        let outcome = recall(self).unwrap_or_else(|| {
            let http = line.http()?;
            let (client, credential, timeout) = (self.clone(), credential.clone(), options.timeout);
            let request = {
                let key = key.clone();
                move |asked| client.whoami(key, credential, http, timeout, asked)
            };
            self.fly(
                |client| &client.identity_flights,
                &key,
                limit,
                options.timeout,
                interrupt,
                recall,
                request,
            )
        });
        match outcome {
            Ok((asked, identity)) => Ok(Known {
                identity,
                asked,
                stale: None,
            }),
            Err(failure) if failure.says_nothing() => {
                match self.young(&key, not_before(now, options.max_stale)) {
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

    /// Asks `GET /api/whoami-v2` and keeps the answer.
    async fn whoami(
        self: Arc<Self>,
        key: Key,
        credential: Arc<Credential>,
        http: reqwest::Client,
        timeout: Duration,
        asked: Instant,
    ) -> Answered {
        let authorization = Some(credential.bearer());
        let endpoint = &credential.endpoint;
        let answer = http::get(&http, endpoint, "/api/whoami-v2", authorization, timeout).await?;
        if answer.status != 200 {
            let failure = Failure::of(&answer);
            if matches!(failure, Failure::Rejected) {
                self.reject(key, asked);
            }
            return Err(failure);
        }
        let identity = Identity::parse(&answer.body, endpoint).map_err(Failure::Strange)?;
        let identity = Arc::new(identity);
        self.identities.insert(key, asked, identity.clone());
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
        let request = {
            let check = check.clone();
            move |asked| client.auth_check(check, credential, http, timeout, asked)
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
        http: reqwest::Client,
        timeout: Duration,
        asked: Instant,
    ) -> Permitted {
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
                self.reject(Key::of(&credential), asked);
            }
        })?;
        if permit == Permit::Allowed {
            self.checks.insert(check, asked, ());
        }
        Ok((asked, permit))
    }

    /// Drops what a token had and remembers that it is dead: both questions learn it.
    fn reject(&self, key: Key, asked: Instant) {
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
    }

    /// Drops everything that is known of the tokens of one Hub.
    pub fn forget_endpoint(&self, endpoint: &Endpoint) {
        self.identities.remove(|key| key.endpoint == *endpoint);
        self.rejections.remove(|key| key.endpoint == *endpoint);
        self.checks.remove(|check| check.endpoint == *endpoint);
        self.grants.remove(|grant| grant.endpoint == *endpoint);
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
    fn http(&self) -> Result<reqwest::Client, Failure> {
        if self.offline {
            return Err(Failure::Offline);
        }
        self.http.clone().map_err(Failure::Setup)
    }
}
