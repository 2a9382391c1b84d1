//! `resolve_token`, `get_token`, `explain` and `clear_cache`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::chain::{self, ChainError, warn_of};
use super::environment::PythonEnvironment;
use super::renewal;
use super::secret_value::unwrapped;
use super::text;
use super::token::{PyHubToken, revealed};
use super::token_argument::TokenArgument;
use super::trace::PyTrace;
use crate::credential::Credential;
use crate::error::Error;
use crate::process_state::{self, ProcessState};
use crate::resolve::{Cached, Resolver};

/// Finds the token to use.
///
/// Sources are tried in order: the argument, an OIDC exchange if `HF_OIDC_RESOURCE` asks for one,
/// `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the source that
/// a configuration file names (a stored token, a command, a token file), the active token file of
/// `huggingface_hub`, and in a Colab or Kaggle notebook its secret `HF_TOKEN`. Files are read again
/// when they change. A command's token is reused for five minutes, or until a minute before the
/// expiry that it reported; a notebook is asked once, for at most 60 seconds
/// (`HUBTOKEN_SOURCE_TIMEOUT`). Only an exchange sends requests; its token is reused until five
/// minutes before its end. The OAuth token of a login is renewed when it is used, if its end is near.
///
/// Args:
///     token: A token as text, as `HubToken`, or as an object with `get_secret_value()`, such as
///         pydantic's `SecretStr`; `True` for the environment's; `False` for none; `None` for the
///         environment's unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
///     endpoint: The Hub that the token is for, such as `https://huggingface.co`.
///     profile: The name of a stored token, which is then the only source.
///     required: Whether a missing token is an error. Broken sources that were requested by name
///         are errors in any case.
///
/// Returns:
///     The token; `None` for `token=False`, or if there is none and it is not required.
///
/// Raises:
///     hubtoken.errors.TokenNotFoundError: No source has a token; the message lists them. Or no
///         stored token has the name `profile`.
///     hubtoken.errors.TokenFormatError: The argument, or a source that was requested by name, is
///         blank, a mask or a placeholder.
///     hubtoken.errors.UntrustedEndpointError: The token belongs to another Hub than `endpoint`, or
///         an endpoint must not receive tokens.
///     hubtoken.errors.ConfigurationError: A configuration file is broken or contains what it must
///         not, and no source above it has a token; if one has, that is a `HubTokenWarning`.
///     hubtoken.errors.StoreError: A source that was requested by name cannot be read.
///     hubtoken.errors.LoginError: The exchange that `HF_OIDC_RESOURCE` asks for was refused.
///     hubtoken.errors.VerdictUnknownError: It had no answer.
///     ValueError: A token and a profile are both given.
///     TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.resolve_token(" hf_FakeFakeFakeFakeFakeFakeFakeFakeXX ").kind
///     'user-access'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | SecretValue | bool | None" = None,
    *,
    endpoint: "str | None" = None,
    profile: "str | None" = None,
    required: "bool" = true,
) -> "HubToken | None")]
pub fn resolve_token(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    #[pyo3(from_py_with = text::words)] profile: Option<&str>,
    required: bool,
) -> PyResult<Option<PyHubToken>> {
    let which = TokenArgument {
        token,
        endpoint,
        profile,
    };
    let process = process_state::current();
    match found(py, &process, which) {
        // The caller accepts a missing token, but a broken source must still be reported.
        Err(ChainError::Core(Error::TokenNotFound { trace, .. }))
            if !required && profile.is_none() =>
        {
            warn_of(py, &process, &trace)?;
            Ok(None)
        }
        found => Ok(found?.map(PyHubToken::from)),
    }
}

