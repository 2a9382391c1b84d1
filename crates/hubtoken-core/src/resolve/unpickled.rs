//! Finds the token again for a pickle that does not contain its value.
//!
//! A worker process often has the same token, in its own `HF_TOKEN` or in the machine's files. All
//! fast sources are therefore compared with the fingerprint, regardless of the token's original
//! source. A stored token is also found by its name, since it may have been rotated.
//!
//! Commands, vaults and keyrings are never queried: they are slow and may show a dialog, and all
//! workers of a pool would query them at once. An exchange is repeated if this process's environment
//! asks for the same one, since each process of a job may make it. A token passed to a process at startup needs no
//! search, because that pickle is the only one that contains the value.

use std::sync::Arc;

use super::chain::ChainRun;
use super::{Inputs, Resolver, TOKEN_VARIABLES};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::resolve::configuration::Configuration;
use crate::source::Source;
use crate::store;
use crate::sync::lock_ignoring_poison;
use crate::token::Token;
use crate::token_reference::TokenReference;
use crate::trace::{SourceStatus, Step, Trace};

impl Resolver {
    /// Searches the fast sources for the token that a reference identifies.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`], which says why it could not be found again; for the token of an
    /// exchange, why that could not be repeated.
    pub fn restore(
        &self,
        reference: &TokenReference,
        inputs: &Inputs<'_>,
    ) -> Result<Arc<Credential>, Error> {
        let mut search = Search {
            resolver: self,
            reference,
            inputs,
            user: self.user_configuration(inputs),
            steps: Vec::new(),
            failure: None,
            asks_slow_sources: true,
        };
        let found = search.run();
        let Search { steps, failure, .. } = search;
        found.ok_or_else(|| {
            failure.unwrap_or_else(|| Error::TokenNotFound {
                message: reference.why_not_restorable(),
                trace: Arc::new(Trace {
                    steps,
                    ..Trace::default()
                }),
            })
        })
    }

    fn user_configuration(&self, inputs: &Inputs<'_>) -> Option<Arc<Configuration>> {
        lock_ignoring_poison(&self.configurations)
            .find(inputs.folder.as_deref(), &inputs.search_paths())
            .ok()?
            .user
    }
}

struct Search<'a> {
    resolver: &'a Resolver,
    reference: &'a TokenReference,
    inputs: &'a Inputs<'a>,
    user: Option<Arc<Configuration>>,
    steps: Vec<Step>,
    /// Why an exchange did not succeed.
    failure: Option<Error>,
    /// Whether what is slow is asked as well.
    asks_slow_sources: bool,
}

impl Search<'_> {
    fn run(&mut self) -> Option<Arc<Credential>> {
        self.named()
            .or_else(|| self.variables())
            .or_else(|| self.exchanged())
            .or_else(|| self.files())
            .or_else(|| self.stored())
    }

    /// Checks one source on a new chain, and returns its token if that is the one the reference
    /// identifies. Broken sources do not match, but are recorded in the trace.
    fn ask(
        &mut self,
        ask: impl FnOnce(&mut ChainRun<'_>) -> Result<(), Error>,
    ) -> Option<Arc<Credential>> {
        let mut run = ChainRun::new(self.resolver, self.inputs, None, false);
        run.asks_slow_sources = self.asks_slow_sources;
        let outcome = ask(&mut run);
        let found = run.found.take().filter(|_| outcome.is_ok());
        self.steps.append(&mut run.trace.steps);
        match found {
            Some(found) if self.reference.matches(&found) => Some(self.accept(found)),
            Some(_) => {
                if let Some(step) = self.steps.last_mut() {
                    step.status = SourceStatus::Skipped;
                    "another token, or for another Hub".clone_into(&mut step.detail);
                }
                None
            }
            None => None,
        }
    }

    /// The token keeps the source that it had when it was pickled.
    fn accept(&self, found: Arc<Credential>) -> Arc<Credential> {
        if found.source == self.reference.source {
            return found;
        }
        found.with_source(&self.reference.source).unwrap_or(found)
    }

    /// The stored token with the same name, which may have another value by now.
    fn named(&mut self) -> Option<Arc<Credential>> {
        let source = self.reference.source.clone();
        let name = source.profile()?.to_owned();
        let endpoint = self.configured_endpoint(&source);
        // By its new label, should it have been moved to the file meanwhile.
        let asked = match source {
            Source::Keyring(name) => Source::Store(name),
            source => source,
        };
        // A keyring could show a dialog for each worker.
        self.asks_slow_sources = false;
        let found = self.ask(|run| run.ask_store(asked, &name, endpoint));
        self.asks_slow_sources = true;
        found
    }

    fn variables(&mut self) -> Option<Arc<Credential>> {
        let inputs = self.inputs;
        TOKEN_VARIABLES
            .into_iter()
            .zip(&inputs.tokens)
            .find_map(|(name, value)| self.ask(|run| run.ask_variable(name, value.as_ref())))
    }

    /// The token of another exchange for the same resource.
    fn exchanged(&mut self) -> Option<Arc<Credential>> {
        let resource = self.reference.source.resource()?;
        let asked = self.inputs.oidc.as_ref()?.resource.as_ref().ok()?;
        if asked.to_string() != resource {
            return None;
        }
        let mut failure = None;
        let found = self.ask(|run| {
            let outcome = run.ask_oidc();
            failure = outcome.as_ref().err().cloned();
            outcome
        });
        self.failure = failure;
        found
    }

    /// The file that the token came from, the one named by the user's configuration, and the active
    /// one.
    fn files(&mut self) -> Option<Arc<Credential>> {
        let own = match &self.reference.source {
            Source::File(path) => Some(path.clone()),
            _ => None,
        };
        let configured = self
            .user
            .as_ref()
            .and_then(|user| user.token_file(self.inputs.home.as_deref()));
        let mut paths: Vec<_> = [own, configured, self.inputs.paths.token.clone()]
            .into_iter()
            .flatten()
            .collect();
        paths.dedup();
        paths.into_iter().find_map(|path| {
            let endpoint = self.configured_endpoint(&Source::File(path.clone()));
            self.ask(|run| run.ask_file(&path, endpoint, false))
        })
    }

    /// All stored tokens, compared by value.
    fn stored(&mut self) -> Option<Arc<Credential>> {
        let stored = store::read(self.inputs.paths.stored_tokens.as_deref()?).ok()?;
        let entry = stored.iter().find(|entry| {
            Token::parse(&entry.value)
                .ok()
                .flatten()
                .is_some_and(|token| token.digest().fingerprint() == self.reference.fingerprint)
        })?;
        let source = Source::Store(entry.name.clone());
        self.ask(|run| run.ask_store(source, &entry.name, None))
    }

    /// The Hub that the user's configuration assigns to a source.
    fn configured_endpoint(&self, source: &Source) -> Option<Endpoint> {
        let user = self.user.as_ref()?;
        let named = match source {
            Source::Configuration { file, .. } => *file == user.path,
            Source::File(path) => {
                user.token_file(self.inputs.home.as_deref()).as_deref() == Some(path.as_path())
            }
            _ => false,
        };
        user.endpoint.clone().filter(|_| named)
    }
}
