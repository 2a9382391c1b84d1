//! The contents of a `HubToken`: a token, or the reference that a pickle carried in its place.
//!
//! Unpickling does no I/O and never fails because the token is missing, since an exception there
//! hangs a process pool. A token that is not alive in this process is therefore looked up in the
//! quick sources on first use. Only one kind of pickle carries the value: the one that
//! `multiprocessing` writes to the pipe of a process that it is starting.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;

use super::arguments::{inputs, warn};
use super::environment::PythonEnvironment;
use super::error::classes;
use super::greenlets;
use super::host::PythonHost;
use super::renewal;
use crate::credential::Credential;
use crate::live_tokens;
use crate::oauth::IdTokenSource;
use crate::process_state::{self, ProcessState};
use crate::token_reference::TokenReference;

/// A token, or a reference to it.
pub enum TokenState {
    /// The token.
    Live(Arc<Credential>),
    /// Unpickled where the token was not alive; looked up on first use.
    Detached {
        /// The reference that the pickle carried.
        reference: TokenReference,
        /// The token, once it has been found.
        found: OnceLock<Arc<Credential>>,
    },
}

impl TokenState {
    /// The credential as it is now; an unpickled token is looked up here on first use, and one of an
    /// OAuth login or an OIDC exchange is renewed here before it ends.
    pub fn credential(&self, py: Python<'_>) -> PyResult<Arc<Credential>> {
        self.credential_from(py, process_state::current)
    }

    /// The same, for a call that has the process's state.
    pub fn credential_in(
        &self,
        py: Python<'_>,
        process: &ProcessState,
    ) -> PyResult<Arc<Credential>> {
        self.credential_from(py, || process)
    }

    fn credential_from<P: Deref<Target = ProcessState>>(
        &self,
        py: Python<'_>,
        process: impl Fn() -> P,
    ) -> PyResult<Arc<Credential>> {
        let credential = match self {
            Self::Live(credential) => credential.clone(),
            Self::Detached { reference, found } => {
                if let Some(credential) = found.get() {
                    credential.clone()
                } else {
                    let credential = match live_tokens::find(reference) {
                        Some(credential) => credential,
                        None => restore(py, &process(), reference)?,
                    };
                    found.get_or_init(|| credential).clone()
                }
            }
        };
        if credential.renewal.is_some() {
            return renewal::current(py, &process(), credential);
        }
        if credential.source.resource().is_none() {
            return Ok(credential);
        }
        current(py, &process(), credential)
    }

    /// The live credential, without looking for a detached one. It is the value that the token was
    /// created with, which decides what it is equal to: a renewal changes neither that nor the hash.
    pub fn live(&self) -> Option<&Arc<Credential>> {
        match self {
            Self::Live(credential) => Some(credential),
            Self::Detached { found, .. } => found.get(),
        }
    }

    /// The live credential as it is now, without renewing it.
    pub fn latest(&self) -> Option<Arc<Credential>> {
        self.live().map(Credential::latest)
    }

    /// The reference that a pickle carries: to the value as it is now.
    pub fn latest_reference(&self) -> TokenReference {
        match self.latest() {
            Some(credential) => TokenReference::of(&credential),
            None => self.reference(),
        }
    }

    /// The reference to the value that the token was created with.
    pub fn reference(&self) -> TokenReference {
        match self {
            Self::Live(credential) => TokenReference::of(credential),
            Self::Detached { reference, .. } => reference.clone(),
        }
    }

    /// The token in masked form.
    pub fn mask(&self) -> String {
        match self {
            Self::Live(credential) => credential.latest().token.mask(),
            Self::Detached { reference, .. } => reference.mask.clone(),
        }
    }
}

/// The current token of an OIDC exchange, which is repeated before its token ends.
fn current(
    py: Python<'_>,
    process: &ProcessState,
    credential: Arc<Credential>,
) -> PyResult<Arc<Credential>> {
    if process.resolver.is_current(&credential) {
        return Ok(credential);
    }
    let id_tokens = IdTokenSource::read(&PythonEnvironment::current(py)?);
    let host = Arc::new(PythonHost::new(process));
    let own_host = Arc::clone(&host);
    let process = process_state::current();
    let outcome = greenlets::detached(py, move || {
        process.resolver.renew(&credential, id_tokens, &*own_host)
    })?;
    let renewed = outcome.map_err(|error| host.to_python(error))?;
    let process = process_state::current();
    for warning in process.resolver.new_warnings(renewed.warning.into_iter()) {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), &warning)?;
    }
    live_tokens::register(&renewed.credential);
    Ok(renewed.credential)
}

/// Looks up a token in the quick sources. Skips every source that could be slow or show a dialog,
/// except for an exchange of id tokens for a token that came from one.
fn restore(
    py: Python<'_>,
    process: &ProcessState,
    reference: &TokenReference,
) -> PyResult<Arc<Credential>> {
    let host = PythonHost::new(process);
    let inputs = inputs(py)?.with_host(&host);
    let credential = py
        .detach(|| process.resolver.restore(reference, &inputs))
        .map_err(|error| host.to_python(error))?;
    live_tokens::register(&credential);
    Ok(credential)
}
