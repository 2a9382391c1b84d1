//! Implements the credential chain: which token is used, and why.
//!
//! Sources are checked in a fixed order until one has a token: the argument, OIDC (on request), the
//! environment, what a configuration names (a profile, a command, a file), the active token file,
//! and the notebook's vault. There are three ways for a source not to provide a token. If it is
//! *absent*, the chain continues. If it was *requested by name* (an argument, a profile) and is
//! broken, the chain stops with an error. If it is *ambient* and broken (an unreadable file, a
//! placeholder in a variable), it is skipped, recorded in the trace, and reported in a warning
//! once.
//!
//! The work has two phases. [`Inputs`] reads the environment, which the Python layer does while
//! attached to the interpreter. The chain then reads files, using only those inputs. A [`Resolver`]
//! caches the last ambient result and returns it while its inputs are unchanged, so that a call
//! costs a few variable lookups, plus one `stat` for a token file.

pub mod command;
pub mod configuration;
pub mod defaults;
pub mod errand;
mod inputs;
mod memory;
pub mod outside;
mod peer;
pub mod pin;
pub mod placed;
pub mod search;
pub mod trust;
mod unpickled;
mod walk;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::printable::holds_secret;
use crate::source::Source;
use crate::sync::lock;
use crate::trace::{Answer, Trace};
use errand::Errands;
pub use inputs::{Inputs, TOKEN_VARIABLES, ambient_endpoint};
pub use memory::Recall;
use memory::{Memory, Projects, Stamped};
use walk::Walk;

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
    memory: Mutex<Option<Memory>>,
    projects: Mutex<Projects>,
    warned: Mutex<HashSet<String>>,
    errands: Arc<Errands>,
}

impl Resolver {
    /// Clears all caches, so that files and configurations are read again.
    pub fn reload(&self) {
        *lock(&self.memory) = None;
        lock(&self.projects).clear();
        self.errands.clear();
    }

    /// Clears the last ambient result, but not the cached results of slow sources.
    ///
    /// Must be called when the active token changes, because the variable that records the source
    /// of the token in `HF_TOKEN` is not compared on each call.
    pub fn forget_answer(&self) {
        *lock(&self.memory) = None;
    }

    /// The resolver for a forked child, with the parent's cached results from notebooks.
    #[must_use]
    pub fn inherited(&self) -> Self {
        Self {
            errands: Arc::new(self.errands.inherited()),
            ..Self::default()
        }
    }

    /// The warnings to give after a resolution: sources that are broken or denied access, unless
    /// they were reported before.
    #[must_use]
    pub fn warnings(&self, trace: &Trace) -> Vec<String> {
        self.new_warnings(
            trace
                .steps
                .iter()
                .filter(|step| matches!(step.answer, Answer::Broken | Answer::Refused))
                .map(|step| format!("{} was passed over: {}", step.source, step.detail)),
        )
    }

    /// Filters out the warnings that were given before.
    #[must_use]
    pub fn new_warnings(&self, warnings: impl Iterator<Item = String>) -> Vec<String> {
        let mut warned = lock(&self.warned);
        warnings
            .filter(|warning| warned.insert(warning.clone()))
            .collect()
    }

    /// The last ambient result, if its inputs are unchanged.
    ///
    /// Reads a few variables and no files. [`Recall::Check`] still requires [`Resolver::verify`].
    #[must_use]
    pub fn recall(&self, environment: &dyn Environment) -> Recall {
        lock(&self.memory)
            .as_ref()
            .map_or(Recall::Nothing, |memory| memory.recall(environment))
    }

    /// Verifies a [`Recall::Check`] on disk: the token file and the working directory must be
    /// unchanged, and the configuration must have been searched for less than a second ago.
    #[must_use]
    pub fn verify(&self, credential: &Arc<Credential>) -> bool {
        let memory = lock(&self.memory);
        memory
            .as_ref()
            .is_some_and(|memory| memory.verify(credential, &mut lock(&self.projects)))
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
        let (resolution, stamp) = self.walk(request, inputs, false)?;
        if let Some(credential) = &resolution.credential
            && ambient
        {
            *lock(&self.memory) = Memory::of(
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
        match self.walk(request, inputs, true) {
            Ok((resolution, _)) => Ok(resolution.trace),
            Err(Error::TokenNotFound { trace, .. }) => Ok((*trace).clone()),
            Err(error) => Err(error),
        }
    }

    fn walk(
        &self,
        request: &Request<'_>,
        inputs: &Inputs<'_>,
        whole: bool,
    ) -> Result<(Resolution, Option<Stamped>), Error> {
        let mut walk = Walk::new(self, inputs, request.endpoint.as_ref(), whole);
        if matches!(request.argument, Argument::Anonymous) {
            walk.trace
                .note("argument", Answer::Skipped, "token=False asks for no token");
            return Ok((walk.finish(), None));
        }
        walk.ask_argument(&request.argument)?;
        if let Some(name) = request.profile {
            if holds_secret(name) {
                return Err(Error::TokenFormat(
                    "profile= holds a token, or the key of another service. A profile is the name \
                     of a stored token; hand a token over as token="
                        .to_owned(),
                ));
            }
            if walk.found.is_some() {
                return Err(Error::InvalidArgument(
                    "give token= or profile=, not both".to_owned(),
                ));
            }
            walk.ask_store(Source::Store(name.to_owned()), name, None)?;
        } else if walk.goes_on() {
            if inputs.implicit_disabled && matches!(request.argument, Argument::Ambient) {
                walk.trace.note(
                    env::HF_HUB_DISABLE_IMPLICIT_TOKEN,
                    Answer::Skipped,
                    "is set, so no other source is used; token=True overrides this",
                );
            } else {
                walk.ask_ambient()?;
            }
        }
        if walk.found.is_none() {
            return Err(walk.nothing());
        }
        let stamp = walk.stamp.take();
        Ok((walk.finish(), stamp))
    }
}

#[cfg(test)]
mod tests;
