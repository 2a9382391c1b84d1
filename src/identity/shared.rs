//! What the processes of a machine tell each other about tokens.
//!
//! A trainer starts 64 processes with one token, and each of them wants to know whose it is. So
//! that the Hub is asked once, the answer lies where all of them look, and who asks holds a lock
//! meanwhile. Where that is, a [`SharedCache`] decides: the [disk](super::disk) today, a server
//! for many machines later.
//!
//! Three things are worth telling: an identity, a rejection (so that 64 processes with a dead
//! token do not ask one after the other), and until when the Hub wants no more questions. None of
//! them holds the token. What is read is not trusted: it must be whole, of this version, about
//! this token at this Hub, and not from the future. The clock here is the wall's, since processes
//! have no other in common, and it may be set at any time: what lies in the future is treated as
//! absent, and a rate limit never lasts longer than an hour. No failure is told to anybody: a
//! cache that does not work is no cache.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::model::Identity;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::printable::holds_secret;
use crate::token::Digest;

/// The version of what is written; anything else is passed over.
const VERSION: u32 = 1;
/// The largest content that is kept, in bytes; an identity has one or two thousand.
pub const MAXIMUM_SIZE: u64 = 256 * 1024;
/// How long a rate limit is believed at most.
const MAXIMUM_LIMIT: Duration = Duration::from_hours(1);
/// How often a process looks whether another one has the answer.
const PATIENCE: Duration = Duration::from_millis(15);

/// What is kept of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who it belongs to.
    Identity,
    /// That the Hub does not know it.
    Rejection,
    /// That the Hub wants to be left alone for a while.
    Limit,
}

/// Where the content about one token at one Hub lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The start of the token's digest, in hexadecimal.
    pub token: String,
    /// The start of the digest of the Hub's address, in hexadecimal.
    pub hub: String,
}

/// The outcome of a try to be the one who asks.
pub enum Claim {
    /// Nobody else is, until this is dropped.
    Held(Box<dyn Send>),
    /// Somebody else is.
    Busy,
    /// There are no locks here; everybody asks for themselves.
    Impossible,
}

/// A place that processes share. It keeps bytes and judges nothing; what fails, fails silently.
pub trait SharedCache: Send + Sync {
    /// The content, of at most [`MAXIMUM_SIZE`] bytes.
    fn get(&self, place: &Place, kind: Kind) -> Option<Vec<u8>>;
    /// Replaces the content as a whole.
    fn put(&self, place: &Place, kind: Kind, content: &[u8]);
    /// Removes the content.
    fn remove(&self, place: &Place, kind: Kind);
    /// Removes all content about a token, about a Hub, or about a token at a Hub.
    fn forget(&self, token: Option<&str>, hub: Option<&str>);
    /// Tries to be the only one who asks about a token; does not wait.
    fn try_lock(&self, place: &Place) -> Claim;
}

/// The content, as it is kept.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    endpoint: String,
    digest: String,
    /// When the Hub was asked, in Unix milliseconds.
    asked_at: u64,
    /// The end of a rate limit, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// The body of the Hub's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Value>,
}

/// One moment on both clocks: other processes know the wall's only, and that one may be set.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For ages within this process.
    pub instant: Instant,
    /// For other processes: the time since 1970.
    pub wall: Duration,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX)
    }

    /// When something happened by the wall's clock; `None` if that is yet to come.
    fn past(&self, milliseconds: u64) -> Option<Instant> {
        let age = self.wall.checked_sub(Duration::from_millis(milliseconds))?;
        self.instant.checked_sub(age)
    }
}

/// One token at one Hub, in a shared cache.
#[derive(Clone)]
pub struct Shared {
    cache: Arc<dyn SharedCache>,
    place: Place,
    endpoint: Endpoint,
    digest: String,
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Place {
    /// The part of the name that stands for a token.
    #[must_use]
    pub fn of_token(digest: &Digest) -> String {
        hexadecimal(&digest.as_bytes()[..16])
    }

    /// The part of the name that stands for a Hub.
    #[must_use]
    pub fn of_hub(endpoint: &Endpoint) -> String {
        hexadecimal(&Sha256::digest(endpoint.as_str().as_bytes())[..8])
    }
}

impl Shared {
    /// A token's part of a cache.
    #[must_use]
    pub fn new(cache: Arc<dyn SharedCache>, digest: &Digest, endpoint: &Endpoint) -> Self {
        Self {
            cache,
            place: Place {
                token: Place::of_token(digest),
                hub: Place::of_hub(endpoint),
            },
            endpoint: endpoint.clone(),
            digest: hexadecimal(digest.as_bytes()),
        }
    }

