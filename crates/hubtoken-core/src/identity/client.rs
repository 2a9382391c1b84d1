//! Asks the Hub about tokens and caches the answers.

mod denial;
mod flying;
mod line;
mod lookup;
mod memory;
mod permission;
mod question;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::check::{Check, Heard};
use super::clock::Clock;
use super::failure::Failure;
use super::freshness::REPEAT_MEMORY;
use super::key::Key;
use super::model::Identity;
use super::places::Places;
use super::runtime::Runtime;
use super::shared::{LimitScope, Pace, Place, Shared};
use super::{Options, REJECTION_LIFETIME};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::http::{Settings, Transport, Way};
use crate::interrupt::Interrupt;
use crate::known_end::KnownEnd;
use crate::single_flight::Flights;
use crate::token::Digest;
pub use line::Line;
use lookup::Lookups;
pub use lookup::{Namespace, Similar};
pub use memory::Grant;
use memory::Memory;
use question::{Question, Window};

/// At most this many rejections of previously unseen tokens are shared per [`REJECTION_LIFETIME`].
/// More would only evict each other, and wear out the disk of a server that receives made-up
/// tokens.
const SHARED_REJECTIONS: u32 = 64;

/// An identity, and whether it is stale.
pub struct Known {
    /// The identity.
    pub identity: Arc<Identity>,
    /// When it was requested.
    pub asked: Instant,
    /// Its age, and why no newer one was available.
    pub stale: Option<(Duration, Failure)>,
}

impl Known {
    fn fresh(asked: Instant, identity: Arc<Identity>) -> Self {
        Self {
            identity,
            asked,
            stale: None,
        }
    }
}

type Answered = Result<(Instant, Arc<Identity>), Failure>;
type Permitted = Result<(Instant, Heard), Failure>;

/// A Hub client with its caches.
pub struct Client {
    transport: Arc<Transport>,
    runtime: Runtime,
    places: Places,
    pace: Pace,
    clock: Clock,
    memory: Memory,
    shared_rejections: Budget,
    lookups: Lookups,
    identity_flights: Flights<Key, (Way, Answered)>,
    check_flights: Flights<Check, (Way, Permitted)>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Pace::default())
    }
}

/// The oldest acceptable request time; `None` if that is before the clock's start, so that any
/// answer is accepted.
fn not_before(now: Instant, age: Duration) -> Option<Instant> {
    now.checked_sub(age)
}

