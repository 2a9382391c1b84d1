//! Runs the credential chain once.

mod configured;
mod files;
mod oidc;
mod outdated;
mod slow;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use configured::Configurations;

use super::cache::FileStamp;
use super::stored_records::StoredTimes;
use super::{Argument, Inputs, Resolution, Resolver, TOKEN_VARIABLES};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::recipient::objection;
use crate::sanitize::mask_secrets;
use crate::source::{Placement, Source};
use crate::sync::lock_ignoring_poison;
use crate::token::Token;
use crate::trace::{SourceStatus, Step, Trace};

/// One run of the chain.
pub(super) struct ChainRun<'a> {
    resolver: &'a Resolver,
    inputs: &'a Inputs<'a>,
    requested_endpoint: Option<&'a Endpoint>,
    exhaustive: bool,
    pub(super) trace: Trace,
    pub(super) found: Option<Arc<Credential>>,
    configurations: Configurations,
    /// The file that was read last, and its stamp from before the read.
    pub(super) stamp: Option<(PathBuf, Option<FileStamp>)>,
    /// Whether commands are run, vaults queried, and id tokens exchanged.
    pub(super) asks_slow_sources: bool,
    /// The slow source that would have been asked; the chain ends there, unless it is exhaustive.
    pub(super) unasked: Option<Source>,
}

impl<'a> ChainRun<'a> {
    pub(super) fn new(
        resolver: &'a Resolver,
        inputs: &'a Inputs<'a>,
        requested_endpoint: Option<&'a Endpoint>,
        exhaustive: bool,
    ) -> Self {
        Self {
            resolver,
            inputs,
            requested_endpoint,
            exhaustive,
            trace: Trace::default(),
            found: None,
            configurations: Configurations::default(),
            stamp: None,
            asks_slow_sources: true,
            unasked: None,
        }
    }

    pub(super) fn should_continue(&self) -> bool {
        self.exhaustive || !self.is_decided()
    }

    /// Whether a source has the token, or would have it if it were asked.
    pub(super) fn is_decided(&self) -> bool {
        self.winner().is_some()
    }

    /// The source that has the token, or would have it.
    fn winner(&self) -> Option<&Source> {
        let found = self.found.as_ref().map(|found| &found.source);
        found.or(self.unasked.as_ref())
    }

    pub(super) fn ask_argument(&mut self, argument: &Argument<'_>) -> Result<(), Error> {
        match argument {
            Argument::Value(raw) => {
                let token = Token::parse(raw)
                    .map_err(|error| error.context("the token= argument"))?
                    .ok_or_else(|| {
                        Error::TokenFormat(
                            "the token= argument is blank. Hand over a token, or nothing at all \
                             to use the environment's, or token=False for none"
                                .to_owned(),
                        )
                    })?;
                let endpoint = match self.requested_endpoint {
                    Some(endpoint) => endpoint.clone(),
                    None => self.inputs.endpoint.clone()?,
                };
                self.accept(token, Source::Argument, endpoint, Expiry::UNKNOWN)
            }
            Argument::Credential(credential) => {
                credential.check_endpoint(self.requested_endpoint)?;
                let step = Step {
                    source: credential.source.to_string(),
                    status: SourceStatus::Found,
                    mask: Some(credential.token.mask()),
                    detail: with_objection(
                        "handed over as a HubToken".to_owned(),
                        &credential.token,
                        &credential.endpoint,
                    ),
                };
                self.trace.steps.push(step);
                self.found = Some(Arc::clone(credential));
                Ok(())
            }
            _ => {
                self.trace
                    .note("argument", SourceStatus::Absent, "not given");
                Ok(())
            }
        }
    }

    pub(super) fn ask_ambient(&mut self) -> Result<(), Error> {
        self.ask_oidc()?;
        for (name, value) in TOKEN_VARIABLES.into_iter().zip(&self.inputs.tokens) {
            if !self.should_continue() {
                return Ok(());
            }
            self.ask_variable(name, value.as_ref())?;
        }
        if !self.should_continue() {
            return Ok(());
        }
        self.ask_configured()?;
        if self.should_continue() {
            self.ask_vaults()?;
        }
        Ok(())
    }

    pub(super) fn ask_variable(
        &mut self,
        name: &'static str,
        value: Option<&OsString>,
    ) -> Result<(), Error> {
        let source = Source::Environment(name.to_owned());
        let Some(value) = value else {
            self.trace
                .note(source.to_string(), SourceStatus::Absent, "not set");
            return Ok(());
        };
        let token = match value.to_str() {
            Some(text) => Token::parse_ambient(text),
            None => Err(Error::TokenFormat("the value is not text".to_owned())),
        };
        match token {
            Ok(Some(token)) => {
                let (source, expires_at) = match self.inputs.placed(name, &token) {
                    Some(placed) => (placed.source, placed.expires_at),
                    None => (source, Expiry::UNKNOWN),
                };
                if let Source::Placed {
                    origin,
                    by: Placement::Activation,
                } = &source
                    && self.is_outdated(origin, &token)
                {
                    self.trace.steps.push(Step {
                        source: format!("env:{name}"),
                        status: SourceStatus::Shadowed,
                        mask: Some(token.mask()),
                        detail: format!(
                            "{}, which has another token by now. The Hub's libraries use the new \
                             one when it is activated",
                            source.provenance()
                        ),
                    });
                    return Ok(());
                }
                let endpoint = self.inputs.endpoint.clone()?;
                self.accept(token, source, endpoint, expires_at)
            }
            Ok(None) => {
                self.trace
                    .note(source.to_string(), SourceStatus::Absent, "set, but blank");
                Ok(())
            }
            Err(error) => {
                self.pass_over(&source, &error.to_string());
                Ok(())
            }
        }
    }

