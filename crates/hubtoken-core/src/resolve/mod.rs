//! Implements the credential chain: which token is used, and why.
//!
//! Sources are checked in a fixed order until one has a token: the argument, OIDC (on request), the
//! environment, what a configuration names (a profile, a command, a file), the active token file,
//! and the notebook's vault. There are three ways for a source not to provide a token. If it is
//! *absent*, the chain continues. If it was *requested by name* (an argument, a profile) and is
//! broken, the chain stops with an error. If it is *ambient* and broken (an unreadable file, a
//! placeholder in a variable), it is skipped, recorded in the trace, and reported in a warning
//! once. A configuration that is broken, or names what it may not, is an error if its values would
//! be used, and otherwise a warning: see [`configuration`].
//!
//! The work has two phases. [`Inputs`] reads the environment, which the Python layer does while
//! attached to the interpreter. The chain then reads files, using only those inputs. A [`Resolver`]
//! caches the last ambient result and returns it while its inputs are unchanged, so that a call
//! costs a few variable lookups, plus one `stat` for a token file.

mod cache;
mod chain;
pub mod command;
pub mod configuration;
pub mod host;
mod huggingface_hub;
pub mod in_effect;
mod inputs;
pub mod pin;
pub mod placed;
mod plain_http;
pub mod project_defaults;
pub mod renewal;
pub mod search;
pub mod slow_source;
mod stored_records;
pub mod trust;
mod unpickled;
pub mod user_token;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::oauth::Exchanges;
use crate::sanitize::contains_secret;
use crate::source::Source;
use crate::sync::lock_ignoring_poison;
use crate::trace::{SourceStatus, Trace};
pub use cache::Cached;
use cache::{ConfigurationCache, LastResolution, StampedPath};
use chain::ChainRun;
pub use inputs::{Inputs, TOKEN_VARIABLES, ambient_endpoint, recorded_ambient_endpoint};
pub use plain_http::{PlainHttp, parse_endpoint};
use slow_source::SlowSources;
use stored_records::StoredRecords;

/// The value that a caller passed as `token=`.
pub enum Argument<'a> {
    /// `None`: use the environment's token, unless implicit tokens are disabled.
    Ambient,
    /// `True`: use the environment's token even if implicit tokens are disabled.
    Required,
    /// `False`: use no token.
    Anonymous,
    /// A string.
    Value(&'a str),
    /// A token that was resolved earlier.
    Credential(Arc<Credential>),
}

/// A request to resolve a token.
pub struct Request<'a> {
    /// The argument.
    pub argument: Argument<'a>,
    /// The Hub that the token is for; `None` for the token's own Hub.
    pub endpoint: Option<Endpoint>,
    /// The name of a stored token, which is then the only source.
    pub profile: Option<&'a str>,
}

impl Request<'_> {
    /// Whether the argument alone decides the result, which requires neither disk access nor
    /// waiting.
    #[must_use]
    pub fn is_answered_by_its_argument(&self) -> bool {
        self.profile.is_none() && !matches!(self.argument, Argument::Ambient | Argument::Required)
    }
}

/// The result of the chain.
pub struct Resolution {
    /// The token; `None` if the caller requested none.
    pub credential: Option<Arc<Credential>>,
    /// The result for each source.
    pub trace: Trace,
}

/// The credential chain and its caches.
#[derive(Default)]
pub struct Resolver {
    last_resolution: Mutex<Option<LastResolution>>,
    configurations: Mutex<ConfigurationCache>,
    stored_records: Mutex<StoredRecords>,
    warned: Mutex<HashSet<String>>,
    slow_sources: Arc<SlowSources>,
    exchanges: Arc<Exchanges>,
}

impl Resolver {
    /// Clears all caches, so that files and configurations are read again.
    pub fn clear_cache(&self) {
        *lock_ignoring_poison(&self.last_resolution) = None;
        lock_ignoring_poison(&self.configurations).clear();
        self.slow_sources.clear();
        self.exchanges.clear();
    }

    /// Clears the last ambient result, but not the cached results of slow sources.
    ///
    /// Must be called when the active token changes, because the variable that records the source
    /// of the token in `HF_TOKEN` is not compared on each call.
    pub fn clear_last_resolution(&self) {
        *lock_ignoring_poison(&self.last_resolution) = None;
    }

    /// The resolver for a forked child, with the parent's cached results from notebooks and its
    /// exchanged tokens.
    #[must_use]
    pub fn after_fork(&self) -> Self {
        Self {
            slow_sources: Arc::new(self.slow_sources.after_fork()),
            exchanges: Arc::new(self.exchanges.after_fork()),
            ..Self::default()
        }
    }

