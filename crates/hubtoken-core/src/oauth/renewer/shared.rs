//! The renewals of a process: those that run, those that failed, and those that are not stored yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::RenewalSettings;
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credential, Renewal};
use crate::error::{Error, ResponseDetails, UnknownKind};
use crate::expiry::Expiry;
use crate::http::Transport;
use crate::interrupt::NeverInterrupted;
use crate::oauth::token_endpoint::{Encoding, TokenEndpoint};
use crate::oauth::token_failure::TokenFailure;
use crate::oauth::token_response::TokenResponse;
use crate::runtime::Runtime;
use crate::single_flight::{InFlight, SingleFlight};
use crate::store::token_store::TokenStore;
use crate::store::{IssuedFields, IssuedToken, RenewError, RenewedToken};
use crate::sync::lock_ignoring_poison;
use crate::token::{Digest, RefreshToken, Token};

/// How long to wait after a failure, as `huggingface_hub` does.
const RETRY_INTERVAL: Duration = Duration::from_mins(5);
/// The same, in seconds.
const RETRY_SECONDS: i64 = 5 * 60;
/// A token that lives for fewer seconds would be renewed at every use: a mistake of its Hub. It is
/// looked at again as late as after a failure.
const SHORTEST_LIFETIME: i64 = 60;
/// How long to wait before storing is tried again, while only this process has the new tokens.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// The result of one renewal, for everyone who waited for it.
pub(super) type Outcome = Result<Renewed, Standing>;

#[derive(Clone)]
pub(super) struct Renewed {
    pub(super) credential: Arc<Credential>,
    pub(super) warnings: Vec<String>,
}

/// Why a token is not renewed for now.
#[derive(Clone)]
pub(super) enum Standing {
    /// The login has ended. Only another login helps, which is looked for in the files.
    Ended {
        failure: TokenFailure,
        look_at: Instant,
    },
    /// There was no answer, or the files cannot be written.
    Failed { error: Error, retry_at: Instant },
    /// The token is not stored any more.
    Gone { retry_at: Instant },
}

/// New tokens that are not on the disk yet.
pub(super) struct Unstored {
    name: String,
    old: Arc<Credential>,
    issued: IssuedToken,
    settings: RenewalSettings,
    retry_at: Instant,
}

pub(super) struct Shared {
    pub(super) transport: Arc<Transport>,
    pub(super) runtime: Arc<Runtime>,
    pub(super) clock: Clock,
    pub(super) renewals: SingleFlight<Digest, Outcome>,
    pub(super) standings: Mutex<HashMap<Digest, Standing>>,
    pub(super) unstored: Mutex<Vec<Unstored>>,
}

pub(super) fn unix_seconds(now: Timestamp) -> i64 {
    i64::try_from(now.wall.as_secs()).unwrap_or(i64::MAX)
}

impl Shared {
    /// Why a value is not renewed for now.
    pub(super) fn standing(&self, digest: Digest) -> Option<Standing> {
        let standings = lock_ignoring_poison(&self.standings);
        let standing = standings.get(&digest)?;
        let (Standing::Ended { look_at: until, .. }
        | Standing::Failed {
            retry_at: until, ..
        }
        | Standing::Gone { retry_at: until }) = standing;
        (self.clock.now() < *until).then(|| standing.clone())
    }

    /// Why the login of a value has ended, if the Hub said so. It is not asked again.
    fn ended(&self, digest: Digest) -> Option<TokenFailure> {
        match lock_ignoring_poison(&self.standings).get(&digest)? {
            Standing::Ended { failure, .. } => Some(failure.clone()),
            Standing::Failed { .. } | Standing::Gone { .. } => None,
        }
    }

    fn retry_at(&self) -> Instant {
        let now = self.clock.now();
        now.checked_add(RETRY_INTERVAL).unwrap_or(now)
    }

    pub(super) fn failed(&self, error: Error) -> Standing {
        Standing::Failed {
            error,
            retry_at: self.retry_at(),
        }
    }

