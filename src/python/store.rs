//! `login`, `logout`, `switch`, `rename` and `stored_tokens`.

use std::sync::Arc;

use pyo3::prelude::*;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::error::{classes, to_python};
use super::identity::needed;
use super::interrupt::Signals;
use super::resolve::{argument, parse_endpoint, warn};
use super::token::PyHubToken;
use crate::credential::{Credential, Source};
use crate::endpoint::Endpoint;
use crate::env::ProcessEnvironment;
use crate::error::Error;
use crate::http::Settings;
use crate::identity::Options;
use crate::live;
use crate::paths::Paths;
use crate::printable::printable;
use crate::process;
use crate::resolve::{Argument, ambient_endpoint};
use crate::store::login as checked;
use crate::store::machine::{Changed, Entry, Machine};
use crate::token::Token;

/// A token that is stored on this machine under a name.
#[pyclass(name = "StoredToken", module = "hubtoken", frozen)]
pub struct PyStoredToken {
    name: String,
    credential: Arc<Credential>,
    user: Option<String>,
    role: Option<String>,
    expires_at: Option<OffsetDateTime>,
    active: bool,
}

#[pymethods]
impl PyStoredToken {
    /// The name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The token.
    #[getter]
    fn token(&self) -> PyHubToken {
        PyHubToken::from(Arc::clone(&self.credential))
    }

    /// The Hub that the token belongs to.
    #[getter]
    fn endpoint(&self) -> String {
        self.credential.endpoint.to_string()
    }

    /// The account; `None` when `huggingface_hub` stored the token.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The role at login; `None` when it is not known.
    #[getter]
    fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// When the token ends; `None` when it does not, or that is not known.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.expires_at
    }

    /// Whether it is the active token, which every library uses when it is given none.
    #[getter]
    fn active(&self) -> bool {
        self.active
    }

    fn __repr__(&self) -> String {
        format!(
            "<StoredToken {} {}{}>",
            printable(&self.name),
            self.credential.token.mask(),
            if self.active { ", active" } else { "" }
        )
    }
}

impl PyStoredToken {
    fn new(entry: Entry) -> Result<Self, Error> {
        Ok(Self {
            credential: alive(Credential {
                token: entry.token?,
                source: Source::Store(entry.name.clone()),
                endpoint: entry.endpoint,
            }),
            name: entry.name,
            user: entry.user,
            role: entry.role,
            expires_at: entry
                .expires_at
                .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
            active: entry.active,
        })
    }
}

/// Stores a token on this machine, after the Hub has said whose it is.
///
/// The token becomes the active one, which every library uses, unless it belongs to another Hub
/// than `HF_ENDPOINT`: every library would send it to the wrong one.
///
/// Args:
///     token: The token; `None` asks for it at the terminal, without showing it.
///     name: The name to store it under; `None` for what the Hub calls it.
///     endpoint: The Hub that the token belongs to; `None` for `HF_ENDPOINT`.
///
/// Returns:
///     The stored token.
///
/// Raises:
///     hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder.
///     hubtoken.errors.InvalidTokenError: The Hub does not know the token.
///     hubtoken.errors.VerdictUnknownError: The Hub could not be asked; nothing was stored.
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
    token: "str | HubToken | None" = None,
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
    let credential = given(py, token, parse_endpoint(endpoint)?)?;
    let machine = machine()?;
    let process = process::current_checked();
    let line = process
        .client
        .line(&credential.endpoint, &Settings::read(&ProcessEnvironment));
    let signals = Signals::default();
    let options = Options {
        max_age: Some(std::time::Duration::ZERO),
        max_stale: std::time::Duration::ZERO,
        ..Options::default()
    };
    let (entry, changed) = py
        .detach(|| {
            let identity = process
                .client
                .identify(&credential, &line, &options, &signals)
                .map_err(|failure| failure.into_error(&credential))?
                .identity;
            let record = checked::record(&identity);
            let wanted = name.map_or_else(|| checked::name(&identity), str::to_owned);
            let changed = machine.save(&wanted, &credential.token, &record, name.is_some())?;
            Ok((machine.list()?, changed))
        })
        .and_then(|(entries, changed): (Vec<Entry>, Changed)| {
            let saved = changed.names.first();
            let entry = entries.into_iter().find(|entry| Some(&entry.name) == saved);
            let gone = || Error::Store("the token was stored, and is gone already".to_owned());
            Ok((PyStoredToken::new(entry.ok_or_else(gone)?)?, changed))
        })
        .map_err(|error| signals.to_python(error))?;
    warn_of(py, &changed)?;
    Ok(entry)
}

