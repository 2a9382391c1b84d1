//! Resolves a token through the chain of sources, and warns about the sources that were passed
//! over.

use std::sync::Arc;

use pyo3::prelude::*;

use super::arguments::{inputs, warn};
use super::error::{classes, to_python};
use super::host::PythonHost;
use crate::credential::Credential;
use crate::error::Error;
use crate::live_tokens;
use crate::process_state::ProcessState;
use crate::resolve::Request;
use crate::trace::Trace;

/// Why no token was found.
pub enum ChainError {
    /// The chain's own reason.
    Core(Error),
    /// An exception: a warning that is an error, or what a signal handler raised.
    Python(PyErr),
}

impl From<PyErr> for ChainError {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<ChainError> for PyErr {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Core(error) => to_python(error),
            ChainError::Python(error) => error,
        }
    }
}

/// Resolves a token.
pub fn resolve(
    py: Python<'_>,
    process: &ProcessState,
    request: &Request<'_>,
) -> Result<Option<Arc<Credential>>, ChainError> {
    let host = PythonHost::new(process);
    let inputs = inputs().with_host(&host);
    let resolve = || process.resolver.resolve(request, &inputs);
    let outcome = if request.is_answered_by_its_argument() {
        // Releasing and reacquiring the interpreter would cost more, especially with many threads.
        resolve()
    } else {
        py.detach(resolve)
    };
    match outcome {
        Ok(resolution) => {
            warn_of(py, process, &resolution.trace)?;
            // While attached again: see `live_tokens`.
            resolution.credential.iter().for_each(live_tokens::register);
            Ok(resolution.credential)
        }
        Err(error @ Error::Interrupted) => Err(host.to_python(error).into()),
        Err(error) => Err(ChainError::Core(error)),
    }
}

/// Warns about the sources in a trace that are broken or refuse access, once for each.
pub fn warn_of(py: Python<'_>, process: &ProcessState, trace: &Trace) -> PyResult<()> {
    for warning in process.resolver.warnings(trace) {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), &warning)?;
    }
    Ok(())
}