    /// The warnings to give after a resolution: about the token in use, and about sources that are
    /// broken or denied access, unless they were reported before.
    #[must_use]
    pub fn warnings(&self, trace: &Trace) -> Vec<String> {
        let mut warnings = trace.warnings.clone();
        warnings.extend(
            self.new_warnings(
                trace
                    .steps
                    .iter()
                    .filter(|step| {
                        matches!(step.status, SourceStatus::Broken | SourceStatus::Refused)
                    })
                    .map(|step| format!("{} was passed over: {}", step.source, step.detail)),
            ),
        );
        warnings
    }

    /// The warning about an endpoint that shows tokens to the network, unless it was given before.
    #[must_use]
    pub fn insecure_warning(&self, endpoint: &Endpoint) -> Option<String> {
        self.new_warnings(endpoint.insecure_warning().into_iter())
            .pop()
    }

    /// Filters out the warnings that were given before.
    #[must_use]
    pub fn new_warnings(&self, warnings: impl Iterator<Item = String>) -> Vec<String> {
        let mut warned = lock_ignoring_poison(&self.warned);
        warnings
            .filter(|warning| warned.insert(warning.clone()))
            .collect()
    }

    /// The last ambient result, if its inputs are unchanged.
    ///
    /// Reads a few variables and no files. [`Cached::Revalidate`] still requires
    /// [`Resolver::verify`].
    #[must_use]
    pub fn cached(&self, environment: &dyn Environment) -> Cached {
        lock_ignoring_poison(&self.last_resolution)
            .as_ref()
            .map_or(Cached::Miss, |last_resolution| {
                last_resolution.cached(environment)
            })
    }

    /// Verifies a [`Cached::Revalidate`] on disk: the token file and the working directory must be
    /// unchanged, and the configuration must have been searched for less than a second ago.
    #[must_use]
    pub fn revalidate(&self, credential: &Arc<Credential>) -> bool {
        let last_resolution = lock_ignoring_poison(&self.last_resolution);
        last_resolution.as_ref().is_some_and(|last_resolution| {
            last_resolution.revalidate(credential, &mut lock_ignoring_poison(&self.configurations))
        })
    }

    /// Checks the sources in order.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] with the trace if no source has a token; otherwise the error of the
    /// source that was requested by name.
    pub fn resolve(&self, request: &Request<'_>, inputs: &Inputs<'_>) -> Result<Resolution, Error> {
        let ambient = matches!(request.argument, Argument::Ambient)
            && request.endpoint.is_none()
            && request.profile.is_none();
        let (resolution, stamp) = self.run_chain(request, inputs, false)?;
        if let Some(credential) = &resolution.credential
            && ambient
        {
            *lock_ignoring_poison(&self.last_resolution) = LastResolution::of(
                credential,
                &inputs.variables,
                inputs.folder.as_deref(),
                stamp,
            );
        }
        Ok(resolution)
    }

    /// Checks all sources, including those after the first that has a token.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`], except that a missing token is not an error.
    pub fn explain(&self, request: &Request<'_>, inputs: &Inputs<'_>) -> Result<Trace, Error> {
        match self.run_chain(request, inputs, true) {
            Ok((resolution, _)) => Ok(resolution.trace),
            Err(Error::TokenNotFound { trace, .. }) => Ok((*trace).clone()),
            Err(error) => Err(error),
        }
    }

    fn run_chain(
        &self,
        request: &Request<'_>,
        inputs: &Inputs<'_>,
        exhaustive: bool,
    ) -> Result<(Resolution, Option<StampedPath>), Error> {
        let mut run = ChainRun::new(self, inputs, request.endpoint.as_ref(), exhaustive);
        if matches!(request.argument, Argument::Anonymous) {
            run.trace.note(
                "argument",
                SourceStatus::Skipped,
                "token=False asks for no token",
            );
            return Ok((run.finish(), None));
        }
        run.ask_argument(&request.argument)?;
        if let Some(name) = request.profile {
            if contains_secret(name) {
                return Err(Error::TokenFormat(
                    "profile= holds a token, or the key of another service. A profile is the name \
                     of a stored token; hand a token over as token="
                        .to_owned(),
                ));
            }
            if run.found.is_some() {
                return Err(Error::InvalidArgument(
                    "give token= or profile=, not both".to_owned(),
                ));
            }
            run.ask_store(Source::Store(name.to_owned()), name, None)?;
        } else if run.should_continue() {
            if inputs.implicit_disabled && matches!(request.argument, Argument::Ambient) {
                run.trace.note(
                    env::HF_HUB_DISABLE_IMPLICIT_TOKEN,
                    SourceStatus::Skipped,
                    "is set, so no other source is used; token=True and `hubtoken run` override \
                     this",
                );
            } else {
                run.ask_ambient()?;
            }
        }
        if !run.is_decided() {
            return Err(run.not_found());
        }
        if !request.is_answered_by_its_argument() {
            run.note_invalid_configuration();
        }
        let stamp = run.stamp.take();
        Ok((run.finish(), stamp))
    }
}

#[cfg(test)]
mod tests;
