//! Finds out whose a token is: from a cache, from a request in flight, or from the Hub.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::coalesce::Caller;
use super::whoami::{FreshnessWindow, WhoamiRequest};
use super::{Client, HubConnection, IdentityAnswer, WhoamiResult, not_before};
use crate::credential::Credential;
use crate::identity::Options;
use crate::identity::cache::key::Key;
use crate::identity::cache::shared::{LimitScope, SharedEntry};
use crate::identity::deadline::Deadline;
use crate::identity::failure::Failure;
use crate::identity::freshness::REPEAT_WINDOW;
use crate::interrupt::Interrupt;

impl Client {
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
    pub(super) fn identify_within(
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
        let deadline = Deadline::of(&self.clock, options);
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
                let request = Arc::new(WhoamiRequest {
                    key: key.clone(),
                    credential: credential.clone(),
                    connection: connection.clone(),
                    deadline,
                    shared: shared.clone(),
                    window,
                    caches_failures: options.freshness.caches_failures,
                });
                self.whoami_fresh(&request, read_first, interrupt)
            });
        let failure = match outcome {
            Ok((asked, identity)) => {
                return Ok(IdentityAnswer::fresh(asked, identity));
            }
            Err(failure) if failure.is_inconclusive() => failure,
            Err(failure) => return Err(failure),
        };
        // Another caller, or another process, may have had its answer in the meantime.
        let learned = self
            .cached_within(&key, &window)
            .or_else(|| self.read_shared(&key, shared.as_ref()?, &window));
        if let Some(answer) = learned {
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

    /// Joins or sends whoami requests until an answer is as fresh as the caller requires.
    ///
    /// A request in flight may return what another process learned, which is only as fresh as its
    /// leader required. This caller may lead the next request.
    fn whoami_fresh(
        self: &Arc<Self>,
        request: &Arc<WhoamiRequest>,
        shared: Option<&SharedEntry>,
        interrupt: &dyn Interrupt,
    ) -> WhoamiResult {
        let window = &request.window;
        let mut outcome = self.whoami_once(request, shared, interrupt);
        if matches!(outcome, Err(Failure::Rejected(_)))
            && let Some(rejection) = self.cache.rejection(&request.key)
            && !window.accepts_rejection(&rejection)
        {
            outcome = self.whoami_once(request, shared, interrupt);
        }
        let is_old = |asked: Instant| window.identity.is_some_and(|limit| asked < limit);
        while matches!(&outcome, Ok((asked, _)) if is_old(*asked)) {
            outcome = self.whoami_once(request, shared, interrupt);
        }
        outcome
    }

    /// Joins or sends one whoami request, unless requests are disabled or rate-limited.
    fn whoami_once(
        self: &Arc<Self>,
        request: &Arc<WhoamiRequest>,
        shared: Option<&SharedEntry>,
        interrupt: &dyn Interrupt,
    ) -> WhoamiResult {
        let (key, window) = (&request.key, &request.window);
        request.connection.check_open()?;
        // Even if the caller wants a fresh answer: the Hub has said that it will not give one.
        self.check_rate_limit(key, LimitScope::Whoami, shared)?;
        let caller = Caller {
            route: request.connection.route_id(),
            not_before: window.identity,
            deadline: &request.deadline,
            interrupt,
        };
        let cached = || {
            self.cached_within(key, window)
                .or_else(|| self.known_failure(request).map(Err))
        };
        let (client, sent) = (self.clone(), request.clone());
        let fetch = |asked| client.fetch_and_record(sent, asked);
        self.whoami_requests.get(key, &caller, cached, fetch)
    }

    /// The failure that makes another request pointless, if a request that has just completed
    /// recorded one.
    fn known_failure(&self, request: &WhoamiRequest) -> Option<Failure> {
        let key = &request.key;
        let limited = self.check_rate_limit(key, LimitScope::Whoami, None);
        limited.err().or_else(|| {
            let age = request.window.unanswered?;
            self.cache
                .unanswered(key, not_before(self.clock.now(), age))
                .filter(|failure| failure.holds_for(request.deadline.timeout()))
        })
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
        let ago = known.map(|known| now.instant.saturating_duration_since(known.asked));
        match ago.filter(|ago| *ago < REPEAT_WINDOW) {
            Some(ago) => Failure::RejectedBefore {
                ago,
                why: Box::new(failure),
            },
            None => failure,
        }
    }
}
