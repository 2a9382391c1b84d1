//! What a `HubToken` holds: a token, or the reference that a pickle carried in its place.
//!
//! Unpickling does no I/O and never fails for want of the token, since an exception there hangs a
//! pool of processes. So a token that is not alive in this process is looked for in the quick
//! sources when it is first used. One pickle alone carries the value: that which `multiprocessing`
//! writes into the pipe of a process that it is starting.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;

use super::arguments::inputs;
use super::error::to_python;
use crate::credential::Credential;
use crate::live;
use crate::process;
use crate::token_reference::Reference;

/// A token, or where to find it.
pub enum Held {
    /// The token.
    Live(Arc<Credential>),
    /// Unpickled where the token was not alive; looked for at first use.
    Detached {
        /// What the pickle carried.
        reference: Reference,
        /// What was found.
        found: OnceLock<Arc<Credential>>,
    },
}

impl Held {
    /// The credential; for an unpickled token this is its first use.
    pub fn credential(&self, py: Python<'_>) -> PyResult<Arc<Credential>> {
        match self {
            Self::Live(credential) => Ok(credential.clone()),
            Self::Detached { reference, found } => {
                if let Some(credential) = found.get() {
                    return Ok(credential.clone());
                }
                let credential = match live::find(reference) {
                    Some(credential) => credential,
                    None => revive(py, reference)?,
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

    /// What a pickle carries.
    pub fn reference(&self) -> Reference {
        match self {
            Self::Live(credential) => Reference::of(credential),
            Self::Detached { reference, .. } => reference.clone(),
        }
    }

    /// The token as it may be shown.
    pub fn mask(&self) -> String {
        match self {
            Self::Live(credential) => credential.token.mask(),
            Self::Detached { reference, .. } => reference.mask.clone(),
        }
    }
}

/// Looks for a token in the quick sources. Asks nothing that could take long or show a dialogue.
fn revive(py: Python<'_>, reference: &Reference) -> PyResult<Arc<Credential>> {
    let process = process::current();
    let inputs = inputs();
    let credential = py
        .detach(|| process.resolver.revive(reference, &inputs))
        .map_err(to_python)?;
    live::register(&credential);
    Ok(credential)
}
