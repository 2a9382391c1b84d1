//! The keys of issuers of id tokens, fetched from them and kept for a while.
//!
//! Only issuers that a trusted publisher names are asked, never one that an id token alone names:
//! the Hub makes no request to a place of a stranger's choice. A request goes over https (or to this
//! machine, if the Hub itself is only there), follows no redirect, sends nothing secret, and is
//! bounded in time and size. What an issuer sends is never shown.
//!
//! Keys are believed for [`MAX_AGE`]. An id token that names a key that is not among them makes the
//! Hub ask again, because the issuer may have a new one, but not more often than every
//! [`MIN_INTERVAL`]. If an issuer cannot be reached, its last keys are used for [`MAX_STALE`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration as StdDuration;

use axum::http::StatusCode;
use axum::http::header::ACCEPT;
use reqwest::Client;
use reqwest::redirect::Policy;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::jwk_set::{MAX_BYTES, PublicKeys};
use crate::local_url::is_on_this_machine;
use hubtoken_core::http::{self, Certificates};
use hubtoken_core::strict_url::Origin;
use hubtoken_core::sync::lock_ignoring_poison;

/// How long fetched keys are believed.
const MAX_AGE: Duration = Duration::hours(1);
/// How long they are used if the issuer cannot be reached.
const MAX_STALE: Duration = Duration::hours(24);
/// The shortest time between two requests to one issuer.
const MIN_INTERVAL: Duration = Duration::seconds(30);
/// How long one of the two requests to an issuer may take in all.
const TIMEOUT: StdDuration = StdDuration::from_secs(5);
/// The number of issuers at which all keys are dropped. Only those of publishers are kept, so this
/// is never reached in practice.
const MAX_ISSUERS: usize = 1000;

/// The keys of all issuers that were asked.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    certificates: Certificates,
    timeout: StdDuration,
    /// Made for the first request, because reading the system's certificates takes a while.
    clients: [OnceLock<Option<Client>>; 2],
    issuers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Cached>>>>,
}

#[derive(Debug, Default)]
struct Cached {
    keys: Option<(Arc<PublicKeys>, OffsetDateTime)>,
    /// When it was last asked, and why that failed, if it did.
    asked: Option<(OffsetDateTime, Option<FetchProblem>)>,
}

/// Why an issuer's keys could not be had. To follow "the keys of the issuer".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchProblem {
    #[error("cannot be fetched: the issuer cannot be reached")]
    Unreachable,
    #[error("cannot be fetched: the issuer does not answer in time")]
    TimedOut,
    #[error("cannot be fetched: the issuer redirects, and redirects are not followed")]
    Redirect,
    #[error("cannot be fetched: the issuer answers with the status {0}")]
    Status(u16),
    #[error("cannot be used: the issuer's answer is larger than 64 KiB")]
    TooLarge,
    #[error(
        "cannot be used: the issuer's configuration is not valid, or is that of another issuer"
    )]
    Configuration,
    #[error("cannot be used: {0}")]
    Keys(&'static str),
    #[error(
        "are not fetched: an issuer on the machine of the Hub needs its keys in the publisher's entry"
    )]
    NotAllowed,
    #[error(
        "cannot be fetched: the Hub has no certificates to trust, or its TLS settings are wrong"
    )]
    Tls,
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

impl IssuerKeys {
    pub(crate) fn new(certificates: Certificates) -> Self {
        Self {
            certificates,
            timeout: TIMEOUT,
            clients: [OnceLock::new(), OnceLock::new()],
            issuers: Mutex::default(),
        }
    }

