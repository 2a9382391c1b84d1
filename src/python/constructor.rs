//! `HubToken("hf_…")`: a token of a text, for converters.
//!
//! Converters call their type with a text and show the text when that fails: `argparse` and click
//! print the value of a `ValueError` or a `TypeError`. So a bad value raises `TokenFormatError`, which
//! is neither. To `argparse` that would be an error of the program, with a traceback instead of its
//! own line on usage; it has an exception of its own for a bad value, whose message it prints as
//! it is.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::error::to_python;
use super::identity::needed;
use super::resolve::{parse_endpoint, resolve};
use super::token::PyHubToken;

/// The library that has an exception of its own for a bad value.
const ARGPARSE: &str = "argparse";

/// Makes a token of a text; a `HubToken` stays the same object.
pub fn construct<'py>(
    token: &Bound<'py, PyAny>,
    endpoint: Option<&str>,
) -> PyResult<Bound<'py, PyHubToken>> {
    make(token, endpoint).map_err(|error| for_caller(token.py(), error))
}

fn make<'py>(
    token: &Bound<'py, PyAny>,
    endpoint: Option<&str>,
) -> PyResult<Bound<'py, PyHubToken>> {
    let py = token.py();
    if let Ok(token) = token.cast::<PyHubToken>() {
        if endpoint.is_some() {
            token
                .get()
                .credential(py)?
                .check_endpoint(parse_endpoint(endpoint)?.as_ref())
                .map_err(to_python)?;
        }
        return Ok(token.clone());
    }
    if !token.is_instance_of::<PyString>() {
        // The type's name, never the value.
        return Err(PyTypeError::new_err(format!(
            "HubToken() takes a str or a HubToken, not {}",
            token.get_type().name()?
        )));
    }
    let credential = needed(resolve(py, Some(token), endpoint, None)?)?;
    Bound::new(py, PyHubToken::from(credential))
}

/// The error as the caller shows it without the value.
fn for_caller(py: Python<'_>, error: PyErr) -> PyErr {
    if error.is_instance_of::<PyTypeError>(py) || !is_argparse(py).unwrap_or_default() {
        return error;
    }
    let own = py
        .import(ARGPARSE)
        .and_then(|argparse| argparse.getattr("ArgumentTypeError"))
        .and_then(|class| class.call1((error.value(py).str()?,)));
    own.map_or(error, PyErr::from_value)
}

/// Whether the frame that calls is one of `argparse`.
fn is_argparse(py: Python<'_>) -> PyResult<bool> {
    let frame = py.import("sys")?.getattr("_getframe")?.call0()?;
    let name = frame.getattr("f_globals")?.get_item("__name__")?;
    Ok(name.extract::<String>()? == ARGPARSE)
}
