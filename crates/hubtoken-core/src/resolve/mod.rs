//! The chain: which token is used, and why.
//!
//! Sources are asked in a fixed order until one has a token: the argument, OIDC (when asked for),
//! the environment, what a configuration names (a profile, a command, a file), the active token
//! file, the vault of a notebook. Three answers are told apart. A source that is *absent* lets the
//! chain go on. One that was *asked for by name* (an argument, a profile) and is broken stops it with
//! an error. An *ambient* one that is broken (an unreadable file, a placeholder in a variable) is
//! passed over, kept in the trace and warned about once.
//!
//! The work is in two halves. [`Inputs`] reads the environment, which the Python layer does while
//! attached to the interpreter; the walk then reads files and needs nothing but the inputs. A
//! [`Resolver`] remembers the last ambient answer and gives it again while nothing that led to it
//! has changed, so that a call costs a few reads of variables, and one `stat` for a token file.

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

/// What a caller handed over as `token=`.
pub enum Argument<'a> {
    /// `None`: what the environment has, unless implicit tokens are turned off.
    Ambient,
    /// `True`: what the environment has, even then.
    Required,
    /// `False`: no token.
    Anonymous,
    /// A text.
    Value(&'a str),
    /// A token that was resolved before.
    Credential(Arc<Credential>),
}

/// One question to the chain.
pub struct Request<'a> {
    /// The argument.
    pub argument: Argument<'a>,
    /// The Hub that the token is for; `None` for the token's own.
    pub endpoint: Option<Endpoint>,
    /// The name of a stored token, which is then the only source.
    pub profile: Option<&'a str>,
}

impl Request<'_> {
    /// Whether no source is asked but the argument, which needs no look at the disk and no wait.
    #[must_use]
    pub fn is_answered_by_its_argument(&self) -> bool {
        self.profile.is_none() && !matches!(self.argument, Argument::Ambient | Argument::Required)
    }
}

/// What the chain found.
pub struct Resolution {
    /// The token; `None` when the caller asked for none.
    pub credential: Option<Arc<Credential>>,
    /// What each source answered.
    pub trace: Trace,
}

/// The chain, with what it remembers.
#[derive(Default)]
pub struct Resolver {
    memory: Mutex<Option<Memory>>,
    projects: Mutex<Projects>,
    warned: Mutex<HashSet<String>>,
    errands: Arc<Errands>,
}

impl Resolver {
    /// Forgets what was found, so that files and configurations are read anew.
    pub fn reload(&self) {
        *lock(&self.memory) = None;
        lock(&self.projects).clear();
        self.errands.clear();
    }

    /// Forgets the last ambient answer, but not what slow sources have told.
    ///
    /// For a change of what is active: the variable that says where the token in `HF_TOKEN` came
    /// from is not compared at each call.
    pub fn forget_answer(&self) {
        *lock(&self.memory) = None;
    }

    /// The chain of a forked child, which knows what its parent was told by notebooks.
    #[must_use]
    pub fn inherited(&self) -> Self {
        Self {
            errands: Arc::new(self.errands.inherited()),
            ..Self::default()
        }
    }

    /// What to warn of after a walk: the sources that are broken or refuse, and that have not been
    /// warned about before.
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

    /// Those of some warnings that have not been given before.
    #[must_use]
    pub fn new_warnings(&self, warnings: impl Iterator<Item = String>) -> Vec<String> {
        let mut warned = lock(&self.warned);
        warnings
            .filter(|warning| warned.insert(warning.clone()))
            .collect()
    }

    /// The last ambient answer, if nothing that led to it has changed.
    ///
    /// Reads a few variables and no file. [`Recall::Check`] still has to look at the disk.
    #[must_use]
    pub fn recall(&self, environment: &dyn Environment) -> Recall {
        lock(&self.memory)
            .as_ref()
            .map_or(Recall::Nothing, |memory| memory.recall(environment))
    }

    /// Looks at the disk for [`Recall::Check`]: whether the token file and the working directory
    /// are the same, and the configuration was looked for less than a second ago.
    #[must_use]
    pub fn verify(&self, credential: &Arc<Credential>) -> bool {
        let memory = lock(&self.memory);
        memory
            .as_ref()
            .is_some_and(|memory| memory.verify(credential, &mut lock(&self.projects)))
    }

    /// Asks the sources in order.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] with the trace when no source has a token; otherwise the error of
    /// the source that was asked for by name.
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

    /// Asks all the sources, also those after the first that has a token.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`], but a missing token is an answer and no error.
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
                    "is set, so no other source is asked; token=True asks all the same",
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
