//! The tokens that were exchanged in this process, each until shortly before its end.
//!
//! Concurrent callers share one exchange: it runs on its own thread, so that interrupting one caller
//! does not cancel it for the others. A token whose id token can be had again is exchanged anew
//! [`MARGIN`] before its end, as `huggingface_hub` does, so that a long job is never without one. If
//! that fails while the previous token is still good, it is used to its end, with a warning. Failures
//! are not cached otherwise.
//!
//! Ages are measured by the monotonic clock, so that setting the clock ends no token and prolongs
//! none. Where another exchange costs nothing but a request, the wall clock counts as well: a machine
//! that was suspended has a token that looks younger than it is.

use std::collections::{HashMap, hash_map};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::TOKEN_TIMEOUT;
use super::exchange::{Exchange, Exchanger};
use super::id_token::IdTokenSourceId;
use super::resource::Resource;
use crate::clock::{Clock, Timestamp};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::{Error, ResponseDetails, UnknownKind};
use crate::expiry::Expiry;
use crate::interrupt::Interrupt;
use crate::single_flight::{Joined, SingleFlight, WaitError};
use crate::source::Source;
use crate::sync::lock_ignoring_poison;

/// How long before its end a token is exchanged anew; a quarter of its life if that is shorter.
pub const MARGIN: Duration = Duration::from_mins(5);
/// How long a token lives if the Hub does not say so.
const DEFAULT_LIFE: Duration = Duration::from_hours(1);
/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 366);
/// How long after a failure the next exchange is tried, while the previous token is good.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// How long to wait for an exchange: a request to the CI, one to the Hub, and a margin.
const TIMEOUT: Duration = TOKEN_TIMEOUT
    .saturating_mul(2)
    .saturating_add(TOKEN_TIMEOUT);

/// A token of an exchange.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The token.
    pub credential: Arc<Credential>,
    /// Why it is not a new one, although it ends soon.
    pub warning: Option<String>,
}

/// What an exchange was made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    endpoint: Endpoint,
    resource: Resource,
    id_tokens: IdTokenSourceId,
}

impl Key {
    fn of(exchange: &Exchange) -> Self {
        Self {
            endpoint: exchange.endpoint.clone(),
            resource: exchange.resource.clone(),
            id_tokens: exchange.id_tokens.id(),
        }
    }
}

/// A token, and when it is exchanged anew.
#[derive(Clone)]
struct Entry {
    credential: Arc<Credential>,
    /// Its end.
    end: Timestamp,
    /// How long before its end it is exchanged anew; zero for a given id token.
    margin: Duration,
    /// Why that did not succeed, and when to try again.
    failed: Option<(Instant, String)>,
}

impl Entry {
    /// A token that lives for a time from `since` on.
    fn new(
        credential: Arc<Credential>,
        exchange: &Exchange,
        since: Timestamp,
        life: Duration,
    ) -> Self {
        let margin = if exchange.id_tokens.is_repeatable() {
            MARGIN.min(life / 4)
        } else {
            Duration::ZERO
        };
        Self {
            credential,
            end: Timestamp {
                instant: since.instant + life,
                wall: since.wall + life,
            },
            margin,
            failed: None,
        }
    }

    /// Whether it is used as it is.
    fn is_fresh(&self, now: Timestamp) -> bool {
        if !self.is_alive(now) {
            return false;
        }
        let is_young = self.end.instant.saturating_duration_since(now.instant) > self.margin
            && (self.margin.is_zero() || self.end.wall.saturating_sub(now.wall) > self.margin);
        is_young
            || self
                .failed
                .as_ref()
                .is_some_and(|(again, _)| now.instant < *again)
    }

    fn is_alive(&self, now: Timestamp) -> bool {
        now.instant < self.end.instant
    }

    fn exchanged(&self) -> Exchanged {
        Exchanged {
            credential: Arc::clone(&self.credential),
            warning: self.failed.as_ref().map(|(_, warning)| warning.clone()),
        }
    }
}

/// The time that is left until an end; `None` if it has passed or is unknown.
fn left(end: Expiry, now: Timestamp) -> Option<Duration> {
    let left = end.unix_milliseconds()?.checked_sub(now.milliseconds())?;
    (left > 0).then(|| Duration::from_millis(left).min(LONGEST_LIFE))
}

/// The tokens that were exchanged in this process.
#[derive(Default)]
pub struct Exchanges {
    clock: Clock,
    cached: Mutex<HashMap<Key, Entry>>,
    runs: SingleFlight<Key, Result<Exchanged, Error>>,
}

impl Exchanges {
    /// Without any, by a clock.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// The token of an exchange, if it was made and is still fresh. Sends nothing.
    #[must_use]
    pub fn cached(&self, exchange: &Exchange) -> Option<Exchanged> {
        self.fresh(&Key::of(exchange))
    }

    /// Whether a token ends before an exchange would be repeated, by the wall clock. One whose end
    /// is unknown does.
    #[must_use]
    pub fn ends_soon(&self, end: Expiry) -> bool {
        let now = self.clock.timestamp().milliseconds();
        let margin = u64::try_from(MARGIN.as_millis()).unwrap_or(u64::MAX);
        end.unix_milliseconds()
            .is_none_or(|end| end <= now.saturating_add(margin))
    }

    fn fresh(&self, key: &Key) -> Option<Exchanged> {
        let now = self.clock.timestamp();
        let cached = lock_ignoring_poison(&self.cached);
        let entry = cached.get(key).filter(|entry| entry.is_fresh(now))?;
        Some(entry.exchanged())
    }

