//! Asks the Hub about tokens, and remembers.

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

/// How many rejections of tokens that nobody knows are shared while one is believed: more would
/// only push each other out, and wear the disk of a server that is sent made-up tokens.
const SHARED_REJECTIONS: u32 = 64;

/// An identity, and whether it is only the last that is known.
pub struct Known {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// When it was asked for.
    pub asked: Instant,
    /// Its age and why no newer one could be had.
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

/// The moment before which an answer is too old; `None` when no answer can be.
fn not_before(now: Instant, age: Duration) -> Option<Instant> {
    now.checked_sub(age)
}

impl Client {
    /// A client that remembers nothing yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self::with_clock(pace, Clock::system())
    }

    /// The same, at a time of one's own making.
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

    /// Where this client reads the time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The way to a Hub. Opens nothing and asks nobody.
    #[must_use]
    pub fn line(&self, endpoint: &Endpoint, settings: &Settings) -> Line {
        Line::new(
            self.transport.clone(),
            endpoint.clone(),
            settings.clone(),
            self.places.of(settings),
        )
    }

    /// Drops the connections, so that the next question reads the certificates anew.
    pub fn reconnect(&self) {
        self.transport.close();
    }

    /// An identity that is known and young enough; asks nobody.
    #[must_use]
    pub fn recall(&self, credential: &Credential, options: &Options) -> Option<Arc<Identity>> {
        self.recall_answer(credential, options)?.ok()
    }

    /// What is known and young enough, be it that the Hub rejects the token; asks nobody.
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
        self.identify_within(credential, line, options, None, interrupt)
    }

    /// The same; before a *no* also by an unanswered question of at most the age `unanswered`.
    fn identify_within(
        self: &Arc<Self>,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        unanswered: Option<Duration>,
        interrupt: &dyn Interrupt,
    ) -> Result<Known, Failure> {
        // Before any other process is asked or told of it: a failure is for its own caller alone.
        credential.check_sendable().map_err(Failure::Setup)?;
        let key = Key::of(credential);
        let now = self.clock.now();
        let end = credential.expires_at;
        let mut window = Window::new(now, options, end);
        window.unanswered = unanswered;
        let shared = line.shared(&key);
        // The leader of a request in flight has just read the shared cache. Its followers read it only
        // if the request fails: 64 threads that all read files would delay the one that asks.
        let follows = self.identity_flights.is_running(&key, window.identity);
        let read_first = shared.as_ref().filter(|_| !follows);
        let outcome = self
            .recall_in(&key, &window)
            .or_else(|| self.told(&key, read_first?, &window))
            .unwrap_or_else(|| {
                let ask = || {
                    line.check_open()?;
                    // Also for who asks anew: the Hub has said that it will not answer.
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
                // A flight may bring what another process learned, which is as old as its leader
                // liked it; the next one may be led by this caller.
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

    /// A failure that leaves an old rejection unconfirmed quotes it.
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

    /// Boards the flight that asks whose a token is.
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

    /// Why it would be in vain to ask, as a flight that has just landed may have found out.
    fn in_vain(&self, key: &Key, window: &Window) -> Option<Failure> {
        let limited = self.limited(key, LimitScope::Whoami, None);
        limited.err().or_else(|| {
            let age = window.unanswered?;
            self.memory
                .unanswered(key, not_before(self.clock.now(), age))
        })
    }

    /// Whether the same question was answered with *yes* a short while ago.
    #[must_use]
    pub fn is_granted(&self, grant: &Grant<'_>, max_age: Option<Duration>) -> bool {
        self.memory.is_granted(grant, self.clock.now(), max_age)
    }

    /// Remembers a *yes*, with the times at which its two halves were asked for, until the known
    /// end of its token.
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

    /// Drops everything that is known of a token.
    pub fn forget(&self, digest: Digest) {
        self.memory.forget(&digest);
        self.lookups.forget(|key| key.digest == digest);
        for place in self.places.all() {
            place.forget(Some(&Place::of_token(&digest)), None);
        }
    }

    /// Drops everything that is known of a token, also what the machine's processes share.
    pub fn forget_shared(&self, settings: &Settings, digest: Digest) {
        self.places.of(settings);
        self.forget(digest);
    }

    /// Drops everything that is known of the tokens of one Hub.
    pub fn forget_endpoint(&self, endpoint: &Endpoint) {
        self.memory.forget_endpoint(endpoint);
        self.lookups.forget(|key| key.endpoint == *endpoint);
        for place in self.places.all() {
            place.forget(None, Some(&Place::of_hub(endpoint)));
        }
    }

    /// Drops everything that is known of the tokens of one Hub, also what the machine's processes
    /// share.
    pub fn forget_endpoint_shared(&self, settings: &Settings, endpoint: &Endpoint) {
        self.places.of(settings);
        self.forget_endpoint(endpoint);
    }
}