impl Client {
    /// Creates a client with empty caches.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self::with_clock(pace, Clock::system())
    }

    /// Creates a client with empty caches and a clock of the caller's choice.
    #[must_use]
    pub fn with_clock(pace: Pace, clock: Clock) -> Self {
        Self {
            transport: Arc::default(),
            runtime: Runtime::default(),
            places: Places::default(),
            pace,
            clock,
            memory: Memory::default(),
            shared_rejections: Budget::new(SHARED_REJECTIONS, REJECTION_LIFETIME),
            lookups: Lookups::default(),
            identity_flights: Flights::default(),
            check_flights: Flights::default(),
        }
    }

    /// The clock of this client.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The connection settings for a Hub. Opens nothing and sends nothing.
    #[must_use]
    pub fn line(&self, endpoint: &Endpoint, settings: &Settings) -> Line {
        Line::new(
            self.transport.clone(),
            endpoint.clone(),
            settings.clone(),
            self.places.of(settings),
        )
    }

    /// Drops the connections, so that the next request rereads the certificates.
    pub fn reconnect(&self) {
        self.transport.close();
    }

    /// Returns the cached identity if it is fresh enough. Never sends a request.
    #[must_use]
    pub fn recall(&self, credential: &Credential, options: &Options) -> Option<Arc<Identity>> {
        self.recall_answer(credential, options)?.ok()
    }

    /// Returns the cached answer if it is fresh enough, including a cached rejection. Never sends a
    /// request.
    #[must_use]
    pub fn recall_answer(
        &self,
        credential: &Credential,
        options: &Options,
    ) -> Option<Result<Arc<Identity>, Failure>> {
        let window = Window::new(self.clock.now(), options, credential.expires_at);
        self.recall_in(&Key::of(credential), &window)
            .map(|known| known.map(|(_, identity)| identity))
    }

    fn recall_in(&self, key: &Key, window: &Window) -> Option<Answered> {
        if let Some(known) = self.memory.identity(key, window.identity) {
            return Some(Ok(known));
        }
        let rejection = self.memory.rejection(key)?;
        window.trusts(rejection).then_some(Err(Failure::Rejected))
    }

    /// Returns the account that a token belongs to.
    ///
    /// # Errors
    ///
    /// [`Failure`], if the Hub rejects the token, or if it gives no answer and no identity of at
    /// most `max_stale` is cached.
    pub fn identify(
        self: &Arc<Self>,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Known, Failure> {
        self.identify_within(credential, line, options, None, interrupt)
    }

    /// Like [`Self::identify`]. When rechecking before a denial, a request that went unanswered at
    /// most `unanswered` ago also counts as an answer.
    fn identify_within(
        self: &Arc<Self>,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        unanswered: Option<Duration>,
        interrupt: &dyn Interrupt,
    ) -> Result<Known, Failure> {
        // Checked before the shared cache or any other process is involved: this failure concerns
        // only its own caller.
        credential.check_sendable().map_err(Failure::Setup)?;
        let key = Key::of(credential);
        let now = self.clock.now();
        let end = credential.expires_at;
        let mut window = Window::new(now, options, end);
        window.unanswered = unanswered;
        let shared = line.shared(&key);
        // The leader of a request in flight has just read the shared cache. Its followers read it
        // only if the request fails: 64 threads that all read files would delay the leader.
        let follows = self.identity_flights.is_running(&key, window.identity);
        let read_first = shared.as_ref().filter(|_| !follows);
        let outcome = self
            .recall_in(&key, &window)
            .or_else(|| self.told(&key, read_first?, &window))
            .unwrap_or_else(|| {
                let ask = || {
                    line.check_open()?;
                    // Even if the caller wants a fresh answer: the Hub has said that it will not
                    // give one.
                    self.limited(&key, LimitScope::Whoami, read_first)?;
                    self.ask(
                        &key,
                        credential,
                        line,
                        shared.as_ref(),
                        options,
                        interrupt,
                        &window,
                    )
                };
                // A request in flight may return what another process learned, which is only as
                // fresh as its leader required. This caller may lead the next request.
                let mut outcome = ask();
                if matches!(outcome, Err(Failure::Rejected))
                    && let Some(rejection) = self.memory.rejection(&key)
                    && !window.trusts(rejection)
                {
                    outcome = ask();
                }
                let is_old = |asked: Instant| window.identity.is_some_and(|limit| asked < limit);
                while matches!(&outcome, Ok((asked, _)) if is_old(*asked)) {
                    outcome = ask();
                }
                outcome
            });
        let failure = match outcome {
            Ok((asked, identity)) => {
                return Ok(Known::fresh(asked, identity));
            }
            Err(failure) if failure.says_nothing() => failure,
            Err(failure) => return Err(failure),
        };
        if follows
            && let Some(shared) = &shared
            && let Some(answer) = self.told(&key, shared, &window)
        {
            return answer.map(|(asked, identity)| Known::fresh(asked, identity));
        }
        let stale = Window::stale(now, options, end);
        let known = self
            .memory
            .identity(&key, stale.identity)
            .or_else(|| self.told(&key, shared.as_ref()?, &stale)?.ok());
        match known {
            Some((asked, identity)) => Ok(Known {
                identity,
                asked,
                stale: Some((now.saturating_duration_since(asked), failure)),
            }),
            None => Err(self.after_rejection(&key, shared.as_ref(), failure)),
        }
    }

    /// Adds the earlier rejection to a failure that left it unconfirmed.
    fn after_rejection(&self, key: &Key, shared: Option<&Shared>, failure: Failure) -> Failure {
        let now = self.clock.moment();
        let known = self
            .memory
            .rejection(key)
            .or_else(|| shared?.rejection(now));
        let ago = known.map(|(asked, _)| now.instant.saturating_duration_since(asked));
        match ago.filter(|ago| *ago < REPEAT_MEMORY) {
            Some(ago) => Failure::RejectedBefore {
                ago,
                why: Box::new(failure),
            },
            None => failure,
        }
    }

    /// Joins or starts the whoami request for a token.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call's parameters, passed on"
    )]
    fn ask(
        self: &Arc<Self>,
        key: &Key,
        credential: &Arc<Credential>,
        line: &Line,
        shared: Option<&Shared>,
        options: &Options,
        interrupt: &dyn Interrupt,
        window: &Window,
    ) -> Answered {
        let question = Question {
            key: key.clone(),
            credential: credential.clone(),
            line: line.clone(),
            timeout: options.timeout,
            shared: shared.cloned(),
            window: *window,
            patient: options.freshness.patient,
        };
        let client = self.clone();
        self.fly(
            (|client| &client.identity_flights, line.way()),
            key,
            window.identity,
            options.timeout,
            interrupt,
            |client| {
                client
                    .recall_in(key, window)
                    .or_else(|| client.in_vain(key, window).map(Err))
            },
            move |asked| client.learn(question, asked),
        )
    }

    /// The failure that makes another request pointless, if a request that has just completed
    /// recorded one.
    fn in_vain(&self, key: &Key, window: &Window) -> Option<Failure> {
        let limited = self.limited(key, LimitScope::Whoami, None);
        limited.err().or_else(|| {
            let age = window.unanswered?;
            self.memory
                .unanswered(key, not_before(self.clock.now(), age))
        })
    }

    /// Whether the same requirement was granted recently.
    #[must_use]
    pub fn is_granted(&self, grant: &Grant<'_>, max_age: Option<Duration>) -> bool {
        self.memory.is_granted(grant, self.clock.now(), max_age)
    }

    /// Caches a grant until the known end of its token, with the times at which its identity and
    /// its auth-check were requested.
    pub fn remember(
        &self,
        grant: Grant<'_>,
        identity: Instant,
        check: Option<Instant>,
        end: KnownEnd,
    ) {
        self.memory
            .keep_grant(grant, self.clock.now(), identity, check, end);
    }

    /// Drops everything that this process has cached for tokens, except rate limits, which only the
    /// Hub can lift. What the machine's processes share stays.
    pub fn clear(&self) {
        self.memory.clear();
        self.lookups.clear();
    }

    /// Drops everything cached for a token.
    pub fn forget(&self, digest: Digest) {
        self.memory.forget(&digest);
        self.lookups.forget(|key| key.digest == digest);
        for place in self.places.all() {
            place.forget(Some(&Place::of_token(&digest)), None);
        }
    }

    /// Drops everything cached for a token, including what the processes of this machine share.
    pub fn forget_shared(&self, settings: &Settings, digest: Digest) {
        self.places.of(settings);
        self.forget(digest);
    }

    /// Drops everything cached for the tokens of one Hub.
    pub fn forget_endpoint(&self, endpoint: &Endpoint) {
        self.memory.forget_endpoint(endpoint);
        self.lookups.forget(|key| key.endpoint == *endpoint);
        for place in self.places.all() {
            place.forget(None, Some(&Place::of_hub(endpoint)));
        }
    }

    /// Drops everything cached for the tokens of one Hub, including what the processes of this
    /// machine share.
    pub fn forget_endpoint_shared(&self, settings: &Settings, endpoint: &Endpoint) {
        self.places.of(settings);
        self.forget_endpoint(endpoint);
    }
}
