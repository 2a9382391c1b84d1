//! `HubToken("hf_…")`: creates a token from text, for converters.
//!
//! Converters call their type with a text and show that text if the call fails: `argparse` and
//! click print the value of a `ValueError` or a `TypeError`. A bad value therefore raises
//! `TokenFormatError`, which is neither. `argparse` would treat that as an error of the program,
//! with a traceback instead of a usage line; it has its own exception for bad values, whose message
//! it prints unchanged.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::arguments::parse_endpoint;
use super::chain;
use super::error::to_python;
use super::identity::needed;
use super::text;
use crate::credential::Credential;
use crate::error::Error;
use crate::process_state;
use crate::resolve::{Argument, Request};
use crate::token::Token;

/// The library that has its own exception for a bad value.
const ARGPARSE: &str = "argparse";

/// The credential for a text that no object hides any more.
pub fn credential(token: &Bound<'_, PyAny>, endpoint: Option<&str>) -> PyResult<Arc<Credential>> {
    let Ok(text) = token.cast::<PyString>() else {
        // The type's name, never the value.
        return Err(PyTypeError::new_err(format!(
            "HubToken() takes a str, a HubToken or an object with get_secret_value(), not {}",
            token.get_type().name()?
        )));
    };
    let text = text::token(text, "the token= argument")?;
    if matches!(Token::parse(text), Ok(None)) {
        // The chain's advice is for functions that take nothing as well, and False.
        return Err(to_python(Error::TokenFormat(
            "the token is blank. HubToken() takes the text of one; hubtoken.resolve_token() finds \
             the environment's"
                .to_owned(),
        )));
    }
    let request = Request {
        argument: Argument::Value(text),
        endpoint: parse_endpoint(endpoint)?,
        profile: None,
    };
    needed(chain::resolve(
        token.py(),
        &process_state::current(),
        &request,
    )?)
}

/// The error in a form that the caller shows without the value.
pub fn for_caller(py: Python<'_>, error: PyErr) -> PyErr {
    if error.is_instance_of::<PyTypeError>(py) || !is_argparse(py).unwrap_or_default() {
        return error;
    }
    let own = py
        .import(ARGPARSE)
        .and_then(|argparse| argparse.getattr("ArgumentTypeError"))
        .and_then(|class| class.call1((error.value(py).str()?,)));
    own.map_or(error, PyErr::from_value)
}

/// Whether the calling frame belongs to `argparse`.
fn is_argparse(py: Python<'_>) -> PyResult<bool> {
    let frame = py.import("sys")?.getattr("_getframe")?.call0()?;
    let name = frame.getattr("f_globals")?.get_item("__name__")?;
    Ok(name.extract::<String>()? == ARGPARSE)
}
