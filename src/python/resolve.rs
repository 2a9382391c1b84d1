//! `resolve_token`, `explain` and `reload`.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

use super::error::{classes, to_python};
use super::outside::Surroundings;
use super::token::PyHubToken;
use super::trace::PyTrace;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env::ProcessEnvironment;
use crate::error::Error;
use crate::live;
use crate::process;
use crate::resolve::{Argument, Inputs, Recall, Request};
use crate::trace::Trace;

/// Finds the token to use.
///
/// Sources are asked in order: the argument, `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, what a
/// configuration file names (a stored token, a command, a token file), the active token file of
/// `huggingface_hub`, and in a Colab or Kaggle notebook its secret `HF_TOKEN`. Files are read again
/// when they change. A command's token is used for five minutes, or until a minute before the end
/// that it told; a notebook is asked once, and waited for during 60 seconds
/// (`HUBTOKEN_SOURCE_TIMEOUT`). The Hub is not asked.
///
/// Args:
///     token: A token as text or as `HubToken`; `True` for the environment's; `False` for none;
///         `None` for the environment's unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
///     endpoint: The Hub that the token is for, such as `https://huggingface.co`.
///     profile: The name of a stored token, which is then the only source.
///     required: Whether absence is an error. Broken sources that were asked for by name are
///         errors in any case.
///
/// Returns:
///     The token; `None` for `token=False`, or when there is none and it is not required.
///
/// Raises:
///     hubtoken.errors.TokenNotFoundError: No source has a token; the message lists them.
///     hubtoken.errors.TokenFormatError: The argument is blank, a mask or a placeholder.
///     hubtoken.errors.UntrustedEndpointError: The token belongs to another Hub.
///     hubtoken.errors.ConfigurationError: A configuration file is broken or says what it may not.
///     hubtoken.errors.StoreError: The stored tokens cannot be read.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.resolve_token(" hf_FakeFakeFakeFakeFakeFakeFakeFakeXX ").kind
///     'user-access'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | bool | None" = None,
    *,
    endpoint: "str | None" = None,
    profile: "str | None" = None,
    required: "bool" = true,
) -> "HubToken | None")]
pub fn resolve_token(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
    profile: Option<&str>,
    required: bool,
) -> PyResult<Option<PyHubToken>> {
    match find(py, token, endpoint, profile)? {
        Ok(found) => Ok(found.map(PyHubToken::from)),
        // Absence is what the caller allowed; a broken source is still to be heard of.
        Err(Error::TokenNotFound { trace, .. }) if !required && profile.is_none() => {
            warn_of(py, &trace)?;
            Ok(None)
        }
        Err(error) => Err(to_python(error)),
    }
}

/// Tells which token is used, and what every other source says.
///
/// Args:
///     token: As for `resolve_token`.
///     endpoint: As for `resolve_token`.
///     profile: As for `resolve_token`.
///
/// Returns:
///     The trace, also when there is no token.
///
/// Raises:
///     hubtoken.errors.HubTokenError: As for `resolve_token`, but for a missing token.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX").source
///     'argument'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | bool | None" = None,
    *,
    endpoint: "str | None" = None,
    profile: "str | None" = None,
) -> "Trace")]
pub fn explain(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
    profile: Option<&str>,
) -> PyResult<PyTrace> {
    let process = process::current();
    let outside = Surroundings::default();
    let inputs = inputs().with_outside(&outside);
    let request = Request {
        argument: argument(py, token)?,
        endpoint: parse_endpoint(endpoint)?,
        profile,
    };
    py.detach(|| process.resolver.explain(&request, &inputs))
        .map(PyTrace)
        .map_err(|error| outside.to_python(error))
}

/// Forgets what was found, so that the next call looks again.
///
/// Files are noticed when they change, a configuration within a second. This is for the rest: a
/// secret of a notebook that was granted or changed meanwhile, a command that would hand out
/// another token by now.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.reload()
#[pyfunction]
pub fn reload() {
    let process = process::current();
    process.resolver.reload();
    process.client.reconnect();
}

/// Asks the chain for the wrappers.
pub fn resolve(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
    profile: Option<&str>,
) -> PyResult<Option<Arc<Credential>>> {
    find(py, token, endpoint, profile)?.map_err(to_python)
}

/// The outer error is Python's, the inner one the chain's.
fn find(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
    profile: Option<&str>,
) -> PyResult<Result<Option<Arc<Credential>>, Error>> {
    let process = process::current();
    if token.is_none() && endpoint.is_none() && profile.is_none() {
        match process.resolver.recall(&ProcessEnvironment) {
            Recall::Ready(credential) => return Ok(Ok(Some(credential))),
            Recall::Check(credential) => {
                if py.detach(|| process.resolver.verify(&credential)) {
                    return Ok(Ok(Some(credential)));
                }
            }
            Recall::Nothing => {}
        }
    }
    let outside = Surroundings::default();
    let inputs = inputs().with_outside(&outside);
    let request = Request {
        argument: argument(py, token)?,
        endpoint: parse_endpoint(endpoint)?,
        profile,
    };
    let resolve = || process.resolver.resolve(&request, &inputs);
    let outcome = if request.is_answered_by_its_argument() {
        // To let the interpreter go and take it back would cost more, above all among threads.
        resolve()
    } else {
        py.detach(resolve)
    };
    match outcome {
        Ok(resolution) => {
            warn_of(py, &resolution.trace)?;
            // While attached again: see `live`.
            resolution.credential.iter().for_each(live::register);
            Ok(Ok(resolution.credential))
        }
        Err(error @ Error::Interrupted) => Err(outside.to_python(error)),
        Err(error) => Ok(Err(error)),
    }
}

/// Warns of the sources in a trace that are broken or refuse, of each once.
fn warn_of(py: Python<'_>, trace: &Trace) -> PyResult<()> {
    for warning in process::current().resolver.warnings(trace) {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), &warning)?;
    }
    Ok(())
}

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

/// A `token=` argument.
pub fn argument<'a>(py: Python<'_>, token: Option<&'a Bound<'_, PyAny>>) -> PyResult<Argument<'a>> {
    let Some(token) = token else {
        return Ok(Argument::Ambient);
    };
    if let Ok(token) = token.cast::<PyHubToken>() {
        return Ok(Argument::Credential(token.get().credential(py)?));
    }
    if let Ok(flag) = token.cast::<PyBool>() {
        return Ok(if flag.is_true() {
            Argument::Required
        } else {
            Argument::Anonymous
        });
    }
    match token.cast::<PyString>() {
        Ok(text) => match text.to_str() {
            Ok(text) => Ok(Argument::Value(text)),
            Err(_) => Err(to_python(Error::TokenFormat(
                "the token= argument is not text that could be sent".to_owned(),
            ))),
        },
        // The type's name, never the value.
        Err(_) => Err(PyTypeError::new_err(format!(
            "token= takes a str, a HubToken, True, False or None, not {}",
            token.get_type().name()?
        ))),
    }
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
    let message = std::ffi::CString::new(text.replace('\0', " "))?;
    PyErr::warn(py, category, &message, level)
}
