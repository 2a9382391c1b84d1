//! The id token with which a CI job proves what it is, and where it comes from.
//!
//! An id token (`OpenID` Connect Core 1.0, section 2) is a signed statement of the CI about one job. It
//! is a secret: whoever has it gets the job's token from the Hub. It is only sent to the Hub that it
//! is exchanged at. hubtoken does not verify it, since only the Hub's verification counts.
//!
//! GitHub issues one on request, anew each time. Every other CI puts one into a variable, which the
//! job passes on as `HF_OIDC_ID_TOKEN`; hubtoken cannot get another one there.

use std::fmt;

use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::TokenEndpoint;
use super::claims::Claims;
use super::token_failure::TokenFailure;
use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::error::{Error, UnknownKind};
use crate::http::Response;
use crate::http::response_details::{of_answer, without_page};
use crate::interrupt::Interrupt;
use crate::strict_url::Origin;
use crate::token::Digest;

/// The maximum length of an id token, in bytes. Those of the known CIs have less than 4 KiB.
const MAXIMUM_LENGTH: usize = 16 * 1024;
/// The maximum length of the secret for a request to GitHub, in bytes.
const MAXIMUM_REQUEST_TOKEN: usize = 32 * 1024;

/// An id token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct IdToken(Zeroizing<String>);

impl IdToken {
    /// Parses a compact JWS (RFC 7515, section 3.1): three parts of base64url, separated by dots.
    /// White space around it is removed. The signature is not verified.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to follow a name; repeats nothing of it.
    ///
    /// ```
    /// use hubtoken_core::oauth::IdToken;
    ///
    /// assert!(IdToken::parse("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl\n").is_ok());
    /// assert_eq!(IdToken::parse("$CI_TOKEN").err(), Some("is not a JWT: it has 1 part instead of 3"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.len() > MAXIMUM_LENGTH {
            return Err("is longer than 16 KiB, which no id token is");
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let parts: Vec<&str> = text.split('.').collect();
        match parts.len() {
            3 if !text.bytes().all(is_plain) => {
                Err("is not a JWT: it has characters that none has")
            }
            3 if parts.contains(&"") => Err("is not a JWT: one of its 3 parts is empty"),
            3 => Ok(Self(Zeroizing::new(text.to_owned()))),
            1 => Err("is not a JWT: it has 1 part instead of 3"),
            5 => Err("is an encrypted JWT, which the Hub cannot read"),
            _ => Err("is not a JWT: it does not have 3 parts"),
        }
    }

    /// What it states; `None` if its payload is not a JSON object.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        Claims::parse(self.0.split('.').nth(1)?)
    }

    /// Returns the value. Nothing else does.
    #[must_use]
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IdToken(...)")
    }
}

/// Where the id token of this job comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdTokenSource {
    /// `HF_OIDC_ID_TOKEN`. There is one, and no way to get another.
    Given(IdToken),
    /// GitHub Actions issues one for each request.
    GitHub(GitHubRequest),
}

/// Tells sources of id tokens apart in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdTokenSourceId {
    /// This one.
    Given(Digest),
    /// GitHub Actions.
    GitHub,
}

impl IdTokenSource {
    /// The variables that [`IdTokenSource::read`] reads.
    pub const VARIABLES: [&'static str; 4] = [
        env::HF_OIDC_ID_TOKEN,
        env::GITHUB_ACTIONS,
        env::ACTIONS_ID_TOKEN_REQUEST_URL,
        env::ACTIONS_ID_TOKEN_REQUEST_TOKEN,
    ];

