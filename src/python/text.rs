//! Arguments that are text, for `#[pyo3(from_py_with = …)]`.
//!
//! A `str` can contain lone surrogates, which no request and no file can. For an argument with one,
//! PyO3 raises a `UnicodeEncodeError`, which describes the interpreter and contains the whole text.
//! It is a wrong word like any other, or an address that nothing can be sent to.

use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::error::to_python;
use crate::error::Error;

/// A word or a name, or a collection of them. With a lone surrogate it is a `ValueError`.
pub fn words<'a, 'py, T: FromPyObject<'a, 'py>>(value: &'a Bound<'py, PyAny>) -> PyResult<T> {
    extracted(value, || {
        Error::InvalidArgument(
            "the text contains a lone surrogate, which no request and no file can contain"
                .to_owned(),
        )
    })
}

/// An address. With a lone surrogate it is an `UntrustedEndpointError`.
pub fn address<'a, 'py, T: FromPyObject<'a, 'py>>(value: &'a Bound<'py, PyAny>) -> PyResult<T> {
    extracted(value, || {
        Error::UntrustedEndpoint(
            "the address contains a lone surrogate, which no request can contain: a token is sent \
             only to addresses in plain ASCII"
                .to_owned(),
        )
    })
}

/// The text of a token.
pub fn token<'a>(text: &'a Bound<'_, PyString>, what: &str) -> PyResult<&'a str> {
    text.to_str().map_err(|_| {
        to_python(Error::TokenFormat(format!(
            "{what} is not text that could be sent"
        )))
    })
}

fn extracted<'a, 'py, T: FromPyObject<'a, 'py>>(
    value: &'a Bound<'py, PyAny>,
    problem: fn() -> Error,
) -> PyResult<T> {
    value.extract().map_err(|error: T::Error| {
        let error: PyErr = error.into();
        if error.is_instance_of::<PyUnicodeEncodeError>(value.py()) {
            to_python(problem())
        } else {
            error
        }
    })
}