    /// The keys of an issuer. `is_enough` says whether they include the one that is looked for.
    /// `allow_local` says whether an issuer on this machine may be asked.
    pub(crate) async fn get(
        &self,
        issuer: &str,
        allow_local: bool,
        now: OffsetDateTime,
        is_enough: impl Fn(&PublicKeys) -> bool + Send,
    ) -> Result<Arc<PublicKeys>, FetchProblem> {
        let cached = self.of(issuer);
        // Held while the issuer is asked: all who wait for the same keys have them then.
        let mut cached = cached.lock().await;
        // A clock that was set back makes what is kept as old as it would be the other way round.
        let age = |then: OffsetDateTime| (now - then).abs();
        if let Some((keys, fetched)) = &cached.keys
            && age(*fetched) < MAX_AGE
            && is_enough(keys)
        {
            return Ok(Arc::clone(keys));
        }
        let problem = match cached.asked {
            Some((asked, problem)) if age(asked) < MIN_INTERVAL => problem,
            _ => {
                let fetched = self.fetch(issuer, allow_local).await;
                cached.asked = Some((now, fetched.as_ref().err().copied()));
                match fetched {
                    Ok(keys) => {
                        let keys = Arc::new(keys);
                        cached.keys = Some((Arc::clone(&keys), now));
                        return Ok(keys);
                    }
                    Err(problem) => Some(problem),
                }
            }
        };
        match (&cached.keys, problem) {
            (Some((keys, fetched)), _) if age(*fetched) < MAX_STALE => Ok(Arc::clone(keys)),
            (_, Some(problem)) => Err(problem),
            (_, None) => Err(FetchProblem::Unreachable),
        }
    }

    fn of(&self, issuer: &str) -> Arc<tokio::sync::Mutex<Cached>> {
        let mut issuers = lock_ignoring_poison(&self.issuers);
        if issuers.len() >= MAX_ISSUERS && !issuers.contains_key(issuer) {
            issuers.clear();
        }
        Arc::clone(issuers.entry(issuer.to_owned()).or_default())
    }

    async fn fetch(&self, issuer: &str, allow_local: bool) -> Result<PublicKeys, FetchProblem> {
        let base = issuer.trim_end_matches('/');
        let discovery = format!("{base}/.well-known/openid-configuration");
        let body = self.load(&discovery, allow_local).await?;
        let configuration: Configuration =
            serde_json::from_slice(&body).map_err(|_| FetchProblem::Configuration)?;
        if configuration.issuer != issuer {
            return Err(FetchProblem::Configuration);
        }
        // An issuer elsewhere must not direct the Hub to its own machine.
        let is_local = Url::parse(issuer).is_ok_and(|url| is_on_this_machine(&url));
        let body = self
            .load(&configuration.jwks_uri, is_local && allow_local)
            .await;
        let body = body.map_err(|problem| match problem {
            FetchProblem::NotAllowed => FetchProblem::Configuration,
            other => other,
        })?;
        PublicKeys::parse(&body).map_err(FetchProblem::Keys)
    }

    async fn load(&self, address: &str, allow_local: bool) -> Result<Vec<u8>, FetchProblem> {
        let url = Url::parse(address).map_err(|_| FetchProblem::Configuration)?;
        Origin::of(address).map_err(|_| FetchProblem::Configuration)?;
        let is_local = is_on_this_machine(&url);
        if is_local && !allow_local {
            return Err(FetchProblem::NotAllowed);
        }
        let is_secure = url.scheme() == "https";
        if !is_secure && !is_local {
            return Err(FetchProblem::Configuration);
        }
        let client = self.clients[usize::from(is_secure)]
            .get_or_init(|| client(&self.certificates, is_secure))
            .as_ref()
            .ok_or(FetchProblem::Tls)?;
        let request = client.get(url).header(ACCEPT, "application/json").send();
        let loading = async {
            let mut response = request.await.map_err(|_| FetchProblem::Unreachable)?;
            let status = response.status();
            if status.is_redirection() {
                return Err(FetchProblem::Redirect);
            }
            if status != StatusCode::OK {
                return Err(FetchProblem::Status(status.as_u16()));
            }
            let mut body = Vec::new();
            while let Some(chunk) = response
                .chunk()
                .await
                .map_err(|_| FetchProblem::Unreachable)?
            {
                if body.len() + chunk.len() > MAX_BYTES {
                    return Err(FetchProblem::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body)
        };
        tokio::time::timeout(self.timeout, loading)
            .await
            .map_err(|_| FetchProblem::TimedOut)?
    }
}

/// A client without redirects, proxies, cookies or `Referer`.
fn client(certificates: &Certificates, is_secure: bool) -> Option<Client> {
    let tls = http::tls::client_config(is_secure, certificates).ok()?;
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        .pool_max_idle_per_host(0)
        .build()
        .ok()
}

#[cfg(test)]
mod tests;