    /// Reads the environment of a job. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] without an id token, which says what to add to the job;
    /// [`Error::TokenFormat`] for one that cannot be one; [`Error::UntrustedEndpoint`] if GitHub's
    /// address is not one that a secret may be sent to.
    pub fn read(environment: &dyn Environment) -> Result<Self, Error> {
        if let Some(value) = environment.get(env::HF_OIDC_ID_TOKEN) {
            let text = value
                .into_string()
                .map(Zeroizing::new)
                .map_err(|_| not_an_id_token("is not text"))?;
            if !text.trim().is_empty() {
                return IdToken::parse(&text)
                    .map(Self::Given)
                    .map_err(not_an_id_token);
            }
        }
        if environment.get(env::GITHUB_ACTIONS).as_deref() == Some("true".as_ref()) {
            return GitHubRequest::read(environment).map(Self::GitHub);
        }
        Err(Error::Configuration(format!(
            "{} is set, but there is no id token to exchange: {}. See docs/ci.md, or unset {} to \
             use another token",
            env::HF_OIDC_RESOURCE,
            missing(environment),
            env::HF_OIDC_RESOURCE,
        )))
    }

    /// What it is, for a cache.
    #[must_use]
    pub fn id(&self) -> IdTokenSourceId {
        match self {
            Self::Given(id_token) => IdTokenSourceId::Given(Digest::of(id_token.expose())),
            Self::GitHub(_) => IdTokenSourceId::GitHub,
        }
    }

    /// Whether it issues another id token for each exchange.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        matches!(self, Self::GitHub(_))
    }

    /// "the variable `HF_OIDC_ID_TOKEN`", to follow "from".
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Given(_) => "the variable HF_OIDC_ID_TOKEN",
            Self::GitHub(_) => "GitHub Actions",
        }
    }

    /// The id token for a Hub, which is its audience. Sends a request if GitHub issues it.
    ///
    /// `hub` says how requests are sent.
    ///
    /// # Errors
    ///
    /// [`Error::Login`] if GitHub refuses, [`Error::Unknown`] if it does not answer.
    pub fn fetch(&self, hub: &TokenEndpoint, interrupt: &dyn Interrupt) -> Result<IdToken, Error> {
        match self {
            Self::Given(id_token) => Ok(id_token.clone()),
            Self::GitHub(request) => request.send(hub, interrupt),
        }
    }
}

fn not_an_id_token(problem: &str) -> Error {
    Error::TokenFormat(format!(
        "the value from the variable {} {problem}. Set it to the id token that the CI issues for \
         this job",
        env::HF_OIDC_ID_TOKEN
    ))
}

/// What to do about a missing id token, by the CI that the job runs in.
fn missing(environment: &dyn Environment) -> &'static str {
    let known = [
        (
            env::GITLAB_CI,
            "add `id_tokens: {HF_OIDC_ID_TOKEN: {aud: ...}}` to the job, with the Hub's address as aud",
        ),
        (
            env::CIRCLECI,
            "set HF_OIDC_ID_TOKEN to the output of `circleci run oidc get`, with the Hub's address \
             as aud",
        ),
        (
            env::BITBUCKET_BUILD_NUMBER,
            "add `oidc: {audiences: [...]}` to the step, with the Hub's address, and set \
             HF_OIDC_ID_TOKEN to $BITBUCKET_STEP_OIDC_TOKEN",
        ),
    ];
    known
        .into_iter()
        .find(|(name, _)| env::text(environment, name).is_some())
        .map_or(
            "HF_OIDC_ID_TOKEN is not set, and this is not a job of GitHub Actions",
            |(_, advice)| advice,
        )
}

/// How a job of GitHub Actions requests an id token. `Debug` shows neither the address's path nor
/// the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct GitHubRequest {
    /// Scheme, host, and port.
    server: Endpoint,
    url: Url,
    token: Zeroizing<String>,
}

impl GitHubRequest {
    fn read(environment: &dyn Environment) -> Result<Self, Error> {
        let variables = [
            env::ACTIONS_ID_TOKEN_REQUEST_URL,
            env::ACTIONS_ID_TOKEN_REQUEST_TOKEN,
        ]
        .map(|name| env::text(environment, name).map(Zeroizing::new));
        let [Some(url), Some(token)] = variables else {
            return Err(Error::Configuration(format!(
                "{} is set, but GitHub Actions offers this job no id token: add `permissions: \
                 {{id-token: write, contents: read}}` to the job in the workflow's file. A pull \
                 request from a fork gets none. See docs/ci.md",
                env::HF_OIDC_RESOURCE
            )));
        };
        Self::parse(url.trim(), token.trim())
    }

