//! `login`, `logout`, `switch_token`, `rename_token` and `stored_tokens`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::arguments::{parse_endpoint, warn, warn_of_insecure};
use super::error::{classes, to_python};
use super::log;
use super::login_token;
use super::signals::Signals;
use super::stored_token::PyStoredToken;
use crate::env::ProcessEnvironment;
use crate::identity::{Options, Settings};
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::login as checked;
use crate::paths::Paths;
use crate::process_state;
use crate::resolve::ambient_endpoint;
use crate::resolve::placed::shadow_warning;
use crate::store::token_store::TokenStore;
use crate::store::{Entry, name as stored_name};

/// Stores a token on this machine, after the Hub has identified it.
///
/// The token becomes the active one, which every library uses, unless it belongs to a Hub other
/// than `HF_ENDPOINT`: every library would send it to the wrong one. Warns if a variable such as
/// `HF_TOKEN` takes precedence over it.
///
/// Args:
///     token: The token; `None` prompts for it at the terminal, or in the notebook, without showing
///         it.
///     name: The name to store it under; `None` for the Hub's name.
///     endpoint: The Hub that the token belongs to; `None` for `HF_ENDPOINT`.
///
/// Returns:
///     The stored token.
///
/// Raises:
///     hubtoken.errors.TokenNotFoundError: There is no terminal to prompt for the token.
///     hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder, or looks like
///         the key of another service; or the name contains a token.
///     hubtoken.errors.InvalidTokenError: The Hub rejects the token.
///     hubtoken.errors.VerdictUnknownError: The Hub gave no answer (unavailable, a rate limit,
///         offline); nothing was stored.
///     hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens, or is not
///         that of the given `HubToken`.
///     hubtoken.errors.StoreError: The files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> try:
///     ...     hubtoken.login("hf_xxx")
///     ... except hubtoken.TokenFormatError as error:
///     ...     print("placeholder" in str(error))
///     True
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | SecretValue | None" = None,
    *,
    name: "str | None" = None,
    endpoint: "str | None" = None,
) -> "StoredToken")]
pub fn login(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    name: Option<&str>,
    endpoint: Option<&str>,
) -> PyResult<PyStoredToken> {
    if let Some(name) = name {
        stored_name::check(name).map_err(to_python)?;
    }
    let signals = Arc::new(Signals::default());
    // Fails before the prompt, if it does.
    token_store(&*signals)?;
    let process = process_state::current();
    let credential = login_token::given(py, &process, token, parse_endpoint(endpoint)?)?;
    let process = process.after_pid_check();
    let connection = process
        .client
        .connect(&credential.endpoint, &Settings::read(&ProcessEnvironment));
    let options = Options {
        max_age: Some(std::time::Duration::ZERO),
        max_stale: std::time::Duration::ZERO,
        ..Options::default()
    }
    .begun(process.client.clock().now());
    warn_of_insecure(py, &process, &credential.endpoint)?;
    let paths = Paths::new(&ProcessEnvironment);
    let ambient = ambient_endpoint(&ProcessEnvironment).map_err(to_python)?;
    let (given, interrupt) = (Arc::clone(&credential), Arc::clone(&signals));
    let name = name.map(str::to_owned);
    let (record, saved) = log::detached(py, move || {
        let identity = process
            .client
            .identify(&given, &connection, &options, &*interrupt)
            .map_err(|failure| failure.into_error(&given))?
            .identity;
        let record = checked::metadata(&identity);
        let is_named = name.is_some();
        let wanted = name.unwrap_or_else(|| checked::name(&identity));
        let token_store = TokenStore::new(&paths, ambient, &*interrupt)?;
        let saved = token_store.save(&wanted, &given.token, &record, is_named)?;
        Ok((record, saved))
    })?
    .map_err(|error| signals.to_python(error))?;
    warn_of(py, &saved.warnings)?;
    if saved.active {
        warn_of_shadow(py, "takes precedence over the active token", "")?;
    }
    // Not the entry as it is now listed: another process may have changed that already.
    let entry = Entry {
        token: login_token::parse(credential.token.expose()),
        name: saved.name,
        endpoint: record.endpoint,
        user: record.user,
        role: record.role,
        created_at: record.created_at,
        expires_at: saved.expires_at,
        active: saved.active,
    };
    PyStoredToken::new(entry).map_err(to_python)
}

