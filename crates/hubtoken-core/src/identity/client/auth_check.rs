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
use crate::error::ResponseDetails;
use crate::http::response_details::details;
use crate::http::{self, HubClient};
use crate::identity::auth_check::{AuthCheck, AuthCheckOutcome, AuthCheckResponse, parse_response};
use crate::identity::cache::shared::{LimitScope, SharedEntry};
use crate::identity::deadline::Deadline;
use crate::identity::failure::{Failure, Reason};
use crate::identity::{CHECK_LIFETIME, Options};
use crate::interrupt::Interrupt;

impl Client {
    /// Returns the Hub's decision on reading or writing a repository, when it was requested, and
    /// what the answer says about itself, which is nothing if it is a cached one.
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
    ) -> Result<(Instant, AuthCheckOutcome, ResponseDetails), Failure> {
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
                .map(|asked| {
                    let allowed = AuthCheckResponse::Outcome(AuthCheckOutcome::Allowed);
                    Ok((asked, allowed, ResponseDetails::default()))
                })
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
        let known = known.or_else(|failure| match cached() {
            // Another caller may have had its answer in the meantime.
            Some(Ok(allowed)) if failure.is_inconclusive() => Ok(allowed),
            _ => Err(failure),
        });
        match known? {
            (asked, AuthCheckResponse::Outcome(outcome), response) => {
                Ok((asked, outcome, response))
            }
            (asked, AuthCheckResponse::Unauthorized, response) => {
                // Callers that share one auth-check also share one whoami.
                let since = Options {
                    max_age: Some(asked.elapsed()),
                    max_stale: Duration::ZERO,
                    ..*options
                };
                self.identify(credential, connection, &since, interrupt)?;
                Err(Failure::UnexpectedResponse(Reason {
                    text: format!(
                        "it answered with status 401 about {}, although it accepts the token",
                        check.page()
                    ),
                    response,
                }))
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
        let answer = http::get(&http, endpoint, &check.path(), authorization, limit)
            .await
            .map_err(|error| Failure::of_transport(error, &credential.token))?;
        let details = details(&answer, &credential.token);
        let response = parse_response(&answer, &details);
        if let Err(failure) = &response
            && let Some(length) = failure.rate_limit()
        {
            self.record_limit(
                &check.key,
                LimitScope::Hub,
                length,
                &details,
                shared.as_ref(),
            );
        }
        let response = response?;
        if response == AuthCheckResponse::Outcome(AuthCheckOutcome::Allowed) {
            self.cache
                .insert_check(&check, asked, credential.expires_at);
        } else {
            self.cache.remove_check(&check, asked);
        }
        Ok((asked, response, details))
    }
}
