//! Sends a whoami request, or takes the answer from another process that has it.
//!
//! A rate limit is honored even with `max_age=0`: asking again is the caller's choice, but waiting
//! is the Hub's requirement. The limit is kept per token, and only if the Hub said how long it
//! lasts.
//!
//! There are two kinds. The Hub limits whoami more strictly than other requests. Such a limit does
//! not apply to the auth-check, since a cached identity would otherwise be useless. A limit that an
//! auth-check runs into applies to every request, and an answer from whoami does not lift it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Client, HubConnection, WhoamiResult, not_before};
use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::error::ResponseDetails;
use crate::expiry::Expiry;
use crate::http;
use crate::http::response_details::{details, without_page};
use crate::identity::cache::key::Key;
use crate::identity::cache::shared::{Election, LimitScope, RateLimit, SharedEntry};
use crate::identity::deadline::Deadline;
use crate::identity::failure::{Failure, Reason};
use crate::identity::freshness::{DoublingAge, Rejection, Repeated};
use crate::identity::model::Identity;
use crate::identity::{IDENTITY_LIFETIME, Options};

/// After a longer wait for another process, the request counts as sent when the wait ended.
const NOTICEABLE_WAIT: Duration = Duration::from_millis(10);

/// Which cached answers are fresh enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreshnessWindow {
    now: Instant,
    /// The earliest request time; `None` accepts any.
    pub(super) identity: Option<Instant>,
    /// Before a denial: how recently a request must have gone unanswered for that to count as the
    /// answer.
    pub(super) unanswered: Option<Duration>,
    /// How old a rejection may be, depending on how often it was repeated; bounded by
    /// `oldest_rejection`.
    pub(super) rejection: DoublingAge,
    oldest_rejection: Duration,
}

impl FreshnessWindow {
    /// The answers that are fresh enough. Once the token's known end has passed, no earlier
    /// positive answer is fresh enough.
    pub(super) fn new(now: Instant, options: &Options, end: Expiry) -> Self {
        let identity = if end.has_passed() {
            Duration::ZERO
        } else {
            options.max_age.unwrap_or(IDENTITY_LIFETIME)
        };
        Self {
            now,
            identity: not_before(now, identity),
            unanswered: None,
            rejection: options.freshness.rejection,
            oldest_rejection: options.max_age.unwrap_or(Duration::MAX),
        }
    }

    /// The answers that may stand in while the Hub is unreachable. Rejections never do.
    pub(super) fn stale(now: Instant, options: &Options, end: Expiry) -> Self {
        let max_stale = if end.has_passed() {
            Duration::ZERO
        } else {
            options.max_stale
        };
        Self {
            now,
            identity: not_before(now, max_stale),
            unanswered: None,
            rejection: options.freshness.rejection,
            oldest_rejection: Duration::ZERO,
        }
    }

    /// Whether a rejection is fresh enough to be the answer.
    pub(super) fn accepts_rejection(&self, rejection: &Rejection) -> bool {
        let age = self.rejection.at(Some(rejection.repeated), self.now);
        self.now.saturating_duration_since(rejection.asked) <= age.min(self.oldest_rejection)
    }
}

/// The parameters of a whoami request.
pub(super) struct WhoamiRequest {
    pub(super) key: Key,
    pub(super) credential: Arc<Credential>,
    pub(super) connection: HubConnection,
    pub(super) deadline: Deadline,
    pub(super) shared: Option<SharedEntry>,
    pub(super) window: FreshnessWindow,
    /// Whether an unanswered request must not be repeated soon.
    pub(super) caches_failures: bool,
}

