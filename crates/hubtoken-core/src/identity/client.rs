//! Asks the Hub about tokens and caches the answers.

mod auth_check;
mod coalesce;
mod connection;
mod denial;
mod identify;
mod known;
mod lookup;
mod whoami;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::auth_check::{AuthCheck, AuthCheckResponse};
use super::cache::fixed_window::FixedWindow;
use super::cache::key::Key;
use super::cache::memory::ClientCache;
pub use super::cache::memory::DecisionKey;
use super::cache::shared::{CacheKey, LeaseTiming};
use super::cache::shared_caches::SharedCaches;
use super::failure::Failure;
use super::model::Identity;
use super::settings::Settings;
use super::{Options, REJECTION_LIFETIME};
use crate::clock::Clock;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::{Error, ResponseDetails};
use crate::expiry::Expiry;
use crate::http::Transport;
use crate::interrupt::Interrupt;
use crate::oauth::{Current, RenewalSettings, Renewer, TokenEndpoint};
use crate::runtime::Runtime;
use crate::token::Digest;
use coalesce::Coalesced;
pub use connection::HubConnection;
use lookup::Lookups;
pub use lookup::{Namespace, Similar};
use whoami::FreshnessWindow;

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

/// An identity, and when it was requested.
type WhoamiAnswer = (Instant, Arc<Identity>);
type WhoamiResult = Result<WhoamiAnswer, Failure>;
/// A parsed response, and when it was requested.
type AuthCheckAnswer = (Instant, AuthCheckResponse, ResponseDetails);
type AuthCheckResult = Result<AuthCheckAnswer, Failure>;

/// A Hub client with its caches.
pub struct Client {
    transport: Arc<Transport>,
    runtime: Arc<Runtime>,
    shared_caches: SharedCaches,
    timing: LeaseTiming,
    clock: Clock,
    renewer: Renewer,
    cache: ClientCache,
    shared_rejections: FixedWindow,
    lookups: Lookups,
    whoami_requests: Coalesced<Key, WhoamiAnswer>,
    auth_check_requests: Coalesced<AuthCheck, AuthCheckAnswer>,
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
        let runtime = Arc::default();
        let transport = Arc::default();
        Self {
            renewer: Renewer::new(Arc::clone(&transport), Arc::clone(&runtime), clock.clone()),
            transport,
            shared_caches: SharedCaches::default(),
            timing,
            cache: ClientCache::default(),
            shared_rejections: FixedWindow::new(SHARED_REJECTIONS, REJECTION_LIFETIME),
            lookups: Lookups::new(&runtime, &clock),
            whoami_requests: Coalesced::new(&runtime, &clock),
            auth_check_requests: Coalesced::new(&runtime, &clock),
            runtime,
            clock,
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
            settings.http.clone(),
            self.shared_caches.of(settings),
        )
    }

    /// The OAuth endpoints of a Hub. Opens nothing and sends nothing.
    #[must_use]
    pub fn token_endpoint(&self, endpoint: &Endpoint, settings: &Settings) -> TokenEndpoint {
        TokenEndpoint::new(
            Arc::clone(&self.transport),
            Arc::clone(&self.runtime),
            endpoint.clone(),
            settings.http.clone(),
        )
    }

    /// Whether a token needs [`Client::renewed`]: it is due for a renewal, or was renewed and is not
    /// stored yet. Costs nothing for a token that is not renewed, and does no I/O for any.
    #[must_use]
    pub fn is_renewal_due(&self, credential: &Arc<Credential>) -> bool {
        self.renewer.is_due(credential)
    }

    /// The token as it is now, renewed if that is due. What is cached for the one before is dropped.
    ///
    /// # Errors
    ///
    /// As for [`Renewer::current`].
    pub fn renewed(
        &self,
        credential: &Arc<Credential>,
        settings: impl FnOnce() -> RenewalSettings,
        interrupt: &dyn Interrupt,
    ) -> Result<Current, Error> {
        let current = self.renewer.current(credential, settings, interrupt)?;
        for digest in &current.replaced {
            self.invalidate(*digest);
        }
        Ok(current)
    }

    /// The connections to Hubs, for requests that are not this client's.
    pub(crate) fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    /// The thread that sends requests.
    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
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
            .accepts_rejection(&rejection)
            .then_some(Err(Failure::Rejected(rejection.response)))
    }

    /// Whether the same requirement was granted recently.
    #[must_use]
    pub fn granted_until(
        &self,
        decision: &DecisionKey<'_>,
        max_age: Option<Duration>,
    ) -> Option<Expiry> {
        self.cache
            .granted_until(decision, self.clock.now(), max_age)
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
        self.renewer.clear();
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
