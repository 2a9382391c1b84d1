//! Asks the chain of sources for a token, and warns of the sources that it passed over.

use std::sync::Arc;

use pyo3::prelude::*;

use super::arguments::{inputs, warn};
use super::error::{classes, to_python};
use super::outside::Surroundings;
use crate::credential::Credential;
use crate::error::Error;
use crate::live;
use crate::process::Process;
use crate::resolve::Request;
use crate::trace::Trace;

/// Asks the chain for a token.
pub fn resolve(
    py: Python<'_>,
    process: &Process,
    request: &Request<'_>,
) -> PyResult<Option<Arc<Credential>>> {
    find(py, process, request)?.map_err(to_python)
}

/// The same. The outer error is Python's, the inner one the chain's.
pub fn find(
    py: Python<'_>,
    process: &Process,
    request: &Request<'_>,
) -> PyResult<Result<Option<Arc<Credential>>, Error>> {
    let outside = Surroundings::default();
    let inputs = inputs().with_outside(&outside);
    let resolve = || process.resolver.resolve(request, &inputs);
    let outcome = if request.is_answered_by_its_argument() {
        // To let the interpreter go and take it back would cost more, above all among threads.
        resolve()
    } else {
        py.detach(resolve)
    };
    match outcome {
        Ok(resolution) => {
            warn_of(py, process, &resolution.trace)?;
            // While attached again: see `live`.
            resolution.credential.iter().for_each(live::register);
            Ok(Ok(resolution.credential))
        }
        Err(error @ Error::Interrupted) => Err(outside.to_python(error)),
        Err(error) => Ok(Err(error)),
    }
}

/// Warns of the sources in a trace that are broken or refuse, of each once.
pub fn warn_of(py: Python<'_>, process: &Process, trace: &Trace) -> PyResult<()> {
    for warning in process.resolver.warnings(trace) {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), &warning)?;
    }
    Ok(())
}
