//! The contents of a `HubToken`: a token, or the reference that a pickle carried in its place.
//!
//! Unpickling does no I/O and never fails because the token is missing, since an exception there
//! hangs a process pool. A token that is not alive in this process is therefore looked up in the
//! quick sources on first use. Only one kind of pickle carries the value: the one that
//! `multiprocessing` writes to the pipe of a process that it is starting.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;

use super::arguments::inputs;
use super::error::to_python;
use crate::credential::Credential;
use crate::live_tokens;
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
    /// The credential; an unpickled token is looked up here on first use.
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
        process: impl FnOnce() -> P,
    ) -> PyResult<Arc<Credential>> {
        match self {
            Self::Live(credential) => Ok(credential.clone()),
            Self::Detached { reference, found } => {
                if let Some(credential) = found.get() {
                    return Ok(credential.clone());
                }
                let credential = match live_tokens::find(reference) {
                    Some(credential) => credential,
                    None => restore(py, &process(), reference)?,
                };
                Ok(found.get_or_init(|| credential).clone())
            }
        }
    }

    /// The live credential, without looking for a detached one.
    pub fn live(&self) -> Option<&Arc<Credential>> {
        match self {
            Self::Live(credential) => Some(credential),
            Self::Detached { found, .. } => found.get(),
        }
    }

    /// The reference that a pickle carries.
    pub fn reference(&self) -> TokenReference {
        match self {
            Self::Live(credential) => TokenReference::of(credential),
            Self::Detached { reference, .. } => reference.clone(),
        }
    }

    /// The token in masked form.
    pub fn mask(&self) -> String {
        match self {
            Self::Live(credential) => credential.token.mask(),
            Self::Detached { reference, .. } => reference.mask.clone(),
        }
    }
}

/// Looks up a token in the quick sources. Skips every source that could be slow or show a dialog.
fn restore(
    py: Python<'_>,
    process: &ProcessState,
    reference: &TokenReference,
) -> PyResult<Arc<Credential>> {
    let inputs = inputs(py)?;
    let credential = py
        .detach(|| process.resolver.restore(reference, &inputs))
        .map_err(to_python)?;
    live_tokens::register(&credential);
    Ok(credential)
}