    /// Accepts a token: the first one is used, later ones are recorded as shadowed.
    fn accept(
        &mut self,
        token: Token,
        source: Source,
        endpoint: Endpoint,
        expires_at: Expiry,
    ) -> Result<(), Error> {
        let stored = if self.is_decided() {
            StoredTimes::default()
        } else {
            self.stored_times(&token, &source, &endpoint)
        };
        self.accept_credential(Arc::new(Credential {
            token,
            source,
            endpoint,
            expires_at: expires_at.earlier(stored.expires_at),
            renewal: stored.renewal.map(Box::new),
        }))
    }

    /// The same for a token that is complete.
    fn accept_credential(&mut self, credential: Arc<Credential>) -> Result<(), Error> {
        let Credential {
            token,
            source,
            endpoint,
            ..
        } = &*credential;
        let mut step = Step {
            source: source.to_string(),
            status: SourceStatus::Found,
            mask: Some(token.mask()),
            detail: match (source, source.profile()) {
                (Source::Placed { .. }, _) => source.provenance(),
                (Source::Oidc(resource), _) => format!("for `{}`", mask_secrets(resource)),
                (_, Some(name)) => format!("profile `{}`", mask_secrets(name)),
                _ => String::new(),
            },
        };
        if let Some(used) = self.winner() {
            step.status = SourceStatus::Shadowed;
            step.detail = match &self.found {
                Some(found) if found.token == *token => format!("the same token as {used}"),
                _ => format!("shadowed by {used}"),
            };
        }
        if let Some(line) = token.pasted_line() {
            append(&mut step.detail, &format!("holds {}", line.describe()));
        }
        step.detail = with_objection(step.detail, token, endpoint);
        if let Some(misdirection) = self.inputs.misdirection(token, endpoint) {
            append(&mut step.detail, &misdirection);
        }
        if self.is_decided() {
            self.trace.steps.push(step);
            return Ok(());
        }
        // It may have been recorded when its host was still named.
        self.inputs.plain_http.check(endpoint)?;
        self.trace.steps.push(step);
        self.trace.warnings.extend(credential.pasted_line_warning());
        credential.check_endpoint(self.requested_endpoint)?;
        self.found = Some(credential);
        Ok(())
    }

    /// When the store says that the token expires, whatever the source, and how it is renewed.
    fn stored_times(&self, token: &Token, source: &Source, endpoint: &Endpoint) -> StoredTimes {
        let Some(path) = self.inputs.paths.stored_tokens.as_deref() else {
            return StoredTimes::default();
        };
        let mut records = lock_ignoring_poison(&self.resolver.stored_records);
        let mut times = records.times(path, token, endpoint);
        // A value that the caller or the user has put elsewhere stays what it is.
        if !matches!(
            source.origin(),
            Source::File(_) | Source::Store(_) | Source::Configuration { .. }
        ) {
            times.renewal = None;
        }
        times
    }

    /// Skips a broken ambient source. The caller gets a warning about it.
    fn pass_over(&mut self, source: &Source, problem: &str) {
        self.trace
            .note(source.to_string(), SourceStatus::Broken, problem);
    }

    fn note_lookalikes(&mut self) {
        for name in &self.inputs.lookalikes {
            self.trace.note(
                format!("env:{name}"),
                SourceStatus::Ignored,
                if env::names_a_file(name) {
                    "is set, but the Hub's libraries do not read it; they read the file that \
                     HF_TOKEN_PATH names, and HF_TOKEN"
                } else {
                    "is set, but the Hub's libraries do not read it; they read HF_TOKEN"
                },
            );
        }
    }

    pub(super) fn not_found(mut self) -> Error {
        self.note_lookalikes();
        let message = format!(
            "no Hugging Face token was found. Set HF_TOKEN, or log in with `hubtoken login`, or \
             hand over token=. Tried:{}",
            self.trace.lines()
        );
        Error::TokenNotFound {
            message,
            trace: Arc::new(self.trace),
        }
    }

    pub(super) fn finish(mut self) -> Resolution {
        self.note_lookalikes();
        self.trace.endpoint = match (&self.found, &self.unasked) {
            (Some(found), _) => Some(found.endpoint.to_string()),
            (None, Some(Source::Oidc(_))) => {
                let endpoint = self.inputs.endpoint.as_ref().ok();
                endpoint.map(ToString::to_string)
            }
            (None, _) => None,
        };
        Resolution {
            credential: self.found,
            trace: self.trace,
        }
    }
}

/// A key of another service counts as found, and the trace says that it is not sent.
fn with_objection(mut detail: String, token: &Token, endpoint: &Endpoint) -> String {
    if let Some(objection) = objection(token, endpoint) {
        append(&mut detail, &objection);
    }
    detail
}

/// Adds to a detail what else there is to say about the source.
fn append(detail: &mut String, more: &str) {
    if !detail.is_empty() {
        detail.push_str(", ");
    }
    detail.push_str(more);
}
