//! What a `HubToken` holds: a token, or the reference that a pickle carried in its place.
//!
//! Unpickling does no I/O and never fails for want of the token, since an exception there hangs a
//! pool of processes. So a token that is not alive in this process is looked for in the quick
//! sources when it is first used. One pickle alone carries the value: that which `multiprocessing`
//! writes into the pipe of a process that it is starting.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;

use super::error::to_python;
use super::resolve::inputs;
use super::token::PyHubToken;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::known_end::KnownEnd;
use crate::live;
use crate::process;
use crate::source::Source;
use crate::token::Token;
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

/// Makes a `HubToken` of what a pickle carried. Asks nobody and reads nothing.
///
/// Args:
///     source: The source's label.
///     profile: The name of the stored token, if it was one.
///     endpoint: The Hub.
///     fingerprint: The fingerprint.
///     mask: The mask.
///     value: The value, in the pickle for a process that was being started alone.
///     ends_at: When the value is known to end, in Unix milliseconds.
///
/// Returns:
///     The token if it came along or is alive in this process, else one that is looked for at first
///     use.
#[pyfunction]
#[pyo3(signature = (
    source: "str",
    profile: "str | None",
    endpoint: "str",
    fingerprint: "str",
    mask: "str",
    value: "str | None" = None,
    ends_at: "int | None" = None,
) -> "HubToken")]
pub fn restore(
    source: &str,
    profile: Option<&str>,
    endpoint: &str,
    fingerprint: String,
    mask: String,
    value: Option<&str>,
    ends_at: Option<u64>,
) -> PyResult<PyHubToken> {
    let reference = Reference {
        // A source of a later version cannot be asked again: as good as an argument.
        source: Source::parse(source, profile).unwrap_or(Source::Argument),
        endpoint: Endpoint::parse(endpoint)
            .map_err(|_| to_python(Error::InvalidArgument("the pickle is damaged".to_owned())))?,
        fingerprint,
        mask,
    };
    if let Some(credential) = live::find(&reference) {
        return Ok(credential.into());
    }
    let token = value
        .and_then(|value| Token::parse(value).ok().flatten())
        .filter(|token| token.digest().fingerprint() == reference.fingerprint);
    Ok(match token {
        Some(token) => {
            let credential = Arc::new(Credential {
                token,
                source: reference.source,
                endpoint: reference.endpoint,
                expires_at: ends_at.map_or(KnownEnd::UNKNOWN, KnownEnd::at_unix_milliseconds),
            });
            live::register(&credential);
            credential.into()
        }
        None => Held::Detached {
            reference,
            found: OnceLock::new(),
        }
        .into(),
    })
}
