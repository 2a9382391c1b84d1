//! One question to the Hub's auth-check.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Client, Line, Permitted, not_before};
use crate::credential::Credential;
use crate::http::{self, HubClient};
use crate::identity::check::{Check, Permit};
use crate::identity::failure::Failure;
use crate::identity::shared::Shared;
use crate::identity::{CHECK_LIFETIME, Interrupt, Options};

impl Client {
    /// Whether a repository may be read or written, by the Hub's own word, and when it was given.
    ///
    /// # Errors
    ///
    /// [`Failure`]. Never an old answer: a stale *yes* is none.
    pub fn check(
        self: &Arc<Self>,
        check: &Check,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<(Instant, Permit), Failure> {
        let age = options
            .max_age
            .unwrap_or(CHECK_LIFETIME)
            .min(CHECK_LIFETIME);
        let limit = not_before(self.clock.now(), age);
        let recall = |client: &Self| {
            client
                .memory
                .is_allowed(check, limit)
                .map(|asked| Ok((asked, Permit::Allowed)))
        };
        if let Some(known) = recall(self) {
            return known;
        }
        let http = line.http()?;
        let (client, credential, timeout) = (self.clone(), credential.clone(), options.timeout);
        let shared = line.shared(&check.key);
        let request = {
            let check = check.clone();
            move |asked| client.auth_check(check, credential, (http, shared), timeout, asked)
        };
        self.fly(
            |client| &client.check_flights,
            check,
            limit,
            options.timeout,
            interrupt,
            recall,
            request,
        )
    }

    async fn auth_check(
        self: Arc<Self>,
        check: Check,
        credential: Arc<Credential>,
        (http, shared): (HubClient, Option<Shared>),
        timeout: Duration,
        asked: Instant,
    ) -> Permitted {
        let moment = self.clock.moment();
        let authorization = Some(credential.bearer().map_err(Failure::Setup)?);
        let endpoint = &credential.endpoint;
        let answer = http::get(&http, endpoint, &check.path(), authorization, timeout).await?;
        let permit = check.read(&answer).inspect_err(|failure| {
            if matches!(failure, Failure::Rejected) {
                self.reject(check.key.clone(), asked, moment, shared.as_ref());
            }
        })?;
        if permit == Permit::Allowed {
            self.memory.keep_check(check, asked);
        }
        Ok((asked, permit))
    }
}