    fn parse(url: &str, token: &str) -> Result<Self, Error> {
        let name = env::ACTIONS_ID_TOKEN_REQUEST_URL;
        let problem = |problem: &str| {
            Error::UntrustedEndpoint(format!(
                "the address in {name} {problem}. GitHub Actions sets it; no id token was requested"
            ))
        };
        let origin = Origin::of(url).map_err(|text| problem(&text.of_server()))?;
        // Plain http to another machine is refused here.
        let server = Endpoint::parse(&origin.to_string())
            .map_err(|_| problem("is plain http, which would show the request's secret"))?;
        let url = Url::parse(url).map_err(|_| problem("is not a complete URL"))?;
        let is_usable = token.len() <= MAXIMUM_REQUEST_TOKEN
            && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_usable {
            return Err(Error::TokenFormat(format!(
                "the value from the variable {} has characters that cannot be sent, or is longer \
                 than 32 KiB. GitHub Actions sets it",
                env::ACTIONS_ID_TOKEN_REQUEST_TOKEN
            )));
        }
        Ok(Self {
            server,
            url,
            token: Zeroizing::new(token.to_owned()),
        })
    }

    /// The path and the query for an audience. The query stays as it is, and a fragment, which no
    /// server sees, is dropped.
    fn path(&self, audience: &Endpoint) -> String {
        let mut url = self.url.clone();
        url.set_fragment(None);
        url.query_pairs_mut()
            .append_pair("audience", audience.as_str());
        let query = url.query().unwrap_or_default();
        format!("{}?{query}", url.path())
    }

    fn send(&self, hub: &TokenEndpoint, interrupt: &dyn Interrupt) -> Result<IdToken, Error> {
        let authorization = Zeroizing::new(format!("Bearer {}", self.token.as_str()));
        let answer = hub
            .at(self.server.clone())
            .get(self.path(hub.endpoint()), authorization, interrupt)
            .map_err(|failure| {
                failure.into_error("the request for an id token of GitHub Actions", "")
            })?;
        if answer.status != 200 {
            return Err(self.refusal(&answer));
        }
        let id_token = Value::of(&answer.body).and_then(|value| IdToken::parse(&value).ok());
        id_token.ok_or_else(|| {
            Error::unknown(format!(
                "GitHub Actions ({}) answered the request for an id token with something else",
                self.server
            ))
        })
    }

    /// Why GitHub issued none.
    fn refusal(&self, answer: &Response) -> Error {
        let response = without_page(answer, &of_answer(answer, &self.token));
        let server = &self.server;
        match answer.status {
            400..=428 | 430..=499 => Error::Login {
                message: format!(
                    "GitHub Actions refused to issue an id token (status {}, {server}). Its \
                     permission for that ends with the job; run the job again",
                    answer.status
                ),
                code: None,
                response,
            },
            status => TokenFailure::Inconclusive(Error::Unknown {
                message: format!("{server} answered with status {status}"),
                response,
                kind: if status == 429 {
                    UnknownKind::RateLimited {
                        retry_after: crate::http::response_details::retry_after(answer),
                    }
                } else if status >= 500 {
                    UnknownKind::Unreachable
                } else {
                    UnknownKind::Other
                },
            })
            .into_error("the request for an id token of GitHub Actions", ""),
        }
    }
}

impl fmt::Debug for GitHubRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GitHubRequest({})", self.server)
    }
}

/// GitHub's answer.
#[derive(Deserialize)]
struct Value {
    value: Zeroizing<String>,
}

impl Value {
    fn of(body: &[u8]) -> Option<Zeroizing<String>> {
        if body.len() > 2 * MAXIMUM_LENGTH {
            return None;
        }
        let answer: Self = serde_json::from_slice(body).ok()?;
        Some(answer.value)
    }
}

#[cfg(test)]
mod tests;
