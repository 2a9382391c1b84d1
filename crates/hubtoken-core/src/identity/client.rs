//! Asks the Hub about tokens and caches the answers.

mod auth_check;
mod coalesce;
mod connection;
mod denial;
mod lookup;
mod whoami;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::auth_check::{AuthCheck, AuthCheckResponse};
use super::cache::fixed_window::FixedWindow;
use super::cache::key::Key;
use super::cache::memory::ClientCache;
pub use super::cache::memory::DecisionKey;
use super::cache::shared::{CacheKey, LeaseTiming, LimitScope, SharedEntry};
use super::cache::shared_caches::SharedCaches;
use super::clock::Clock;
use super::failure::Failure;
use super::freshness::REPEAT_WINDOW;
use super::model::Identity;
use super::runtime::Runtime;
use super::{Options, REJECTION_LIFETIME};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::expiry::Expiry;
use crate::http::{RouteId, Settings, Transport};
use crate::interrupt::Interrupt;
use crate::single_flight::SingleFlight;
use crate::token::Digest;
pub use connection::HubConnection;
use lookup::Lookups;
pub use lookup::{Namespace, Similar};
use whoami::{FreshnessWindow, WhoamiRequest};

/// At most this many rejections of previously unseen tokens are shared per [`REJECTION_LIFETIME`].
/// More would only evict each other, and wear out the disk of a server that receives made-up
/// tokens.
const SHARED_REJECTIONS: u32 = 64;

/// An identity, and whether it is stale.
pub struct IdentityAnswer {
    /// The identity.
    pub identity: Arc<Identity>,
    /// When it was requested.
    pub asked: Instant,
    /// Its age, and why no newer one was available.
    pub stale: Option<(Duration, Failure)>,
}

impl IdentityAnswer {
    fn fresh(asked: Instant, identity: Arc<Identity>) -> Self {
        Self {
            identity,
            asked,
            stale: None,
        }
    }
}

type WhoamiResult = Result<(Instant, Arc<Identity>), Failure>;
type AuthCheckResult = Result<(Instant, AuthCheckResponse), Failure>;

/// A Hub client with its caches.
pub struct Client {
    transport: Arc<Transport>,
    runtime: Runtime,
    shared_caches: SharedCaches,
    timing: LeaseTiming,
    clock: Clock,
    cache: ClientCache,
    shared_rejections: FixedWindow,
    lookups: Lookups,
    whoami_requests: SingleFlight<Key, (RouteId, WhoamiResult)>,
    auth_check_requests: SingleFlight<AuthCheck, (RouteId, AuthCheckResult)>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new(LeaseTiming::default())
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
    pub fn new(timing: LeaseTiming) -> Self {
        Self::with_clock(timing, Clock::system())
    }

    /// Creates a client with empty caches and a clock of the caller's choice.
    #[must_use]
    pub fn with_clock(timing: LeaseTiming, clock: Clock) -> Self {
        Self {
            transport: Arc::default(),
            runtime: Runtime::default(),
            shared_caches: SharedCaches::default(),
            timing,
            clock,
            cache: ClientCache::default(),
            shared_rejections: FixedWindow::new(SHARED_REJECTIONS, REJECTION_LIFETIME),
            lookups: Lookups::default(),
            whoami_requests: SingleFlight::default(),
            auth_check_requests: SingleFlight::default(),
        }
    }

    /// The clock of this client.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The connection settings for a Hub. Opens nothing and sends nothing.
    #[must_use]
    pub fn connect(&self, endpoint: &Endpoint, settings: &Settings) -> HubConnection {
        HubConnection::new(
            self.transport.clone(),
            endpoint.clone(),
            settings.clone(),
            self.shared_caches.of(settings),
        )
    }

    /// Drops the connections, so that the next request rereads the certificates.
    pub fn reconnect(&self) {
        self.transport.close();
    }

    /// Returns the cached identity if it is fresh enough. Never sends a request.
    #[must_use]
    pub fn cached(&self, credential: &Credential, options: &Options) -> Option<Arc<Identity>> {
        self.cached_answer(credential, options)?.ok()
    }

    /// Returns the cached answer if it is fresh enough, including a cached rejection. Never sends a
    /// request.
    #[must_use]
    pub fn cached_answer(
        &self,
        credential: &Credential,
        options: &Options,
    ) -> Option<Result<Arc<Identity>, Failure>> {
        let window = FreshnessWindow::new(self.clock.now(), options, credential.expires_at);
        self.cached_within(&Key::of(credential), &window)
            .map(|known| known.map(|(_, identity)| identity))
    }

