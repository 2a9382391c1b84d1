//! Sends a request to the Hub's auth-check.
//!
//! The Hub's error codes take precedence over its status. A 401 about a repository without an error
//! code is trusted only after one fresh whoami, which all callers that wait for the same auth-check
//! share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::coalesce::Caller;
use super::{AuthCheckResult, Client, HubConnection, not_before};
use crate::credential::Credential;
use crate::http::{self, HubClient};
use crate::identity::auth_check::{AuthCheck, AuthCheckOutcome, AuthCheckResponse, parse_response};
use crate::identity::cache::shared::{LimitScope, SharedEntry};
use crate::identity::deadline::Deadline;
use crate::identity::failure::Failure;
use crate::identity::{CHECK_LIFETIME, Options};
use crate::interrupt::Interrupt;

impl Client {
    /// Returns the Hub's decision on reading or writing a repository, and when it was requested.
    ///
    /// # Errors
    ///
    /// [`Failure`]. Never returns a stale answer: an old *allowed* proves nothing.
    pub fn auth_check(
        self: &Arc<Self>,
        check: &AuthCheck,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<(Instant, AuthCheckOutcome), Failure> {
        let age = match options.max_age {
            _ if credential.expires_at.has_passed() => Duration::ZERO,
            Some(age) => age.min(CHECK_LIFETIME),
            None => CHECK_LIFETIME,
        };
        let options = &options.begun(self.clock.now());
        let deadline = Deadline::of(&self.clock, options);
        let limit = not_before(self.clock.now(), age);
        let cached = || {
            let allowed = self.cache.is_allowed(check, limit);
            allowed
                .map(|asked| Ok((asked, AuthCheckResponse::Outcome(AuthCheckOutcome::Allowed))))
                .or_else(|| {
                    let limited = self.check_rate_limit(&check.key, LimitScope::Hub, None);
                    limited.err().map(Err)
                })
        };
        let known = if let Some(known) = cached() {
            known
        } else {
            connection.check_open()?;
            let shared = connection.shared(&check.key);
            self.check_rate_limit(&check.key, LimitScope::Hub, shared.as_ref())?;
            let http = connection.http()?;
            let caller = Caller {
                route: connection.route_id(),
                not_before: limit,
                deadline: &deadline,
                interrupt,
            };
            let (client, credential, sent) = (self.clone(), credential.clone(), check.clone());
            let until = deadline.clone();
            let fetch = move |asked| {
                client.request_auth_check(sent, credential, http, shared, until, asked)
            };
            self.auth_check_requests.get(check, &caller, cached, fetch)
        };
        match known? {
            (asked, AuthCheckResponse::Outcome(outcome)) => Ok((asked, outcome)),
            (asked, AuthCheckResponse::Unauthorized) => {
                // Callers that share one auth-check also share one whoami.
                let since = Options {
                    max_age: Some(asked.elapsed()),
                    max_stale: Duration::ZERO,
                    ..*options
                };
                self.identify(credential, connection, &since, interrupt)?;
                Err(Failure::UnexpectedResponse(format!(
                    "it answered with status 401 about {}, although it accepts the token",
                    check.page()
                )))
            }
        }
    }

    async fn request_auth_check(
        self: Arc<Self>,
        check: AuthCheck,
        credential: Arc<Credential>,
        http: HubClient,
        shared: Option<SharedEntry>,
        deadline: Deadline,
        asked: Instant,
    ) -> AuthCheckResult {
        let authorization = Some(credential.bearer().map_err(Failure::Configuration)?);
        let endpoint = &credential.endpoint;
        let limit = deadline.limit();
        let answer = http::get(&http, endpoint, &check.path(), authorization, limit).await?;
        let response = parse_response(&answer);
        if let Err(failure) = &response
            && let Some(length) = failure.rate_limit()
        {
            self.record_limit(&check.key, LimitScope::Hub, length, shared.as_ref());
        }
        let response = response?;
        if response == AuthCheckResponse::Outcome(AuthCheckOutcome::Allowed) {
            self.cache
                .insert_check(&check, asked, credential.expires_at);
        } else {
            self.cache.remove_check(&check, asked);
        }
        Ok((asked, response))
    }
}