/// Finds the token to use, as a `str`: `huggingface_hub.get_token()` under its own name.
///
/// It returns the value of what `resolve_token(required=False)` finds. Prefer `resolve_token()`: a
/// `HubToken` is masked wherever it is shown and sent to its own Hub only, while a `str` shows the
/// value when it is printed or formatted, and goes wherever it is sent.
///
/// Returns:
///     The value, as a `str` whose `repr` is masked; `None` if there is no token.
///
/// Raises:
///     hubtoken.errors.ConfigurationError: As for `resolve_token`.
///     hubtoken.errors.StoreError: As for `resolve_token`.
///     hubtoken.errors.TokenFormatError: As for `resolve_token`.
///     hubtoken.errors.LoginError: As for `resolve_token`.
///     hubtoken.errors.VerdictUnknownError: As for `resolve_token`.
///     hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.get_token() is None
///     True
#[pyfunction]
#[pyo3(signature = () -> "str | None")]
pub fn get_token(py: Python<'_>) -> PyResult<Option<Bound<'_, PyString>>> {
    match resolve_token(py, None, None, None, false)? {
        Some(token) => revealed(py, token.credential(py)?.token.expose()).map(Some),
        None => Ok(None),
    }
}

/// Returns which token is used, and the status of every other source.
///
/// Args:
///     token: As for `resolve_token`.
///     endpoint: As for `resolve_token`.
///     profile: As for `resolve_token`.
///
/// Returns:
///     The trace, even if there is no token.
///
/// Raises:
///     hubtoken.errors.HubTokenError: As for `resolve_token`, except for a missing token.
///     ValueError: As for `resolve_token`.
///     TypeError: As for `resolve_token`.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX").source
///     'argument'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | SecretValue | bool | None" = None,
    *,
    endpoint: "str | None" = None,
    profile: "str | None" = None,
) -> "Trace")]
pub fn explain(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    #[pyo3(from_py_with = text::words)] profile: Option<&str>,
) -> PyResult<PyTrace> {
    let process = process_state::current();
    let token = token.map(unwrapped::<PyHubToken>).transpose()?;
    let request = TokenArgument {
        token: token.as_ref(),
        endpoint,
        profile,
    }
    .request(py, &process)?;
    let (host, trace) = chain::ask(py, &process, &request, Resolver::explain)?;
    trace.map(PyTrace).map_err(|error| host.to_python(error))
}

/// Clears what this process has cached, so that the next call starts over.
///
/// This drops the resolved token with the configuration files and the output of commands and
/// notebooks that led to it, this process's identities and decisions, failed renewals, and its
/// connections to the Hub. What the processes of this machine share on disk stays: `whoami()` may return an identity
/// from there, while `whoami(max_age=0)` asks the Hub. A rate limit set by the Hub stays as well.
///
/// Changes to files are noticed, changes to a configuration within a second. This is for the rest:
/// a notebook secret that was granted or changed in the meantime, or a command that would return
/// another token by now.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="read")
///     ...     hubtoken.identify(token).user
///     ...     hubtoken.clear_cache()
///     ...     hubtoken.cached_identity(token) is None
///     'alice'
///     True
#[pyfunction]
#[pyo3(signature = () -> "None")]
pub fn clear_cache() {
    let process = process_state::current();
    process.resolver.clear_cache();
    process.client.reconnect();
    process.client.clear();
}

/// Resolves a token that is about to be used. That of an OAuth login is renewed if that is due.
pub fn resolve(
    py: Python<'_>,
    process: &ProcessState,
    which: TokenArgument<'_, '_>,
) -> Result<Option<Arc<Credential>>, ChainError> {
    let Some(credential) = found(py, process, which)? else {
        return Ok(None);
    };
    Ok(Some(renewal::current(py, process, credential)?))
}

/// Resolves a token for the wrappers: from the cache if nothing is given, else through the chain.
fn found(
    py: Python<'_>,
    process: &ProcessState,
    which: TokenArgument<'_, '_>,
) -> Result<Option<Arc<Credential>>, ChainError> {
    if which.is_ambient() {
        match process.resolver.cached(&PythonEnvironment::current(py)?) {
            Cached::Hit(credential) => return Ok(Some(credential)),
            Cached::Revalidate(credential) => {
                if py.detach(|| process.resolver.revalidate(&credential)) {
                    return Ok(Some(credential));
                }
            }
            Cached::Miss => {}
        }
    }
    let token = which.token.map(unwrapped::<PyHubToken>).transpose()?;
    let which = TokenArgument {
        token: token.as_ref(),
        ..which
    };
    chain::resolve(py, process, &which.request(py, process)?)
}