/// Removes a stored token from this machine. It stays valid on the Hub.
///
/// A value that is also stored under another name stays the active token, if it is. Warns if a
/// variable such as `HF_TOKEN` is still used.
///
/// Args:
///     name: The stored token; `None` for all of them and the active one, as
///         `huggingface_hub.logout()` does.
///
/// Raises:
///     ValueError: There is no stored token of this name.
///     hubtoken.errors.StoreError: The files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.logout()
///     >>> hubtoken.stored_tokens()
///     []
#[pyfunction]
#[pyo3(signature = (name: "str | None" = None) -> "None")]
pub fn logout(py: Python<'_>, name: Option<&str>) -> PyResult<()> {
    let signals = Signals::default();
    let token_store = token_store(&signals)?;
    let removed = py
        .detach(|| match name {
            Some(name) => token_store.remove(name),
            None => token_store.remove_all(),
        })
        .map_err(|error| signals.to_python(error))?;
    let settings = Settings::read(&ProcessEnvironment);
    let process = process_state::current();
    for digest in &removed.tokens {
        process.client.invalidate_shared(&settings, *digest);
    }
    warn_of(py, &removed.warnings)?;
    warn_of_shadow(py, "is still used", " to be without a token")
}

/// Makes a stored token the active one, which every library uses if it is given none.
///
/// Warns if a variable such as `HF_TOKEN` takes precedence over it, or if it looks like the key of
/// another service.
///
/// Args:
///     name: The stored token.
///
/// Raises:
///     ValueError: There is no stored token of this name.
///     hubtoken.errors.UntrustedEndpointError: It belongs to another Hub than `HF_ENDPOINT`.
///     hubtoken.errors.StoreError: The files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> try:
///     ...     hubtoken.switch_token("ci")
///     ... except ValueError as error:
///     ...     print(error)
///     there is no stored token `ci`: no token is stored
#[pyfunction]
#[pyo3(signature = (name: "str") -> "None")]
pub fn switch_token(py: Python<'_>, name: &str) -> PyResult<()> {
    let signals = Signals::default();
    let token_store = token_store(&signals)?;
    let switched = py
        .detach(|| token_store.switch(name))
        .map_err(|error| signals.to_python(error))?;
    warn_of(py, &switched.warnings)?;
    warn_of_shadow(py, "takes precedence over the active token", "")
}

/// Gives a stored token another name, on this machine only.
///
/// Args:
///     old: The stored token.
///     new: Its new name.
///
/// Returns:
///     The new name as stored: characters that the file cannot represent are replaced.
///
/// Raises:
///     ValueError: There is no stored token of the old name, or the new name is taken.
///     hubtoken.errors.TokenFormatError: The new name contains a token.
///     hubtoken.errors.StoreError: The files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> try:
///     ...     hubtoken.rename_token("ci", "old ci")
///     ... except ValueError as error:
///     ...     print(error)
///     there is no stored token `ci`: no token is stored
#[pyfunction]
#[pyo3(signature = (old: "str", new: "str") -> "str")]
pub fn rename_token(py: Python<'_>, old: &str, new: &str) -> PyResult<String> {
    let signals = Signals::default();
    let token_store = token_store(&signals)?;
    py.detach(|| token_store.rename(old, new))
        .map_err(|error| signals.to_python(error))
}

/// Returns the tokens that are stored on this machine, by `hubtoken` or by `huggingface_hub`.
///
/// No request is sent. A stored value that is not a token is left out with a warning.
///
/// Returns:
///     The stored tokens, in the order of the file.
///
/// Raises:
///     hubtoken.errors.StoreError: The files cannot be read or understood.
///
/// Example:
///     >>> import hubtoken
///     >>> for stored in hubtoken.stored_tokens():
///     ...     print(stored.name, stored.endpoint, stored.expires_at, stored.active)
#[pyfunction]
#[pyo3(signature = () -> "list[StoredToken]")]
pub fn stored_tokens(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let token_store = token_store(&NeverInterrupted)?;
    let entries = py.detach(|| token_store.list()).map_err(to_python)?;
    let tokens = PyList::empty(py);
    for entry in entries {
        match PyStoredToken::new(entry.map_err(to_python)?) {
            Ok(token) => tokens.append(token)?,
            Err(problem) => warn(
                py,
                &py.get_type::<classes::HubTokenWarning>(),
                &problem.to_string(),
            )?,
        }
    }
    Ok(tokens)
}

fn token_store(interrupt: &(dyn Interrupt + Sync)) -> PyResult<TokenStore<'_>> {
    let paths = Paths::new(&ProcessEnvironment);
    ambient_endpoint(&ProcessEnvironment)
        .and_then(|ambient| TokenStore::new(&paths, ambient, interrupt))
        .map_err(to_python)
}

fn warn_of(py: Python<'_>, warnings: &[String]) -> PyResult<()> {
    for warning in warnings {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), warning)?;
    }
    Ok(())
}

/// Warns about a variable that takes precedence over the active token.
fn warn_of_shadow(py: Python<'_>, effect: &str, purpose: &str) -> PyResult<()> {
    let shadow = shadow_warning(&ProcessEnvironment, effect, purpose);
    warn_of(py, shadow.as_slice())
}