/// Removes a stored token from this machine. It stays valid on the Hub.
///
/// Args:
///     name: The stored token; `None` for all of them and the active one, as
///         `huggingface_hub.logout()` does.
///
/// Raises:
///     ValueError: There is no stored token of this name.
///     hubtoken.errors.StoreError: The files cannot be read or written.
#[pyfunction]
#[pyo3(signature = (name: "str | None" = None) -> "None")]
pub fn logout(py: Python<'_>, name: Option<&str>) -> PyResult<()> {
    let machine = machine()?;
    let changed = py
        .detach(|| match name {
            Some(name) => machine.remove(name),
            None => machine.remove_all(),
        })
        .map_err(to_python)?;
    let settings = Settings::read(&ProcessEnvironment);
    for digest in &changed.removed {
        process::current().client.forget_shared(&settings, *digest);
    }
    warn_of(py, &changed)
}

/// Makes a stored token the active one, which every library uses when it is given none.
///
/// Args:
///     name: The stored token.
///
/// Raises:
///     ValueError: There is no stored token of this name.
///     hubtoken.errors.UntrustedEndpointError: It belongs to another Hub than `HF_ENDPOINT`.
///     hubtoken.errors.StoreError: The files cannot be read or written.
#[pyfunction]
#[pyo3(signature = (name: "str") -> "None")]
pub fn switch(py: Python<'_>, name: &str) -> PyResult<()> {
    let machine = machine()?;
    py.detach(|| machine.switch(name)).map_err(to_python)
}

/// Gives a stored token another name, on this machine only.
///
/// Args:
///     old: The stored token.
///     new: Its new name.
///
/// Raises:
///     ValueError: There is no stored token of the old name, or one of the new name already.
///     hubtoken.errors.StoreError: The files cannot be read or written.
#[pyfunction]
#[pyo3(signature = (old: "str", new: "str") -> "None")]
pub fn rename(py: Python<'_>, old: &str, new: &str) -> PyResult<()> {
    let machine = machine()?;
    py.detach(|| machine.rename(old, new))
        .map(drop)
        .map_err(to_python)
}

/// The tokens that are stored on this machine, by `hubtoken` or by `huggingface_hub`.
///
/// Nobody is asked over the network. A stored value that is no token is left out with a warning.
///
/// Returns:
///     The stored tokens, in the order of the file.
///
/// Raises:
///     hubtoken.errors.StoreError: The files cannot be read or understood.
#[pyfunction]
#[pyo3(signature = () -> "list[StoredToken]")]
pub fn stored_tokens(py: Python<'_>) -> PyResult<Vec<PyStoredToken>> {
    let machine = machine()?;
    let mut tokens = Vec::new();
    for entry in py.detach(|| machine.list()).map_err(to_python)? {
        match PyStoredToken::new(entry) {
            Ok(token) => tokens.push(token),
            Err(problem) => warn(
                py,
                &py.get_type::<classes::HubTokenWarning>(),
                &problem.to_string(),
            )?,
        }
    }
    Ok(tokens)
}

fn machine() -> PyResult<Machine> {
    let paths = Paths::new(&ProcessEnvironment);
    ambient_endpoint(&ProcessEnvironment)
        .and_then(|ambient| Machine::new(&paths, ambient))
        .map_err(to_python)
}

/// The token to log in with; a `HubToken` keeps its own Hub.
fn given(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<Endpoint>,
) -> PyResult<Arc<Credential>> {
    let typed;
    let text = match argument(py, token)? {
        Argument::Credential(credential) => {
            credential
                .check_endpoint(endpoint.as_ref())
                .map_err(to_python)?;
            return Ok(credential);
        }
        Argument::Anonymous => return needed(None),
        Argument::Value(text) => text,
        Argument::Ambient | Argument::Required => {
            let prompt = "Token (it is not shown): ";
            let getpass = py.import("getpass")?.getattr("getpass")?;
            typed = Zeroizing::new(getpass.call1((prompt,))?.extract::<String>()?);
            typed.as_str()
        }
    };
    let source = Source::Argument;
    Token::parse(text)
        .map_err(|error| error.context(&source.describe()))
        .and_then(|token| {
            let blank = || Error::TokenFormat("no token was given".to_owned());
            let endpoint = match endpoint {
                Some(endpoint) => endpoint,
                None => ambient_endpoint(&ProcessEnvironment)?,
            };
            Ok(Arc::new(Credential {
                token: token.ok_or_else(blank)?,
                source,
                endpoint,
            }))
        })
        .map_err(to_python)
}

fn warn_of(py: Python<'_>, changed: &Changed) -> PyResult<()> {
    for warning in &changed.warnings {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), warning)?;
    }
    Ok(())
}

/// A token that a pickle of this process finds again.
fn alive(credential: Credential) -> Arc<Credential> {
    let credential = Arc::new(credential);
    live::register(&credential);
    credential
}
