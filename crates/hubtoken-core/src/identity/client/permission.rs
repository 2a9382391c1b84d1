//! Sends a request to the Hub's auth-check.
//!
//! The Hub's error codes take precedence over its status. A 401 about a repository without an error
//! code is trusted only after one fresh whoami, which all callers that wait for the same auth-check
//! share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Client, Line, Permitted, not_before};
use crate::credential::Credential;
use crate::http::{self, HubClient};
use crate::identity::check::{Check, Heard, Permit, hear};
use crate::identity::failure::Failure;
use crate::identity::key::Key;
use crate::identity::shared::{LimitScope, Shared};
use crate::identity::{CHECK_LIFETIME, Options};
use crate::interrupt::Interrupt;

impl Client {
    /// Returns the Hub's decision on reading or writing a repository, and when it was requested.
    ///
    /// # Errors
    ///
    /// [`Failure`]. Never returns a stale answer: an old *allowed* proves nothing.
    pub fn check(
        self: &Arc<Self>,
        check: &Check,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<(Instant, Permit), Failure> {
        let age = match options.max_age {
            _ if credential.expires_at.is_over() => Duration::ZERO,
            Some(age) => age.min(CHECK_LIFETIME),
            None => CHECK_LIFETIME,
        };
        let limit = not_before(self.clock.now(), age);
        let recall = |client: &Self| {
            let allowed = client.memory.is_allowed(check, limit);
            allowed
                .map(|asked| Ok((asked, Heard::Permit(Permit::Allowed))))
                .or_else(|| {
                    let limited = client.limited(&check.key, LimitScope::Hub, None);
                    limited.err().map(Err)
                })
        };
        let known = if let Some(known) = recall(self) {
            known
        } else {
            line.check_open()?;
            let shared = line.shared(&check.key);
            self.limited(&check.key, LimitScope::Hub, shared.as_ref())?;
            let http = line.http()?;
            let (client, credential) = (self.clone(), credential.clone());
            let (check, timeout) = (check.clone(), options.timeout);
            self.fly(
                (|client| &client.check_flights, line.way()),
                &check.clone(),
                limit,
                options.timeout,
                interrupt,
                recall,
                move |asked| client.auth_check(check, credential, http, shared, timeout, asked),
            )
        };
        match known? {
            (asked, Heard::Permit(permit)) => Ok((asked, permit)),
            (asked, Heard::Unauthorized) => {
                // Callers that share one auth-check also share one whoami.
                let since = Options {
                    max_age: Some(asked.elapsed()),
                    max_stale: Duration::ZERO,
                    ..*options
                };
                self.identify(credential, line, &since, interrupt)?;
                Err(Failure::Strange(format!(
                    "it answered with status 401 about {}, although it accepts the token",
                    check.page()
                )))
            }
        }
    }

    /// Caches a rate limit that a request other than whoami ran into.
    pub(super) fn obey(&self, key: &Key, failure: &Failure, shared: Option<&Shared>) {
        if let Failure::RateLimited {
            retry_after: Some(seconds),
        } = failure
        {
            let length = Duration::from_secs(*seconds);
            self.keep_limit(key, LimitScope::Hub, length, shared);
        }
    }

    async fn auth_check(
        self: Arc<Self>,
        check: Check,
        credential: Arc<Credential>,
        http: HubClient,
        shared: Option<Shared>,
        timeout: Duration,
        asked: Instant,
    ) -> Permitted {
        let authorization = Some(credential.bearer().map_err(Failure::Setup)?);
        let endpoint = &credential.endpoint;
        let answer = http::get(&http, endpoint, &check.path(), authorization, timeout).await?;
        let heard = hear(&answer);
        if let Err(failure) = &heard {
            self.obey(&check.key, failure, shared.as_ref());
        }
        let heard = heard?;
        if heard == Heard::Permit(Permit::Allowed) {
            self.memory.keep_check(&check, asked, credential.expires_at);
        } else {
            self.memory.drop_check(&check, asked);
        }
        Ok((asked, heard))
    }
}
