//! Resolves a token through the chain of sources, and warns about the sources that were passed
//! over.

use std::sync::Arc;

use pyo3::prelude::*;

use super::arguments::{inputs, warn, warn_of_insecure};
use super::error::{classes, to_python};
use super::greenlets;
use super::host::PythonHost;
use crate::credential::Credential;
use crate::error::Error;
use crate::live_tokens;
use crate::process_state::{self, ProcessState};
use crate::resolve::{Argument, Inputs, Request, Resolver};
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
    let (host, outcome) = ask(py, process, request, Resolver::resolve)?;
    match outcome {
        Ok(resolution) => {
            warn_of(py, process, &resolution.trace)?;
            if let Some(credential) = &resolution.credential {
                warn_of_insecure(py, process, &credential.endpoint)?;
                // While attached again: see `live_tokens`.
                live_tokens::register(credential);
            }
            Ok(resolution.credential)
        }
        Err(error @ Error::Interrupted) => Err(host.to_python(error).into()),
        Err(error) => Err(ChainError::Core(error)),
    }
}

/// A question to the chain.
type Question<T> = fn(&Resolver, &Request<'_>, &Inputs<'_>) -> Result<T, Error>;

/// Asks the chain, detached from the interpreter if a source may be slow.
pub fn ask<T: Send + 'static>(
    py: Python<'_>,
    process: &ProcessState,
    request: &Request<'_>,
    question: Question<T>,
) -> PyResult<(Arc<PythonHost>, Result<T, Error>)> {
    let host = Arc::new(PythonHost::new(process));
    let inputs = inputs(py)?;
    // Only these reach a command, and they own what they ask for.
    let argument = match &request.argument {
        Argument::Ambient => Some(Argument::Ambient),
        Argument::Required => Some(Argument::Required),
        _ => None,
    };
    if let Some(argument) = argument
        && greenlets::pool(py)?.is_some()
    {
        let endpoint = request.endpoint.clone();
        let profile = request.profile.map(str::to_owned);
        let (process, own_host) = (process_state::current(), Arc::clone(&host));
        let outcome = greenlets::detached(py, move || {
            let request = Request {
                argument,
                endpoint,
                profile: profile.as_deref(),
            };
            question(&process.resolver, &request, &inputs.with_host(&*own_host))
        })?;
        return Ok((host, outcome));
    }
    let inputs = inputs.with_host(&*host);
    let answer = || question(&process.resolver, request, &inputs);
    let outcome = if request.is_answered_by_its_argument() {
        // Releasing and reacquiring the interpreter would cost more, especially with many threads.
        answer()
    } else {
        py.detach(answer)
    };
    Ok((host, outcome))
}

/// Warns about the sources in a trace that are broken or refuse access, once for each.
pub fn warn_of(py: Python<'_>, process: &ProcessState, trace: &Trace) -> PyResult<()> {
    for warning in process.resolver.warnings(trace) {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), &warning)?;
    }
    Ok(())
}