impl Client {
    /// Returns what another process has learned about a token, if it is fresh enough.
    pub(super) fn read_shared(
        &self,
        key: &Key,
        shared: &SharedEntry,
        window: &FreshnessWindow,
    ) -> Option<WhoamiResult> {
        let now = self.clock.timestamp();
        if let Some((asked, identity, end)) = shared.identity(now)
            && window.identity.is_none_or(|limit| asked >= limit)
        {
            self.cache.insert_identity(key, asked, identity.into(), end);
            // Read back from memory, which checks the token's end.
            if let Some(known) = self.cache.identity(key, window.identity) {
                return Some(Ok(known));
            }
        }
        let rejection = shared.rejection(now)?;
        window.accepts_rejection(&rejection).then(|| {
            let response = rejection.response.clone();
            self.cache.insert_rejection(key, rejection);
            Err(Failure::Rejected(response))
        })
    }

    /// Fails during a rate limit that this process or another one received. A limit on all requests
    /// also applies to whoami.
    pub(super) fn check_rate_limit(
        &self,
        key: &Key,
        scope: LimitScope,
        shared: Option<&SharedEntry>,
    ) -> Result<(), Failure> {
        let now = self.clock.timestamp();
        let limit = |scope| {
            self.cache
                .limit(key, scope, now.instant)
                .or_else(|| shared?.limit(scope, now))
        };
        let whoami = (scope == LimitScope::Whoami).then(|| limit(LimitScope::Whoami));
        let limits = whoami.into_iter().chain([limit(LimitScope::Hub)]);
        match limits.flatten().max_by_key(|limit| limit.left) {
            Some(RateLimit { left, response }) => Err(Failure::RateLimited {
                response,
                // Rounded up: retrying a second late is better than being rejected again.
                retry_after: Some(left.as_secs() + u64::from(left.subsec_nanos() > 0)),
            }),
            None => Ok(()),
        }
    }

    /// Fetches the identity and caches a failure before the request completes, so that later
    /// callers find it and do not repeat the request.
    pub(super) async fn fetch_and_record(
        self: Arc<Self>,
        request: Arc<WhoamiRequest>,
        asked: Instant,
    ) -> WhoamiResult {
        let outcome = self.fetch_or_wait(&request, asked).await;
        if let Err(failure) = &outcome {
            self.record_failure(&request, asked, failure);
        }
        outcome
    }

    fn record_failure(&self, request: &WhoamiRequest, asked: Instant, failure: &Failure) {
        match failure {
            Failure::RateLimited {
                retry_after: None,
                response,
            } => {
                if let Some(age) = request.window.unanswered {
                    let shared = request.shared.as_ref();
                    self.record_limit(&request.key, LimitScope::Whoami, age, response, shared);
                }
            }
            Failure::Unreachable(_) | Failure::TimedOut { .. } | Failure::UnexpectedResponse(_)
                if request.caches_failures =>
            {
                self.cache
                    .insert_unanswered(request.key.clone(), asked, failure.clone());
            }
            _ => {}
        }
    }

    /// From another process that is sending the request, or from the Hub.
    async fn fetch_or_wait(&self, request: &WhoamiRequest, mut asked: Instant) -> WhoamiResult {
        let Some(shared) = request.shared.clone() else {
            return self.request_whoami(request, asked).await;
        };
        let shared = shared.with_route(
            request
                .connection
                .route_id()
                .salted_hex(&request.credential),
        );
        let deadline = &request.deadline;
        let failed = |lease_ids: &[u64]| {
            let oldest = request.window.identity;
            let accepts_time_outs = !deadline.allows_another_request();
            let now = self.clock.timestamp();
            match shared.failure(now, lease_ids, oldest, accepts_time_outs)? {
                // Every caller reports the time-out that it was given itself.
                Failure::TimedOut { .. } => Some(deadline.failure()),
                failure => Some(failure),
            }
        };
        let answered = |lease_ids: &[u64]| {
            self.read_shared(&request.key, &shared, &request.window)
                .or_else(|| {
                    self.check_rate_limit(&request.key, LimitScope::Whoami, Some(&shared))
                        .err()
                        .or_else(|| failed(lease_ids))
                        .map(Err)
                })
        };
        let election = shared.elect(&self.timing, &self.clock, deadline.left(), answered);
        let mut leadership = match election.await {
            Election::Leader(leadership) => leadership,
            Election::Answered(answer) => return answer,
            Election::TimedOut => return Err(deadline.failure()),
        };
        let waited = self.clock.now().saturating_duration_since(asked);
        if waited > NOTICEABLE_WAIT {
            asked = self.clock.now();
        }
        let timestamp = self.clock.timestamp();
        let response = self.request_whoami(request, asked);
        let outcome = leadership.run(&self.timing, &self.clock, response).await;
        if let (Err(failure), Some(lease_id)) = (&outcome, leadership.lease_id()) {
            shared.insert_failure(timestamp, lease_id, failure, &request.credential);
        }
        outcome
    }

