//! Revokes tokens at their Hub: its public endpoint invalidates every value that it is sent, whoever
//! sends it.
//!
//! The endpoint says nothing about a value, so what became of a token is asked of whoami. Only a 401
//! means that it is dead; a rate limit or a Hub that does not answer leaves it unverified.
//!
//! Hub document: `POST /api/credentials/revoke`.

pub mod outcome;

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::identity::client::Client;
use crate::identity::failure::Failure;
use crate::identity::{Options, Settings};
use crate::interrupt::Interrupt;
use crate::oauth::TokenFailure;
use crate::recipient::objection;
use crate::source::Source;
use crate::token::{Digest, Token, mask};

/// The most values of one request.
pub const BATCH: usize = 1_000;
/// The longest value that the endpoint takes, in characters.
pub const LONGEST: usize = 200;
const NOTHING_REVOKED: &str = "Nothing of this request was revoked";
const PATH: &str = "/api/credentials/revoke";

/// What is known of a value after a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The Hub no longer accepts it.
    Dead,
    /// The Hub still accepts it.
    Alive,
    /// It was sent, and this is why it is not known whether it is dead.
    Unverified(String),
    /// It was not sent, for this reason.
    NotSent(String),
}

impl State {
    /// The state as one word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Alive => "alive",
            Self::Unverified(_) => "unverified",
            Self::NotSent(_) => "not sent",
        }
    }

    /// Why it is unknown or was not sent.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Dead | Self::Alive => None,
            Self::Unverified(reason) | Self::NotSent(reason) => Some(reason),
        }
    }
}

/// A value and what became of it. It does not hold the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The mask of the value.
    pub mask: String,
    /// The digest of the value.
    pub digest: Digest,
    /// What is known of it.
    pub state: State,
    /// Whether the Hub has acknowledged the request that had it, which invalidates it.
    pub is_acknowledged: bool,
}

/// A revocation at one Hub.
pub struct Revocation<'a> {
    /// Sends the requests.
    pub client: &'a Arc<Client>,
    /// The Hub.
    pub endpoint: &'a Endpoint,
    /// The way to it.
    pub settings: &'a Settings,
    /// Ends the wait.
    pub interrupt: &'a dyn Interrupt,
}

#[derive(Serialize)]
struct Body<'a> {
    credentials: &'a [&'a str],
}

