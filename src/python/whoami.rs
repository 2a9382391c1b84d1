//! `whoami`, and the request for a token's identity.

use std::sync::Arc;

use pyo3::prelude::*;

use super::arguments::{Seconds, options, warn};
use super::environment::PythonEnvironment;
use super::error::classes;
use super::identity::{PyIdentity, needed};
use super::log;
use super::resolve::resolve;
use super::signals::Signals;
use super::text;
use super::token_argument::TokenArgument;
use crate::credential::Credential;
use crate::identity::model::Identity;
use crate::identity::{Options, Settings};
use crate::process_state::{self, ProcessState};
use crate::require::stale_warning;

/// Returns whose a token is, as the Hub reports it.
///
/// An answer is cached for 300 seconds, and a rejection for 2, doubling to 10 while it persists.
/// However many threads or processes of this machine call this at once, only one request is sent.
/// For the tokens of other users, see `identify`.
///
/// Args:
///     token: As for `resolve_token`.
///     endpoint: As for `resolve_token`.
///     profile: As for `resolve_token`.
///     max_age: The maximum age of a cached answer, in seconds; 0 always sends a request.
///     max_stale: The maximum age of an answer if the Hub is unavailable, in seconds; 24 hours by
///         default.
///     timeout: How long to wait for the Hub, in seconds, from the start of the call to its end,
///         also behind another caller's request; 10 by default.
///
/// Returns:
///     The identity.
///
/// Raises:
///     hubtoken.errors.InvalidTokenError: The Hub rejects the token.
///     hubtoken.errors.VerdictUnknownError: The Hub gave no answer, or an invalid one.
///     hubtoken.errors.TokenNotFoundError: There is no token, or none is stored under that name, or
///         `token=False` asks for none.
///     hubtoken.errors.TokenFormatError: The argument, or a source that was requested by name, is
///         blank, a mask or a placeholder; or the token looks like the key of another service, and
///         was not sent.
///     hubtoken.errors.UntrustedEndpointError: The token belongs to another Hub than `endpoint`, or
///         the endpoint must not receive tokens.
///     hubtoken.errors.ConfigurationError: A configuration file is broken or contains what it must
///         not, and no source above it has a token.
///     hubtoken.errors.StoreError: A source that was requested by name cannot be read.
///     hubtoken.errors.LoginError: The exchange that `HF_OIDC_RESOURCE` asks for was refused.
///     ValueError: `max_age`, `max_stale` or `timeout` is not a number of seconds in range; a token
///         and a profile are both given.
///     TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="write")
///     ...     hubtoken.whoami(token).role
///     'write'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | SecretValue | bool | None" = None,
    *,
    endpoint: "str | None" = None,
    profile: "str | None" = None,
    max_age: "float | None" = None,
    max_stale: "float | None" = None,
    timeout: "float | None" = None,
) -> "Identity")]
pub fn whoami(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    #[pyo3(from_py_with = text::words)] profile: Option<&str>,
    max_age: Option<Seconds>,
    max_stale: Option<Seconds>,
    timeout: Option<Seconds>,
) -> PyResult<PyIdentity> {
    let options = options(Options::default(), max_age, max_stale, timeout)?;
    let which = TokenArgument {
        token,
        endpoint,
        profile,
    };
    let process = process_state::current();
    let credential = match which.handed_over() {
        Some(token) => token.get().credential_in(py, &process)?,
        None => needed(resolve(py, &process, which)?)?,
    };
    if let Some(identity) = process.client.cached(&credential, &options) {
        return Ok(PyIdentity(identity));
    }
    ask(
        py,
        &process,
        &credential,
        &Settings::read(&PythonEnvironment::current(py)?),
        &options,
    )
    .map(PyIdentity)
}

/// Requests the identity, and warns if it is only a stale one from the cache.
pub fn ask(
    py: Python<'_>,
    process: &Arc<ProcessState>,
    credential: &Arc<Credential>,
    settings: &Settings,
    options: &Options,
) -> PyResult<Arc<Identity>> {
    let process = process.after_pid_check();
    let connection = process.client.connect(&credential.endpoint, settings);
    let signals = Arc::new(Signals::default());
    let options = options.begun(process.client.clock().now());
    let (asked, interrupt) = (Arc::clone(credential), Arc::clone(&signals));
    let known = log::detached(py, move || {
        process
            .client
            .identify(&asked, &connection, &options, &*interrupt)
    })?
    .map_err(|failure| signals.to_python(failure.into_error(credential)))?;
    if let Some(text) = stale_warning(credential, &known) {
        warn(py, &py.get_type::<classes::StaleIdentityWarning>(), &text)?;
    }
    Ok(known.identity)
}