    /// Whether a token is used as it is. Costs a lookup.
    #[must_use]
    pub fn is_fresh(&self, credential: &Arc<Credential>) -> bool {
        let now = self.clock.timestamp();
        let cached = lock_ignoring_poison(&self.cached);
        let mut entries = cached.values();
        match entries.find(|entry| Arc::ptr_eq(&entry.credential, credential)) {
            Some(entry) => entry.is_fresh(now),
            None => !self.ends_soon(credential.expires_at),
        }
    }

    /// The token of an exchange: the cached one, that of an exchange in flight, or of a new one.
    ///
    /// If that fails, `previous` is used as long as it is good: the token of an earlier exchange,
    /// perhaps in another process.
    ///
    /// # Errors
    ///
    /// As [`Exchanger::exchange`], and [`Error::Interrupted`], which does not end the exchange.
    pub fn get(
        self: &Arc<Self>,
        exchange: &Exchange,
        previous: Option<&Arc<Credential>>,
        exchanger: &Arc<dyn Exchanger>,
        interrupt: &dyn Interrupt,
    ) -> Result<Exchanged, Error> {
        let key = Key::of(exchange);
        if let Some(cached) = self.fresh(&key) {
            return Ok(cached);
        }
        let joined = self
            .runs
            .join(&key, Instant::now(), None, || self.fresh(&key).map(Ok));
        let run = match joined {
            Joined::Cached(answer) => return answer,
            Joined::Follower(run) | Joined::Superseded(run) => run,
            Joined::Leader(run) => {
                let (own, exchange) = (Arc::clone(self), exchange.clone());
                let previous = previous.map(Arc::clone);
                let (exchanger, in_flight) = (Arc::clone(exchanger), Arc::clone(&run));
                let started = thread::Builder::new()
                    .name("hubtoken-oidc".to_owned())
                    .spawn(move || {
                        let key = Key::of(&exchange);
                        let outcome = own.renew(&key, &exchange, previous, &*exchanger);
                        own.runs.complete(&key, &in_flight, outcome);
                    });
                if let Err(problem) = started {
                    let error = Error::unknown(format!("no thread for the exchange: {problem}"));
                    self.runs.complete(&key, &run, Err(error));
                }
                run
            }
        };
        run.wait(TIMEOUT.saturating_sub(run.age()), interrupt)
            .unwrap_or_else(|error| {
                Err(match error {
                    WaitError::Interrupted => Error::Interrupted,
                    WaitError::TimedOut => Error::Unknown {
                        message: format!(
                            "{} has not ended within {} seconds",
                            exchange.describe(),
                            TIMEOUT.as_secs()
                        ),
                        response: ResponseDetails::default(),
                        kind: UnknownKind::Unreachable,
                    },
                })
            })
    }

    /// Exchanges, or falls back to the previous token while it is good.
    fn renew(
        &self,
        key: &Key,
        exchange: &Exchange,
        previous: Option<Arc<Credential>>,
        exchanger: &dyn Exchanger,
    ) -> Result<Exchanged, Error> {
        // Before the request: the token's life begins at some time during it.
        let asked = self.clock.timestamp();
        let outcome = exchanger.exchange(exchange);
        let now = self.clock.timestamp();
        let mut cached = lock_ignoring_poison(&self.cached);
        cached.retain(|_, entry| entry.is_alive(now));
        match outcome {
            Ok(response) => {
                let life = response
                    .expires_in
                    .map_or(DEFAULT_LIFE, Duration::from_secs);
                let life = life.min(LONGEST_LIFE);
                let end = u64::try_from((asked.wall + life).as_millis()).unwrap_or(u64::MAX);
                let credential = Credential {
                    token: response.access_token,
                    source: Source::Oidc(exchange.resource.to_string()),
                    endpoint: exchange.endpoint.clone(),
                    expires_at: Expiry::at_unix_milliseconds(end),
                    renewal: None,
                };
                let entry = Entry::new(Arc::new(credential), exchange, asked, life);
                let answer = entry.exchanged();
                cached.insert(key.clone(), entry);
                Ok(answer)
            }
            Err(error) => {
                let previous = previous.and_then(|credential| {
                    let left = left(credential.expires_at, now)?;
                    Some(Entry::new(credential, exchange, now, left))
                });
                let entry = match (cached.entry(key.clone()), previous) {
                    (hash_map::Entry::Occupied(entry), _) => entry.into_mut(),
                    (hash_map::Entry::Vacant(entry), Some(previous)) => entry.insert(previous),
                    (hash_map::Entry::Vacant(_), None) => return Err(error),
                };
                let warning = format!("{error}. The previous token is used to its end");
                entry.failed = Some((now.instant + RETRY_INTERVAL, warning));
                Ok(entry.exchanged())
            }
        }
    }

    /// Forgets the tokens that can be exchanged anew. A given id token may be good for one exchange
    /// only, so its token stays.
    pub fn clear(&self) {
        lock_ignoring_poison(&self.cached)
            .retain(|key, _| matches!(key.id_tokens, IdTokenSourceId::Given(_)));
    }

    /// The tokens for a forked child. Empty if another thread of the parent held the lock at the
    /// fork.
    #[must_use]
    pub fn after_fork(&self) -> Self {
        let cached = self.cached.try_lock().map(|cached| cached.clone());
        Self {
            clock: self.clock.clone(),
            cached: Mutex::new(cached.unwrap_or_default()),
            runs: SingleFlight::default(),
        }
    }
}

#[cfg(test)]
mod tests;
