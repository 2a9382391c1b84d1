//! `token=`, `endpoint=` and `profile=`: which token a call uses.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

use super::arguments::parse_endpoint;
use super::text;
use super::token::PyHubToken;
use crate::process_state::ProcessState;
use crate::resolve::{Argument, Request};

/// The three arguments as Python passes them.
#[derive(Clone, Copy)]
pub struct TokenArgument<'a, 'py> {
    /// `token=`.
    pub token: Option<&'a Bound<'py, PyAny>>,
    /// `endpoint=`.
    pub endpoint: Option<&'a str>,
    /// `profile=`.
    pub profile: Option<&'a str>,
}

impl<'a, 'py> TokenArgument<'a, 'py> {
    /// Whether nothing is given, so that the environment decides.
    pub fn is_ambient(&self) -> bool {
        self.token.is_none() && self.endpoint.is_none() && self.profile.is_none()
    }

    /// A `HubToken` that is used as it is, without the chain.
    pub fn handed_over(&self) -> Option<&'a Bound<'py, PyHubToken>> {
        self.token
            .filter(|_| self.endpoint.is_none() && self.profile.is_none())
            .and_then(|token| token.cast::<PyHubToken>().ok())
    }

    /// The request to the chain.
    pub fn request(&self, py: Python<'_>, process: &ProcessState) -> PyResult<Request<'a>> {
        Ok(Request {
            argument: argument(py, process, self.token)?,
            endpoint: parse_endpoint(self.endpoint)?,
            profile: self.profile,
        })
    }
}

/// Parses a `token=` argument.
pub fn argument<'a>(
    py: Python<'_>,
    process: &ProcessState,
    token: Option<&'a Bound<'_, PyAny>>,
) -> PyResult<Argument<'a>> {
    let Some(token) = token else {
        return Ok(Argument::Ambient);
    };
    if let Ok(token) = token.cast::<PyHubToken>() {
        return Ok(Argument::Credential(
            token.get().credential_in(py, process)?,
        ));
    }
    if let Ok(flag) = token.cast::<PyBool>() {
        return Ok(if flag.is_true() {
            Argument::Required
        } else {
            Argument::Anonymous
        });
    }
    match token.cast::<PyString>() {
        Ok(text) => text::token(text, "the token= argument").map(Argument::Value),
        // The type's name, never the value.
        Err(_) => Err(PyTypeError::new_err(format!(
            "token= takes a str, a HubToken, an object with get_secret_value(), True, False or None, \
             not {}",
            token.get_type().name()?
        ))),
    }
}
