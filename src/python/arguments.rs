//! What the functions of the module have in common: how they read arguments and the environment,
//! and how they warn.

use std::ffi::CString;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::error::to_python;
use crate::endpoint::Endpoint;
use crate::env::ProcessEnvironment;
use crate::error::Error;
use crate::identity::Options;
use crate::resolve::Inputs;

/// The environment, read while attached.
pub fn inputs() -> Inputs<'static> {
    Inputs::read(&ProcessEnvironment, std::env::current_dir().ok())
}

/// An endpoint argument.
pub fn parse_endpoint(endpoint: Option<&str>) -> PyResult<Option<Endpoint>> {
    endpoint
        .map(|text| Endpoint::parse(text).map_err(|error| error.context("endpoint=")))
        .transpose()
        .map_err(to_python)
}

/// The text of a `token=` argument.
pub fn token_text<'a>(text: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    text.to_str().map_err(|_| {
        to_python(Error::TokenFormat(
            "the token= argument is not text that could be sent".to_owned(),
        ))
    })
}

/// Lifetimes in seconds, as Python gives them; `defaults` for what it does not give.
pub fn options(
    defaults: Options,
    max_age: Option<f64>,
    max_stale: Option<f64>,
    timeout: Option<f64>,
) -> PyResult<Options> {
    let seconds = |name: &str, value: Option<f64>| {
        value
            .map(|value| {
                Duration::try_from_secs_f64(value).map_err(|_| {
                    PyValueError::new_err(format!("{name} is a number of seconds, zero or more"))
                })
            })
            .transpose()
    };
    if timeout == Some(0.0) {
        return Err(PyValueError::new_err(
            "timeout is a positive number of seconds",
        ));
    }
    Ok(Options {
        max_age: seconds("max_age", max_age)?.or(defaults.max_age),
        max_stale: seconds("max_stale", max_stale)?.unwrap_or(defaults.max_stale),
        timeout: seconds("timeout", timeout)?.unwrap_or(defaults.timeout),
        ..defaults
    })
}

/// Emits a warning at the caller.
pub fn warn(py: Python<'_>, category: &Bound<'_, PyAny>, text: &str) -> PyResult<()> {
    warn_at(py, category, text, 1)
}

/// Emits a warning at the caller, or `level - 1` frames above.
///
/// The line of source there is not shown, since it may hold a token: `HubTokenWarning` sees to
/// that, where Python's module `warnings` shows it. If nobody has imported that, the interpreter
/// would show the line by itself.
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