    pub(super) fn run(&self, old: &Arc<Credential>, settings: &RenewalSettings) -> Outcome {
        let Some(renewal) = &old.renewal else {
            return Err(Standing::Gone {
                retry_at: self.retry_at(),
            });
        };
        let ended = self.ended(old.token.digest());
        if settings.http.offline && ended.is_none() {
            return Err(self.failed(Error::Unknown {
                message: "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set".to_owned(),
                response: ResponseDetails::default(),
                kind: UnknownKind::Offline,
            }));
        }
        let store = token_store(settings, old);
        let request = |refresh_token: &RefreshToken| match ended {
            Some(failure) => Err(failure),
            None => self.request(old, settings, refresh_token),
        };
        let (name, end) = (renewal.profile(), renewal.expires_at());
        match store.renew(name, &old.token, end, request) {
            Ok(renewed) => Ok(succeed(old, renewed)),
            Err(RenewError::Gone) => Err(Standing::Gone {
                retry_at: self.retry_at(),
            }),
            Err(RenewError::Store(error)) => Err(self.failed(error)),
            Err(RenewError::Request(failure)) if failure.code() == Some("invalid_grant") => {
                Err(Standing::Ended {
                    failure,
                    look_at: self.retry_at(),
                })
            }
            Err(RenewError::Request(failure)) => {
                Err(self.failed(failure.into_error("the request", "It may succeed later")))
            }
            Err(RenewError::NotStored { issued, error }) => {
                Ok(self.keep_unstored(old, renewal.profile(), *issued, settings, &error))
            }
        }
    }

    /// Sends a refresh token to the Hub that the token belongs to.
    fn request(
        &self,
        old: &Credential,
        settings: &RenewalSettings,
        refresh_token: &RefreshToken,
    ) -> Result<IssuedToken, TokenFailure> {
        let endpoint = TokenEndpoint::new(
            Arc::clone(&self.transport),
            Arc::clone(&self.runtime),
            old.endpoint.clone(),
            settings.http.clone(),
        );
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
            ("client_id", &settings.client_id),
        ];
        let response = endpoint.request(Encoding::Form, &fields, &NeverInterrupted)?;
        let issued_at = unix_seconds(self.clock.timestamp());
        let expires_at = response.expires_at(issued_at);
        let TokenResponse {
            access_token,
            refresh_token,
            ..
        } = response;
        let lifetime = access_token.lifetime();
        Ok(IssuedToken {
            fields: IssuedFields {
                refresh_token,
                issued_at: Some(issued_at),
                expires_at: expires_at.or_else(|| Some(issued_at.saturating_add(lifetime?))),
            },
            token: access_token,
        })
    }

    /// Uses tokens that could not be stored, and stores them later.
    fn keep_unstored(
        &self,
        old: &Arc<Credential>,
        name: &str,
        issued: IssuedToken,
        settings: &RenewalSettings,
        error: &Error,
    ) -> Renewed {
        let warning = format!(
            "{} was renewed, and the new tokens could not be stored: {error}. This process uses \
             them, and tries again to store them. If it ends before that, log in again with \
             `hubtoken login`",
            old.describe()
        );
        let token = Token::parse(issued.token.expose()).ok().flatten();
        let renewed = token.map(|token| RenewedToken {
            name: name.to_owned(),
            token,
            expires_at: issued.fields.expires_at,
            // Not renewed in turn before they are stored.
            has_refresh_token: false,
            metadata: None,
            warnings: Vec::new(),
        });
        lock_ignoring_poison(&self.unstored).push(Unstored {
            name: name.to_owned(),
            old: Arc::clone(old),
            issued,
            settings: settings.clone(),
            retry_at: self.clock.now() + STORE_INTERVAL,
        });
        let mut renewed = match renewed {
            Some(renewed) => succeed(old, renewed),
            None => Renewed {
                credential: Arc::clone(old),
                warnings: Vec::new(),
            },
        };
        renewed.warnings.push(warning);
        renewed
    }

    pub(super) fn has_unstored(&self, now: Instant) -> bool {
        let unstored = lock_ignoring_poison(&self.unstored);
        unstored.iter().any(|waiting| waiting.retry_at <= now)
    }

    /// Stores what could not be stored before. Returns what to tell the user.
    pub(super) fn store_again(&self) -> Vec<String> {
        let now = self.clock.now();
        let mut unstored = lock_ignoring_poison(&self.unstored);
        let (due, later) = std::mem::take(&mut *unstored)
            .into_iter()
            .partition::<Vec<_>, _>(|waiting| waiting.retry_at <= now);
        *unstored = later;
        drop(unstored);
        let mut told = Vec::new();
        for mut waiting in due {
            let store = token_store(&waiting.settings, &waiting.old);
            match store.store_renewed::<()>(&waiting.name, &waiting.old.token, &waiting.issued) {
                Ok(renewed) => {
                    told.extend(renewed.warnings.iter().cloned());
                    let latest = waiting.old.latest();
                    let stored = succeed(&waiting.old, renewed);
                    if let Some(renewal) = &latest.renewal
                        && !Arc::ptr_eq(&latest, &waiting.old)
                    {
                        renewal.succeed(&stored.credential);
                    }
                }
                // Logged out meanwhile.
                Err(RenewError::Gone) => {}
                Err(_) => {
                    waiting.retry_at = self.clock.now() + STORE_INTERVAL;
                    lock_ignoring_poison(&self.unstored).push(waiting);
                }
            }
        }
        told
    }
}