    /// Who the token belongs to, and when that was asked.
    #[must_use]
    pub fn identity(&self, now: Moment) -> Option<(Instant, Identity)> {
        let (asked, record) = self.read(Kind::Identity, now)?;
        let body = serde_json::to_vec(&record.identity?).ok()?;
        Some((asked, Identity::parse(&body, &self.endpoint).ok()?))
    }

    /// When the Hub was asked and did not know the token.
    #[must_use]
    pub fn rejection(&self, now: Moment) -> Option<Instant> {
        self.read(Kind::Rejection, now).map(|(asked, _)| asked)
    }

    /// How many seconds the Hub wants to be left alone for.
    #[must_use]
    pub fn limit(&self, now: Moment) -> Option<u64> {
        let (_, record) = self.read(Kind::Limit, now)?;
        let left = Duration::from_millis(record.until?).checked_sub(now.wall)?;
        let longest = Duration::from_millis(record.until?.checked_sub(record.asked_at)?);
        (!left.is_zero() && longest <= MAXIMUM_LIMIT)
            .then(|| left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    /// Keeps the Hub's answer, unless it holds the token or what looks like one.
    pub fn keep_identity(&self, asked: Moment, body: &[u8], credential: &Credential) {
        self.cache.remove(&self.place, Kind::Limit);
        self.cache.remove(&self.place, Kind::Rejection);
        let Ok(identity) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        // Written anew, so that no escape hides a part of it.
        let text = identity.to_string();
        if !holds_secret(&text) && !text.contains(credential.token.expose()) {
            self.write(Kind::Identity, asked, None, Some(identity));
        }
    }

    /// Drops what is known of the token and keeps that it is dead.
    pub fn keep_rejection(&self, asked: Moment) {
        self.cache.remove(&self.place, Kind::Identity);
        self.write(Kind::Rejection, asked, None, None);
    }

    /// Keeps that the Hub wants to be left alone for some seconds, from now on.
    pub fn keep_limit(&self, now: Moment, seconds: u64) {
        let length = Duration::from_secs(seconds).min(MAXIMUM_LIMIT);
        let until = now.milliseconds().saturating_add(
            // At most an hour's.
            u64::try_from(length.as_millis()).unwrap_or_default(),
        );
        self.write(Kind::Limit, now, Some(until), None);
    }

    /// Waits until nobody else asks, or somebody has `answered`, or it has taken too long.
    ///
    /// A process that is stopped in the middle of its question must not stop the others for ever;
    /// so after `patience` the caller goes on without the lock.
    ///
    /// # Errors
    ///
    /// The answer that came meanwhile, so that `?` hands it on.
    pub async fn claim<T>(
        &self,
        patience: Duration,
        answered: impl Fn() -> Option<T>,
    ) -> Result<Claim, T> {
        let started = Instant::now();
        loop {
            let claim = self.cache.try_lock(&self.place);
            // With the lock as without: the last holder may have left an answer.
            if let Some(answer) = answered() {
                return Err(answer);
            }
            if !matches!(claim, Claim::Busy) || started.elapsed() >= patience {
                return Ok(claim);
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }

    fn read(&self, kind: Kind, now: Moment) -> Option<(Instant, Record)> {
        let content = self.cache.get(&self.place, kind)?;
        let record: Record = serde_json::from_slice(&content).ok()?;
        let same = record.version == VERSION
            && record.endpoint == self.endpoint.as_str()
            && record.digest == self.digest;
        let asked = now.past(record.asked_at)?;
        same.then_some((asked, record))
    }

    fn write(&self, kind: Kind, asked: Moment, until: Option<u64>, identity: Option<Value>) {
        let record = Record {
            version: VERSION,
            endpoint: self.endpoint.as_str().to_owned(),
            digest: self.digest.clone(),
            asked_at: asked.milliseconds(),
            until,
            identity,
        };
        let Ok(content) = serde_json::to_vec(&record) else {
            return;
        };
        if content.len() as u64 <= MAXIMUM_SIZE {
            self.cache.put(&self.place, kind, &content);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::credential::Source;
    use crate::identity::disk::DiskCache;
    use crate::token::Token;

    const VALUE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";

    fn credential() -> Credential {
        Credential {
            token: Token::parse(VALUE).unwrap().unwrap(),
            source: Source::Argument,
            endpoint: Endpoint::default_hub(),
        }
    }

    fn shared(folder: &std::path::Path) -> Shared {
        let credential = credential();
        Shared::new(
            Arc::new(DiskCache::new(folder.to_owned())),
            &credential.token.digest(),
            &credential.endpoint,
        )
    }

    fn later(now: Moment, seconds: u64) -> Moment {
        let length = Duration::from_secs(seconds);
        Moment {
            instant: now.instant + length,
            wall: now.wall + length,
        }
    }

    fn names(folder: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_clock_that_is_set_makes_nothing_fresh_and_locks_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path());
        let now = Moment::now();
        shared.keep_identity(now, br#"{"name":"alice"}"#, &credential());
        shared.keep_limit(now, 86_400 * 365);
        let minute = later(now, 60);
        let (asked, identity) = shared.identity(minute).unwrap();
        assert_eq!(identity.user, "alice");
        let age = minute.instant - asked;
        assert!(age >= Duration::from_mins(1) && age < Duration::from_secs(61));
        assert_eq!(shared.limit(minute), Some(3540));
        // Set back by a day: both are from the future.
        let back = Moment {
            wall: now.wall.checked_sub(Duration::from_hours(24)).unwrap(),
            ..now
        };
        assert!(shared.identity(back).is_none());
        assert!(shared.limit(back).is_none());
        // Set on by a day: the identity is a day old, and the limit over.
        let on = later(now, 86_400);
        let (asked, _) = shared.identity(on).unwrap();
        assert!(on.instant - asked >= Duration::from_hours(24));
        assert!(shared.limit(on).is_none());
    }

    #[test]
    fn a_success_ends_a_limit_and_a_rejection_ends_an_identity() {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path());
        let now = Moment::now();
        shared.keep_limit(now, 5);
        shared.keep_identity(now, br#"{"name":"alice"}"#, &credential());
        assert!(shared.limit(now).is_none());
        shared.keep_rejection(now);
        assert!(shared.identity(now).is_none());
        assert!(shared.rejection(now).is_some());
    }

    #[test]
    fn no_token_reaches_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path());
        for body in [
            format!(r#"{{"name":"alice","x":["{VALUE}"]}}"#),
            format!(r#"{{"name":"alice","x":"\u0068{}"}}"#, &VALUE[1..]),
            r#"{"name":"alice","x":"api_org_FakeFakeFakeFakeFakeFake"}"#.to_owned(),
            "no JSON".to_owned(),
        ] {
            shared.keep_identity(Moment::now(), body.as_bytes(), &credential());
            assert_eq!(names(folder.path()), [""; 0], "{body}");
        }
    }

    #[test]
    fn what_is_not_exactly_this_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path());
        let now = Moment::now();
        shared.keep_identity(now, br#"{"name":"alice"}"#, &credential());
        let path = folder.path().join(&names(folder.path())[0]);
        let good = std::fs::read_to_string(&path).unwrap();
        assert!(shared.identity(now).is_some());
        for bad in [
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("huggingface.co", "hub.example"),
            good.replace("\"digest\":\"", "\"digest\":\"00"),
            good.replace("alice", ""),
            good.replace("\"asked_at\":", "\"asked_at\":9"),
            good[..good.len() / 2].to_owned(),
            "[".repeat(100_000),
            " ".repeat(300_000),
        ] {
            std::fs::write(&path, &bad).unwrap();
            assert!(shared.identity(now).is_none(), "{bad:.100}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(shared.identity(now).is_none());
        shared.keep_identity(now, br#"{"name":"alice"}"#, &credential());
    }
}