impl Revocation<'_> {
    /// Sends values to the endpoint, a thousand at a time. Returns each with its state, which is
    /// [`State::Unverified`] for what was sent, and why the Hub took no more, if it did not.
    #[must_use]
    pub fn send(&self, values: &[Zeroizing<String>]) -> (Vec<Revoked>, Option<Error>) {
        let mut revoked: Vec<Revoked> = values.iter().map(|value| self.planned(value)).collect();
        let sendable: Vec<usize> = (0..values.len())
            .filter(|index| matches!(revoked[*index].state, State::Unverified(_)))
            .collect();
        let mut failure = None;
        for batch in sendable.chunks(BATCH) {
            let state = if failure.is_some() {
                not_taken()
            } else {
                let credentials: Vec<&str> =
                    batch.iter().map(|index| values[*index].as_str()).collect();
                match self.send_batch(&credentials) {
                    Ok(()) => {
                        for index in batch {
                            revoked[*index].is_acknowledged = true;
                        }
                        continue;
                    }
                    Err((error, may_have_arrived)) => {
                        failure = Some(error);
                        if may_have_arrived {
                            State::Unverified("the Hub did not answer".to_owned())
                        } else {
                            not_taken()
                        }
                    }
                }
            };
            for index in batch {
                revoked[*index].state = state.clone();
            }
        }
        (revoked, failure)
    }

    /// Whether a value can be sent.
    fn planned(&self, value: &str) -> Revoked {
        let state = if value.chars().count() > LONGEST {
            State::NotSent(format!(
                "it has more than the {LONGEST} characters that the Hub takes: end the login or \
                 delete the token in the Hub's settings"
            ))
        } else if let Some(objection) = self.objection(value) {
            State::NotSent(objection)
        } else {
            State::Unverified("whoami was not asked".to_owned())
        };
        Revoked {
            mask: mask(value),
            digest: Digest::of(value),
            state,
            is_acknowledged: false,
        }
    }

    /// Why a Hub must not receive a value.
    fn objection(&self, value: &str) -> Option<String> {
        let token = Token::parse(value).ok().flatten()?;
        objection(&token, self.endpoint)
    }

    /// Sends one request. A failure says whether the Hub may have done what it was asked for.
    fn send_batch(&self, credentials: &[&str]) -> Result<(), (Error, bool)> {
        let refused = |failure: TokenFailure| failure.into_error("the revocation", NOTHING_REVOKED);
        let document = serde_json::to_string(&Body { credentials })
            .map(Zeroizing::new)
            .map_err(|_| (Error::unknown("the request cannot be written"), false))?;
        let endpoint = self.client.token_endpoint(self.endpoint, self.settings);
        let answer = endpoint
            .post_document(PATH, document, credentials, self.interrupt)
            .map_err(|unanswered| {
                let error = unanswered
                    .failure
                    .into_error("the revocation", NOTHING_REVOKED);
                (error, unanswered.may_have_arrived)
            })?;
        if (200..300).contains(&answer.status) {
            Ok(())
        } else {
            let failure = TokenFailure::of_answer(&answer, self.endpoint, credentials);
            Err((refused(failure), answer.status >= 500))
        }
    }

    /// Asks whoami about the values that were sent, until the Hub limits the rate or does not
    /// answer.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`]. The states are complete then as well: the rest is unverified.
    pub fn verify(
        &self,
        values: &[Zeroizing<String>],
        revoked: &mut [Revoked],
        options: &Options,
    ) -> Result<(), Error> {
        // A thousand answers about tokens that are gone help no other process.
        let settings = self.settings.clone().unshared();
        let connection = self.client.connect(self.endpoint, &settings);
        let mut ended: Option<String> = None;
        let mut is_interrupted = false;
        for (value, revoked) in values.iter().zip(revoked) {
            if !matches!(revoked.state, State::Unverified(_)) {
                continue;
            }
            if let Some(reason) = &ended {
                revoked.state = State::Unverified(reason.clone());
                continue;
            }
            let Ok(Some(token)) = Token::parse(value) else {
                let reason = "whoami answers about access tokens alone".to_owned();
                revoked.state = State::Unverified(reason);
                continue;
            };
            let credential = Arc::new(Credential {
                token,
                source: Source::Argument,
                endpoint: self.endpoint.clone(),
                expires_at: Expiry::UNKNOWN,
                renewal: None,
            });
            let answer = self
                .client
                .identify(&credential, &connection, options, self.interrupt);
            revoked.state = match answer {
                Ok(_) => State::Alive,
                Err(Failure::Rejected(_)) => State::Dead,
                Err(Failure::Interrupted) => {
                    is_interrupted = true;
                    let reason = "the wait was interrupted".to_owned();
                    ended = Some(reason.clone());
                    State::Unverified(reason)
                }
                Err(failure) => {
                    let reason = failure.into_error(&credential).to_string();
                    ended = Some(reason.clone());
                    State::Unverified(reason)
                }
            };
        }
        if is_interrupted {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}

fn not_taken() -> State {
    State::NotSent("the Hub did not take the request".to_owned())
}

/// The digests of the values that the Hub has acknowledged.
#[must_use]
pub fn sent(revoked: &[Revoked]) -> HashSet<Digest> {
    revoked
        .iter()
        .filter(|each| each.is_acknowledged)
        .map(|each| each.digest)
        .collect()
}

#[cfg(test)]
mod tests;