    fn cached_within(&self, key: &Key, window: &FreshnessWindow) -> Option<WhoamiResult> {
        if let Some(known) = self.cache.identity(key, window.identity) {
            return Some(Ok(known));
        }
        let rejection = self.cache.rejection(key)?;
        window
            .accepts_rejection(rejection)
            .then_some(Err(Failure::Rejected))
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
        connection: &HubConnection,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<IdentityAnswer, Failure> {
        self.identify_within(credential, connection, options, None, interrupt)
    }

    /// Like [`Self::identify`]. When rechecking before a denial, a request that went unanswered at
    /// most `unanswered` ago also counts as an answer.
    fn identify_within(
        self: &Arc<Self>,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        unanswered: Option<Duration>,
        interrupt: &dyn Interrupt,
    ) -> Result<IdentityAnswer, Failure> {
        // Checked before the shared cache or any other process is involved: this failure concerns
        // only its own caller.
        credential
            .check_sendable()
            .map_err(Failure::Configuration)?;
        let key = Key::of(credential);
        let now = self.clock.now();
        let end = credential.expires_at;
        let mut window = FreshnessWindow::new(now, options, end);
        window.unanswered = unanswered;
        let shared = connection.shared(&key);
        // The leader of a request in flight has just read the shared cache. Its followers read it
        // only if the request fails: 64 threads that all read files would delay the leader.
        let follows = self.whoami_requests.is_running(&key, window.identity);
        let read_first = shared.as_ref().filter(|_| !follows);
        let outcome = self
            .cached_within(&key, &window)
            .or_else(|| self.read_shared(&key, read_first?, &window))
            .unwrap_or_else(|| {
                let ask = || {
                    connection.check_open()?;
                    // Even if the caller wants a fresh answer: the Hub has said that it will not
                    // give one.
                    self.check_rate_limit(&key, LimitScope::Whoami, read_first)?;
                    self.request_identity(
                        &key,
                        credential,
                        connection,
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
                    && let Some(rejection) = self.cache.rejection(&key)
                    && !window.accepts_rejection(rejection)
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
                return Ok(IdentityAnswer::fresh(asked, identity));
            }
            Err(failure) if failure.is_inconclusive() => failure,
            Err(failure) => return Err(failure),
        };
        if follows
            && let Some(shared) = &shared
            && let Some(answer) = self.read_shared(&key, shared, &window)
        {
            return answer.map(|(asked, identity)| IdentityAnswer::fresh(asked, identity));
        }
        let stale = FreshnessWindow::stale(now, options, end);
        let known = self
            .cache
            .identity(&key, stale.identity)
            .or_else(|| self.read_shared(&key, shared.as_ref()?, &stale)?.ok());
        match known {
            Some((asked, identity)) => Ok(IdentityAnswer {
                identity,
                asked,
                stale: Some((now.saturating_duration_since(asked), failure)),
            }),
            None => Err(self.after_rejection(&key, shared.as_ref(), failure)),
        }
    }

    /// Adds the earlier rejection to a failure that left it unconfirmed.
    fn after_rejection(
        &self,
        key: &Key,
        shared: Option<&SharedEntry>,
        failure: Failure,
    ) -> Failure {
        let now = self.clock.timestamp();
        let known = self.cache.rejection(key).or_else(|| shared?.rejection(now));
        let ago = known.map(|(asked, _)| now.instant.saturating_duration_since(asked));
        match ago.filter(|ago| *ago < REPEAT_WINDOW) {
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
    fn request_identity(
        self: &Arc<Self>,
        key: &Key,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        shared: Option<&SharedEntry>,
        options: &Options,
        interrupt: &dyn Interrupt,
        window: &FreshnessWindow,
    ) -> WhoamiResult {
        let request = WhoamiRequest {
            key: key.clone(),
            credential: credential.clone(),
            connection: connection.clone(),
            timeout: options.timeout,
            shared: shared.cloned(),
            window: *window,
            caches_failures: options.freshness.caches_failures,
        };
        let client = self.clone();
        self.coalesced(
            (|client| &client.whoami_requests, connection.route_id()),
            key,
            window.identity,
            options.timeout,
            interrupt,
            |client| {
                client
                    .cached_within(key, window)
                    .or_else(|| client.known_failure(key, window).map(Err))
            },
            move |asked| client.fetch_and_record(request, asked),
        )
    }

    /// The failure that makes another request pointless, if a request that has just completed
    /// recorded one.
    fn known_failure(&self, key: &Key, window: &FreshnessWindow) -> Option<Failure> {
        let limited = self.check_rate_limit(key, LimitScope::Whoami, None);
        limited.err().or_else(|| {
            let age = window.unanswered?;
            self.cache
                .unanswered(key, not_before(self.clock.now(), age))
        })
    }

    /// Whether the same requirement was granted recently.
    #[must_use]
    pub fn is_granted(&self, decision: &DecisionKey<'_>, max_age: Option<Duration>) -> bool {
        self.cache.is_granted(decision, self.clock.now(), max_age)
    }

    /// Caches a grant until the known end of its token, with the times at which its identity and
    /// its auth-check were requested.
    pub fn cache_grant(
        &self,
        decision: DecisionKey<'_>,
        identity: Instant,
        check: Option<Instant>,
        end: Expiry,
    ) {
        self.cache
            .insert_grant(decision, self.clock.now(), identity, check, end);
    }

    /// Drops everything that this process has cached for tokens, except rate limits, which only the
    /// Hub can lift. What the machine's processes share stays.
    pub fn clear(&self) {
        self.cache.clear();
        self.lookups.clear();
    }

    /// Drops everything cached for a token.
    pub fn invalidate(&self, digest: Digest) {
        self.cache.invalidate(&digest);
        self.lookups.invalidate(|key| key.digest == digest);
        for cache in self.shared_caches.all() {
            cache.invalidate(Some(&CacheKey::of_token(&digest)), None);
        }
    }

    /// Drops everything cached for a token, including what the processes of this machine share.
    pub fn invalidate_shared(&self, settings: &Settings, digest: Digest) {
        self.shared_caches.of(settings);
        self.invalidate(digest);
    }

    /// Drops everything cached for the tokens of one Hub.
    pub fn invalidate_endpoint(&self, endpoint: &Endpoint) {
        self.cache.invalidate_endpoint(endpoint);
        self.lookups.invalidate(|key| key.endpoint == *endpoint);
        for cache in self.shared_caches.all() {
            cache.invalidate(None, Some(&CacheKey::of_hub(endpoint)));
        }
    }

    /// Drops everything cached for the tokens of one Hub, including what the processes of this
    /// machine share.
    pub fn invalidate_endpoint_shared(&self, settings: &Settings, endpoint: &Endpoint) {
        self.shared_caches.of(settings);
        self.invalidate_endpoint(endpoint);
    }
}