    /// Sends `GET /api/whoami-v2` and caches the answer.
    async fn request_whoami(&self, request: &WhoamiRequest, asked: Instant) -> WhoamiResult {
        let WhoamiRequest {
            key,
            credential,
            connection,
            shared,
            deadline,
            ..
        } = request;
        let timestamp = self.clock.timestamp();
        let authorization = Some(credential.bearer().map_err(Failure::Configuration)?);
        let endpoint = &credential.endpoint;
        let http = connection.http()?;
        // What is left now: the certificates may just have been read.
        let limit = deadline.limit();
        let answer = http::get(&http, endpoint, "/api/whoami-v2", authorization, limit)
            .await
            .map_err(|error| Failure::of_transport(error, &credential.token))?;
        if answer.status != 200 {
            let response = details(&answer, &credential.token);
            if answer.status == 401 {
                self.record_rejection(request, asked, timestamp, &response);
                return Err(Failure::Rejected(response));
            }
            let failure = Failure::of(&answer, response.clone());
            if let Some(length) = failure.rate_limit() {
                self.record_limit(key, LimitScope::Whoami, length, &response, shared.as_ref());
            }
            return Err(failure);
        }
        let identity = Identity::parse(&answer.body, endpoint).map_err(|text| {
            let response = without_page(&answer, &details(&answer, &credential.token));
            Failure::UnexpectedResponse(Reason { text, response })
        })?;
        let identity = Arc::new(identity);
        let end = credential.expires_at;
        self.cache
            .insert_identity(key, asked, identity.clone(), end);
        if let Some(shared) = shared {
            shared.insert_identity(timestamp, &answer.body, credential);
        }
        Ok((asked, identity))
    }

    /// Drops what was cached for a token and caches its rejection, for whoami and the auth-check
    /// alike.
    fn record_rejection(
        &self,
        request: &WhoamiRequest,
        asked: Instant,
        timestamp: Timestamp,
        response: &ResponseDetails,
    ) {
        let key = &request.key;
        let shared = request.shared.as_ref();
        let history = Repeated::later(
            self.cache.rejection(key).map(|known| known.repeated),
            shared
                .and_then(|shared| shared.rejection(timestamp))
                .map(|known| known.repeated),
        );
        let repeated = request.window.rejection.confirm(history, asked);
        let rejection = Rejection {
            asked,
            repeated,
            response: response.clone(),
        };
        let known = self.cache.insert_rejection(key, rejection);
        if let Some(shared) = shared {
            shared.remove_identity();
            if known || history.is_some() || self.shared_rejections.try_acquire(timestamp.instant) {
                shared.insert_rejection(timestamp, repeated, response);
            }
        }
    }

    pub(super) fn record_limit(
        &self,
        key: &Key,
        scope: LimitScope,
        length: Duration,
        response: &ResponseDetails,
        shared: Option<&SharedEntry>,
    ) {
        let now = self.clock.timestamp();
        let limit = RateLimit {
            left: length,
            response: response.clone(),
        };
        self.cache
            .insert_limit(key.clone(), scope, now.instant, limit);
        if let Some(shared) = shared {
            shared.insert_limit(scope, now, length, response);
        }
    }
}
