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

use super::{Answered, Client, Line, not_before};
use crate::credential::Credential;
use crate::http::{self, no_answer_within};
use crate::identity::failure::Failure;
use crate::identity::freshness::{DoublingAge, Repeated};
use crate::identity::key::Key;
use crate::identity::model::Identity;
use crate::identity::shared::{LimitScope, Moment, Shared, Turn};
use crate::identity::{IDENTITY_LIFETIME, Options};
use crate::known_end::KnownEnd;

/// A longer wait for another process is deducted from the time-out of this process's request.
const WAITED: Duration = Duration::from_millis(10);

/// Which cached answers are fresh enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
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

impl Window {
    /// The answers that are fresh enough. Once the token's known end has passed, no earlier
    /// positive answer is fresh enough.
    pub(super) fn new(now: Instant, options: &Options, end: KnownEnd) -> Self {
        let identity = if end.is_over() {
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
    pub(super) fn stale(now: Instant, options: &Options, end: KnownEnd) -> Self {
        let max_stale = if end.is_over() {
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
    pub(super) fn trusts(&self, (asked, repeated): (Instant, Repeated)) -> bool {
        let age = self.rejection.at(Some(repeated), self.now);
        self.now.saturating_duration_since(asked) <= age.min(self.oldest_rejection)
    }
}

/// The parameters of a whoami request.
pub(super) struct Question {
    pub(super) key: Key,
    pub(super) credential: Arc<Credential>,
    pub(super) line: Line,
    pub(super) timeout: Duration,
    pub(super) shared: Option<Shared>,
    pub(super) window: Window,
    /// Whether an unanswered request must not be repeated soon.
    pub(super) patient: bool,
}

impl Client {
    /// Returns what another process has learned about a token, if it is fresh enough.
    pub(super) fn told(&self, key: &Key, shared: &Shared, window: &Window) -> Option<Answered> {
        let now = self.clock.moment();
        if let Some((asked, identity, end)) = shared.identity(now)
            && window.identity.is_none_or(|limit| asked >= limit)
        {
            self.memory.keep_identity(key, asked, identity.into(), end);
            // Read back from memory, which checks the token's end.
            if let Some(known) = self.memory.identity(key, window.identity) {
                return Some(Ok(known));
            }
        }
        let (asked, repeated) = shared.rejection(now)?;
        window.trusts((asked, repeated)).then(|| {
            self.memory.keep_rejection(key, asked, repeated);
            Err(Failure::Rejected)
        })
    }

    /// Fails during a rate limit that this process or another one received. A limit on all requests
    /// also applies to whoami.
    pub(super) fn limited(
        &self,
        key: &Key,
        scope: LimitScope,
        shared: Option<&Shared>,
    ) -> Result<(), Failure> {
        let now = self.clock.moment();
        let left = |scope| {
            self.memory
                .limit(key, scope, now.instant)
                .or_else(|| shared?.limit(scope, now))
        };
        let whoami = (scope == LimitScope::Whoami).then(|| left(LimitScope::Whoami));
        match whoami.flatten().max(left(LimitScope::Hub)) {
            Some(left) => Err(Failure::RateLimited {
                // Rounded up: retrying a second late is better than being rejected again.
                retry_after: Some(left.as_secs() + u64::from(left.subsec_nanos() > 0)),
            }),
            None => Ok(()),
        }
    }

    /// Fetches the identity and caches a failure before the request completes, so that later
    /// callers find it and do not repeat the request.
    pub(super) async fn learn(self: Arc<Self>, question: Question, asked: Instant) -> Answered {
        let outcome = self.seek(&question, asked).await;
        if let Err(failure) = &outcome {
            self.keep_failure(&question, asked, failure);
        }
        outcome
    }

    fn keep_failure(&self, question: &Question, asked: Instant, failure: &Failure) {
        match failure {
            Failure::RateLimited { retry_after: None } => {
                if let Some(age) = question.window.unanswered {
                    let shared = question.shared.as_ref();
                    self.keep_limit(&question.key, LimitScope::Whoami, age, shared);
                }
            }
            Failure::Unreachable(_) | Failure::Strange(_) if question.patient => {
                self.memory
                    .keep_unanswered(question.key.clone(), asked, failure.clone());
            }
            _ => {}
        }
    }

    /// From another process that is sending the request, or from the Hub.
    async fn seek(&self, question: &Question, mut asked: Instant) -> Answered {
        let Some(shared) = question.shared.clone() else {
            return self.whoami(question, question.timeout, asked).await;
        };
        let shared = shared.by(question.line.way().told(&question.credential));
        let answered = |claims: &[u64]| {
            self.told(&question.key, &shared, &question.window)
                .or_else(|| {
                    self.limited(&question.key, LimitScope::Whoami, Some(&shared))
                        .err()
                        .or_else(|| {
                            let (oldest, patience) = (question.window.identity, question.timeout);
                            shared.failure(self.clock.moment(), claims, oldest, patience)
                        })
                        .map(Err)
                })
        };
        let turn = shared.turn(&self.pace, &self.clock, question.timeout, answered);
        let mut lead = match turn.await {
            Turn::Ask(lead) => lead,
            Turn::Answered(answer) => return answer,
            Turn::TimedOut => return Err(Failure::Unreachable(no_answer_within(question.timeout))),
        };
        let mut timeout = question.timeout;
        let waited = self.clock.now().saturating_duration_since(asked);
        if waited > WAITED {
            timeout = timeout.saturating_sub(waited);
            asked = self.clock.now();
        }
        let moment = self.clock.moment();
        // A request's time-out is real time, independent of the client's clock.
        let begun = Instant::now();
        let request = self.whoami(question, timeout, asked);
        let outcome = lead.run(&self.pace, &self.clock, request).await;
        if let (Err(failure), Some(claim)) = (&outcome, lead.claim()) {
            let gave_up = (begun.elapsed() >= timeout).then_some(timeout);
            shared.keep_failure(moment, claim, failure, gave_up, &question.credential);
        }
        outcome
    }

    /// Sends `GET /api/whoami-v2` and caches the answer.
    async fn whoami(&self, question: &Question, timeout: Duration, asked: Instant) -> Answered {
        let Question {
            key,
            credential,
            line,
            shared,
            ..
        } = question;
        let moment = self.clock.moment();
        let authorization = Some(credential.bearer().map_err(Failure::Setup)?);
        let endpoint = &credential.endpoint;
        let http = line.http()?;
        let answer = http::get(&http, endpoint, "/api/whoami-v2", authorization, timeout).await?;
        if answer.status == 401 {
            self.reject(question, asked, moment);
            return Err(Failure::Rejected);
        }
        if answer.status != 200 {
            let failure = Failure::of(&answer);
            if let Failure::RateLimited {
                retry_after: Some(seconds),
            } = failure
            {
                let length = Duration::from_secs(seconds);
                self.keep_limit(key, LimitScope::Whoami, length, shared.as_ref());
            }
            return Err(failure);
        }
        let identity = Identity::parse(&answer.body, endpoint).map_err(Failure::Strange)?;
        let identity = Arc::new(identity);
        let end = credential.expires_at;
        self.memory.keep_identity(key, asked, identity.clone(), end);
        if let Some(shared) = shared {
            shared.keep_identity(moment, &answer.body, credential);
        }
        Ok((asked, identity))
    }

    /// Drops what was cached for a token and caches its rejection, for whoami and the auth-check
    /// alike.
    fn reject(&self, question: &Question, asked: Instant, moment: Moment) {
        let key = &question.key;
        let shared = question.shared.as_ref();
        let history = Repeated::later(
            self.memory.rejection(key).map(|(_, repeated)| repeated),
            shared
                .and_then(|shared| shared.rejection(moment))
                .map(|(_, repeated)| repeated),
        );
        let repeated = question.window.rejection.confirm(history, asked);
        let known = self.memory.keep_rejection(key, asked, repeated);
        if let Some(shared) = shared {
            shared.drop_identity();
            if known || history.is_some() || self.shared_rejections.take(moment.instant) {
                shared.keep_rejection(moment, repeated);
            }
        }
    }

    pub(super) fn keep_limit(
        &self,
        key: &Key,
        scope: LimitScope,
        length: Duration,
        shared: Option<&Shared>,
    ) {
        let now = self.clock.moment();
        self.memory
            .keep_limit(key.clone(), scope, now.instant, length);
        if let Some(shared) = shared {
            shared.keep_limit(scope, now, length);
        }
    }
}