/// Records what replaces a token.
fn succeed(old: &Arc<Credential>, renewed: RenewedToken) -> Renewed {
    let metadata = renewed.metadata;
    let issued_at = metadata.as_ref().and_then(|known| known.created_at);
    let lifetime = renewed
        .token
        .lifetime()
        .or_else(|| Some(renewed.expires_at?.saturating_sub(issued_at?)));
    let renewal = renewed
        .expires_at
        .filter(|_| renewed.has_refresh_token)
        .map(|end| {
            let replaces = metadata.and_then(|known| known.replaces);
            let is_odd = lifetime.is_some_and(|lifetime| lifetime < SHORTEST_LIFETIME);
            let floor = issued_at.filter(|_| is_odd);
            let floor = floor.map_or(end, |issued| issued.saturating_add(RETRY_SECONDS));
            Renewal::new(renewed.name, end.max(floor), lifetime).issued(issued_at, replaces)
        });
    let credential = Arc::new(Credential {
        token: renewed.token,
        source: old.source.clone(),
        endpoint: old.endpoint.clone(),
        expires_at: Expiry::from_unix_seconds(renewed.expires_at),
        renewal: renewal.map(Box::new),
    });
    if let Some(renewal) = &old.renewal {
        renewal.succeed(&credential);
    }
    Renewed {
        credential,
        warnings: renewed.warnings,
    }
}

/// The files that have the token, for the Hub that it belongs to.
fn token_store(settings: &RenewalSettings, old: &Credential) -> TokenStore<'static> {
    TokenStore::new(&settings.paths, old.endpoint.clone(), &NeverInterrupted)
}

/// Completes a renewal whatever happens to it, so that no caller waits for one that crashed.
pub(super) struct Completion {
    pub(super) shared: Arc<Shared>,
    pub(super) digest: Digest,
    pub(super) in_flight: Arc<InFlight<Outcome>>,
    pub(super) outcome: Option<Outcome>,
}

impl Completion {
    pub(super) fn complete(mut self, old: &Arc<Credential>, settings: &RenewalSettings) {
        self.outcome = Some(self.shared.run(old, settings));
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            let error = Error::unknown("the renewal could not be started, or was dropped");
            Err(self.shared.failed(error))
        });
        if let Err(standing) = &outcome {
            lock_ignoring_poison(&self.shared.standings).insert(self.digest, standing.clone());
        }
        let renewals = &self.shared.renewals;
        renewals.complete(&self.digest, &self.in_flight, outcome);
    }
}
