//! Shared helpers of the module's functions: parsing arguments, reading the environment, and
//! emitting warnings.

use std::ffi::CString;
use std::time::Duration;

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use super::environment::PythonEnvironment;
use super::error::{classes, to_python};
use crate::endpoint::Endpoint;
use crate::identity::Options;
use crate::process_state::ProcessState;
use crate::resolve::{self, Inputs};

/// Whether a module is imported already. Such a module is then taken with `py.import`, which waits
/// until another thread has finished importing it.
pub fn is_imported(py: Python<'_>, name: &str) -> PyResult<bool> {
    py.import("sys")?.getattr("modules")?.contains(name)
}

/// The resolver's inputs, read while attached to the interpreter.
pub fn inputs(py: Python<'_>) -> PyResult<Inputs<'static>> {
    let environment = PythonEnvironment::current(py)?;
    Ok(Inputs::read(&environment, std::env::current_dir().ok()))
}

/// Parses an endpoint argument.
pub fn parse_endpoint(endpoint: Option<&str>) -> PyResult<Option<Endpoint>> {
    endpoint
        .map(|text| {
            let environment = Python::attach(PythonEnvironment::current)?;
            resolve::parse_endpoint(text, &environment)
                .map_err(|error| to_python(error.context("endpoint=")))
        })
        .transpose()
}

/// A number of seconds. One that no `float` can hold is infinite, and is rejected like infinity.
#[derive(Clone, Copy)]
pub struct Seconds(pub f64);

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match value.extract() {
            Err(error) if PyErr::is_instance_of::<PyOverflowError>(&error, value.py()) => {
                Ok(Self(f64::INFINITY))
            }
            number => number.map(Self),
        }
    }
}

/// Converts lifetimes in seconds; `defaults` applies to those that are not given.
pub fn options(
    defaults: Options,
    max_age: Option<Seconds>,
    max_stale: Option<Seconds>,
    timeout: Option<Seconds>,
) -> PyResult<Options> {
    let seconds = |name: &str, value: Option<Seconds>| {
        value
            .map(|Seconds(value)| {
                Duration::try_from_secs_f64(value).map_err(|_| {
                    PyValueError::new_err(format!("{name} must be a number of seconds, 0 or more"))
                })
            })
            .transpose()
    };
    if timeout.is_some_and(|Seconds(value)| value == 0.0) {
        return Err(PyValueError::new_err(
            "timeout must be a positive number of seconds",
        ));
    }
    Ok(Options {
        max_age: seconds("max_age", max_age)?.or(defaults.max_age),
        max_stale: seconds("max_stale", max_stale)?.unwrap_or(defaults.max_stale),
        timeout: seconds("timeout", timeout)?.unwrap_or(defaults.timeout),
        ..defaults
    })
}

/// Warns, once, about an endpoint that shows tokens to the network.
pub fn warn_of_insecure(
    py: Python<'_>,
    process: &ProcessState,
    endpoint: &Endpoint,
) -> PyResult<()> {
    match process.resolver.insecure_warning(endpoint) {
        Some(text) => warn(py, &py.get_type::<classes::HubTokenWarning>(), &text),
        None => Ok(()),
    }
}

/// Emits a warning attributed to the caller.
pub fn warn(py: Python<'_>, category: &Bound<'_, PyAny>, text: &str) -> PyResult<()> {
    warn_at(py, category, text, 1)
}

/// Emits a warning attributed to the caller, or to a frame `level - 1` above it.
///
/// The source line is not shown, since it may contain a token: `HubTokenWarning` hides it when
/// Python's module `warnings` shows the warning. That module is imported here, because without it
/// the interpreter would show the line itself.
pub fn warn_at(
    py: Python<'_>,
    category: &Bound<'_, PyAny>,
    text: &str,
    level: i32,
) -> PyResult<()> {
    py.import("warnings")?;
    let message = CString::new(text.replace('\0', " "))?;
    PyErr::warn(py, category, &message, level)
}
