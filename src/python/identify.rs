//! `identify` and `cached_identity`: whose a caller's token is, for servers.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::arguments::{Seconds, options, parse_endpoint, warn_of_insecure};
use super::environment::PythonEnvironment;
use super::error::to_python;
use super::identity::PyIdentity;
use super::secret_value::unwrapped;
use super::text;
use super::token::PyHubToken;
use super::whoami::ask;
use crate::credential::Credential;
use crate::error::Error;
use crate::identity::{Options, Settings, caller_token};
use crate::process_state::{self, ProcessState};
use crate::resolve::ambient_endpoint;

/// Identifies the owner of a token that a caller has sent: for servers.
///
/// Like `whoami`, but for tokens of other users. A blank or missing token is an error, and no other
/// token is used in its place. A value without the prefix of a Hub token is not sent. A stale
/// answer admits no caller unless `max_stale` allows it. Answers are cached in this process's
/// memory, within bounds, and never written to disk.
///
/// A call takes about a microsecond if the answer is cached, and a request to the Hub if it is not.
/// To keep an event loop from waiting for the Hub, call `cached_identity` first, and then
/// `await asyncio.to_thread(hubtoken.identify, token)`. Under gevent, if the program lets it patch
/// the standard library, only the greenlet that calls this waits.
///
/// Args:
///     token: The token, without the word `Bearer`; `None` for a caller that has sent none.
///     endpoint: The Hub that it is for; `HF_ENDPOINT`, or `https://huggingface.co`, by default.
///     max_age: The maximum age of a cached answer, in seconds; 0 always sends a request. By
///         default 300, and 10 for the answer that the Hub rejects the token.
///     max_stale: The maximum age of an answer if the Hub is unavailable, in seconds; 0 by default.
///     timeout: As for `whoami`.
///
/// Returns:
///     The identity.
///
/// Raises:
///     hubtoken.errors.TokenFormatError: There is no token, or the value is not one of the Hub, such
///         as a whole `Authorization` header. Respond with status 401.
///     hubtoken.errors.InvalidTokenError: The Hub rejects the token. Respond with status 401.
///     hubtoken.errors.VerdictUnknownError: The Hub gave no answer. Respond with status 503.
///     hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens, or is not that
///         of the given `HubToken`.
///     hubtoken.errors.TokenNotFoundError: The given `HubToken` was unpickled without its value.
///     ValueError: `max_age`, `max_stale` or `timeout` is not a number of seconds in range.
///     TypeError: The token is neither text, a `HubToken` nor `None`.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="read")
///     ...     header = f"Bearer {token.reveal()}"
///     ...     hubtoken.identify(header.removeprefix("Bearer "), endpoint=hub.endpoint).user
///     'alice'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | SecretValue | None",
    *,
    endpoint: "str | None" = None,
    max_age: "float | None" = None,
    max_stale: "float | None" = None,
    timeout: "float | None" = None,
) -> "Identity")]
pub fn identify(
    py: Python<'_>,
    token: &Bound<'_, PyAny>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    max_age: Option<Seconds>,
    max_stale: Option<Seconds>,
    timeout: Option<Seconds>,
) -> PyResult<PyIdentity> {
    let options = options(Options::for_callers(), max_age, max_stale, timeout)?;
    let process = process_state::current();
    let credential = credential(py, &process, token, endpoint)?;
    if let Some(known) = known(&process, &credential, &options)? {
        return Ok(known);
    }
    let settings = Settings::read(&PythonEnvironment::current(py)?).unshared();
    ask(py, &process, &credential, &settings, &options).map(PyIdentity)
}

/// Returns the cached identity behind a token that a caller has sent: for event loops.
///
/// It sends no request and never waits; `identify` sends one.
///
/// Args:
///     token: As for `identify`.
///     endpoint: As for `identify`.
///     max_age: As for `identify`.
///
/// Returns:
///     The identity; `None` if none is cached.
///
/// Raises:
///     hubtoken.errors.HubTokenError: As for `identify`.
///     ValueError: As for `identify`.
///     TypeError: As for `identify`.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.cached_identity("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX") is None
///     True
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | SecretValue | None",
    *,
    endpoint: "str | None" = None,
    max_age: "float | None" = None,
) -> "Identity | None")]
pub fn cached_identity(
    py: Python<'_>,
    token: &Bound<'_, PyAny>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    max_age: Option<Seconds>,
) -> PyResult<Option<PyIdentity>> {
    let options = options(Options::for_callers(), max_age, None, None)?;
    let process = process_state::current();
    let credential = credential(py, &process, token, endpoint)?;
    known(&process, &credential, &options)
}

/// The cached answer for a token; a cached rejection is an error.
fn known(
    process: &ProcessState,
    credential: &Arc<Credential>,
    options: &Options,
) -> PyResult<Option<PyIdentity>> {
    process
        .client
        .cached_answer(credential, options)
        .transpose()
        .map(|known| known.map(PyIdentity))
        .map_err(|failure| to_python(failure.into_error(credential)))
}

/// The credential for a caller's token.
pub fn credential(
    py: Python<'_>,
    process: &ProcessState,
    token: &Bound<'_, PyAny>,
    endpoint: Option<&str>,
) -> PyResult<Arc<Credential>> {
    let token = unwrapped::<PyHubToken>(token)?;
    if let Ok(token) = token.cast::<PyHubToken>() {
        let credential = token.get().credential_in(py, process)?;
        credential
            .check_endpoint(parse_endpoint(endpoint)?.as_ref())
            .map_err(to_python)?;
        return Ok(credential);
    }
    if token.is_none() {
        // Of a request without a header: a server answers it as it answers a blank token.
        return Err(to_python(Error::TokenFormat(
            "the caller has sent no token".to_owned(),
        )));
    }
    let Ok(value) = token.cast::<PyString>() else {
        // The type's name, never the value.
        return Err(PyTypeError::new_err(format!(
            "token= takes a str, a HubToken, an object with get_secret_value() or None, not {}",
            token.get_type().name()?
        )));
    };
    let endpoint = match parse_endpoint(endpoint)? {
        Some(endpoint) => endpoint,
        None => ambient_endpoint(&PythonEnvironment::current(py)?).map_err(to_python)?,
    };
    let value = text::token(value, "the caller's token")?;
    let credential = caller_token::read(value, endpoint).map_err(to_python)?;
    warn_of_insecure(py, process, &credential.endpoint)?;
    Ok(credential)
}
