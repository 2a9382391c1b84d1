//! One question to whoami: from another process that has the answer, or from the Hub.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Answered, Client, Key};
use crate::credential::Credential;
use crate::http;
use crate::identity::failure::Failure;
use crate::identity::model::Identity;
use crate::identity::shared::{Claim, Moment, Shared};

/// A longer wait for another process shortens the question of one's own.
const WAITED: Duration = Duration::from_millis(10);

/// What a flight needs to learn whose a token is.
pub(super) struct Question {
    pub(super) key: Key,
    pub(super) credential: Arc<Credential>,
    pub(super) http: reqwest::Client,
    pub(super) timeout: Duration,
    pub(super) shared: Option<Shared>,
    pub(super) limit: Option<Instant>,
    pub(super) rejected: Option<Instant>,
}

impl Client {
    /// What another process has learnt of a token, if it is young enough.
    pub(super) fn told(
        &self,
        key: &Key,
        shared: &Shared,
        limit: Option<Instant>,
        rejected: Option<Instant>,
    ) -> Option<Answered> {
        let now = Moment::now();
        if let Some((asked, identity)) = shared.identity(now)
            && limit.is_none_or(|limit| asked >= limit)
        {
            self.identities.insert(key.clone(), asked, identity.into());
            // By the same way as everything from memory, which knows when a token ends.
            if let Some(known) = self.young(key, limit) {
                return Some(Ok(known));
            }
        }
        let asked = shared.rejection(now)?;
        rejected.is_none_or(|limit| asked >= limit).then(|| {
            self.rejections.insert(key.clone(), asked, ());
            Err(Failure::Rejected)
        })
    }

    /// Learns who a token belongs to: from another process that asks right now, or from the Hub.
    pub(super) async fn learn(self: Arc<Self>, question: Question, mut asked: Instant) -> Answered {
        let mut timeout = question.timeout;
        let _claim = match &question.shared {
            None => Claim::Impossible,
            Some(shared) => {
                let answered =
                    || self.told(&question.key, shared, question.limit, question.rejected);
                // The rest is for a question of one's own.
                let claim = match shared.claim(timeout * 3 / 4, answered).await {
                    Ok(claim) => claim,
                    Err(answer) => return answer,
                };
                limited(shared)?;
                let waited = asked.elapsed();
                if waited > WAITED {
                    timeout = timeout.saturating_sub(waited);
                    asked = Instant::now();
                }
                claim
            }
        };
        self.whoami(question, timeout, asked).await
    }

    /// Asks `GET /api/whoami-v2` and keeps the answer.
    async fn whoami(
        self: Arc<Self>,
        question: Question,
        timeout: Duration,
        asked: Instant,
    ) -> Answered {
        let Question {
            key,
            credential,
            http,
            shared,
            ..
        } = question;
        let moment = Moment::now();
        let authorization = Some(credential.bearer());
        let endpoint = &credential.endpoint;
        let answer = http::get(&http, endpoint, "/api/whoami-v2", authorization, timeout).await?;
        if answer.status != 200 {
            let failure = Failure::of(&answer);
            match (&failure, &shared) {
                (Failure::Rejected, _) => self.reject(key, asked, moment, shared.as_ref()),
                (
                    Failure::RateLimited {
                        retry_after: Some(seconds),
                    },
                    Some(shared),
                ) => shared.keep_limit(Moment::now(), *seconds),
                _ => {}
            }
            return Err(failure);
        }
        let identity = Identity::parse(&answer.body, endpoint).map_err(Failure::Strange)?;
        let identity = Arc::new(identity);
        self.identities.insert(key, asked, identity.clone());
        if let Some(shared) = shared {
            shared.keep_identity(moment, &answer.body, &credential);
        }
        Ok((asked, identity))
    }
}

/// The Hub's wish to be left alone, told to a process of this machine.
pub(super) fn limited(shared: &Shared) -> Result<(), Failure> {
    match shared.limit(Moment::now()) {
        Some(seconds) => Err(Failure::RateLimited {
            retry_after: Some(seconds),
        }),
        None => Ok(()),
    }
}
