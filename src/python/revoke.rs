//! `revoke`: makes the Hub invalidate tokens, and forgets them here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::arguments::{Seconds, options, parse_endpoint, warn, warn_of_insecure};
use super::environment::PythonEnvironment;
use super::error::{classes, to_python};
use super::identity::needed;
use super::log;
use super::printable;
use super::record::record_methods;
use super::resolve::resolve;
use super::secret_value::unwrapped;
use super::signals::Signals;
use super::store::take_back_from_git;
use super::text;
use super::token::PyHubToken;
use super::token_argument::{TokenArgument, argument};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::identity::{Options, Settings};
use crate::interrupt::NeverInterrupted;
use crate::manage::leaked_values::{LeakedValues, MAXIMUM_VALUES};
use crate::manage::revoke::outcome::Outcome;
use crate::manage::revoke::{Revocation, Revoked};
use crate::paths::Paths;
use crate::process_state::{self, ProcessState};
use crate::resolve::{Argument, ambient_endpoint};
use crate::sanitize::redacted_path;
use crate::store::keyring::KeyringAccess;
use crate::store::token_store::TokenStore;

/// A value that was to be revoked, and what became of it. It does not hold the value.
#[pyclass(name = "RevokedToken", module = "hubtoken", frozen, eq, hash)]
#[derive(Clone, PartialEq, Hash, Serialize, Deserialize)]
pub struct PyRevokedToken {
    token: String,
    fingerprint: String,
    state: String,
    reason: Option<String>,
}

impl From<&Revoked> for PyRevokedToken {
    fn from(revoked: &Revoked) -> Self {
        Self {
            token: revoked.mask.clone(),
            fingerprint: revoked.digest.fingerprint(),
            state: revoked.state.as_str().to_owned(),
            reason: revoked.state.reason().map(ToOwned::to_owned),
        }
    }
}

record_methods! {
impl PyRevokedToken {
    /// The mask of the value, such as `hf_…9xQ2`.
    #[getter]
    fn token(&self) -> &str {
        &self.token
    }

    /// The first digits of the value's SHA-256 digest, as of a `HubToken`.
    #[getter]
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// `"dead"` if the Hub no longer accepts it, `"alive"` if it still does, `"unverified"` if it was
    /// sent and the Hub did not say, or `"not sent"`.
    #[getter]
    fn state(&self) -> &str {
        &self.state
    }

    /// Why it is not known whether it is dead, or why it was not sent; `None` otherwise.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        printable::shown(py, format!("<RevokedToken {}: {}>", self.token, self.state))
    }
}
}

/// Makes the Hub invalidate tokens, at once and for everybody, which cannot be undone.
///
/// What the Hub was sent is removed from this machine as well: from the stored tokens, from what is
/// cached, and from git's own helper. Then whoami is asked whether each token is dead, until the Hub
/// limits the rate. The Hub takes a thousand values in one request.
///
/// Args:
///     token: The token, or a list of tokens. A text may be a pasted line, or several.
///     name: The name of a stored token.
///     leaked: A file of any kind, such as a log or a notebook, in which all that looks like a secret
///         of the Hub is revoked.
///     endpoint: The Hub of values given as text or in a file; `HF_ENDPOINT` by default. A
///         `HubToken` and a stored token have their own.
///     timeout: How long to wait for each answer of whoami, in seconds; 10 by default.
///
/// Returns:
///     Each value's mask and state, in the order in which they were given. Values of more than 200
///     characters, as OAuth logins have, and keys of other services are not sent, and say so. If the
///     Hub takes some requests and then no more, a `HubTokenWarning` says why.
///
/// Raises:
///     hubtoken.errors.TokenFormatError: There is no token of a Hub in what was given.
///     hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
///     hubtoken.errors.HubUnreachableError: The Hub could not be reached; nothing was revoked.
///     hubtoken.errors.RateLimitedError: The Hub limits the rate; nothing was revoked.
///     hubtoken.errors.OfflineError: `HF_HUB_OFFLINE` is set; nothing was revoked.
///     hubtoken.errors.VerdictUnknownError: The Hub's answer cannot be used.
///     hubtoken.errors.LoginError: The Hub refused the request; nothing was revoked.
///     hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens.
///     hubtoken.errors.StoreError: The stored token cannot be read.
///     ValueError: Nothing or more than one thing is given; the tokens belong to several Hubs; the
///         file is no plain file, cannot be read, or has more than 100,000 values; `endpoint` is not
///         the Hub of a `HubToken`.
///     TypeError: `token` is neither text, a `HubToken`, nor a list of these.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="leaked", role="write")
///     ...     [revoked] = hubtoken.revoke(token)
///     ...     revoked.state
///     'dead'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | SecretValue | list[str | HubToken] | tuple[str | HubToken, ...] | None" = None,
    *,
    name: "str | None" = None,
    leaked: "str | PathLike[str] | None" = None,
    endpoint: "str | None" = None,
    timeout: "float | None" = None,
) -> "list[RevokedToken]")]
pub fn revoke(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = text::words)] name: Option<&str>,
    leaked: Option<PathBuf>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    timeout: Option<Seconds>,
) -> PyResult<Vec<PyRevokedToken>> {
    let given = usize::from(token.is_some()) + usize::from(name.is_some());
    if given + usize::from(leaked.is_some()) != 1 {
        return Err(PyValueError::new_err(
            "revoke() takes a token, or name=, or leaked=, and one of them alone",
        ));
    }
    let options = Options {
        max_age: Some(Duration::ZERO),
        max_stale: Duration::ZERO,
        ..options(Options::default(), None, None, timeout)?
    };
    let process = process_state::current();
    let which = Which { endpoint, name };
    let target = match (token, leaked) {
        (Some(token), _) => Target::of_tokens(py, &process, token, &which)?,
        (_, Some(path)) => Target::of_file(py, &path, &which)?,
        (None, None) => Target::of_stored(py, &process, &which)?,
    };
    let process = process.after_pid_check();
    warn_of_insecure(py, &process, &target.endpoint)?;
    let signals = Arc::new(Signals::default());
    let run = Run {
        process,
        settings: Settings::read(&PythonEnvironment::current(py)?),
        paths: Paths::new(&PythonEnvironment::current(py)?),
        ambient: ambient_endpoint(&PythonEnvironment::current(py)?).map_err(to_python)?,
        keyring: KeyringAccess::read(&PythonEnvironment::current(py)?),
        signals: Arc::clone(&signals),
    };
    let outcome = log::detached(py, move || run.revoke(&target, &options))?;
    // First what must be done, since a warning may be an exception.
    take_back_from_git(py, &outcome.removed.in_git)?;
    for warning in &outcome.warnings {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), warning)?;
    }
    match outcome.failure {
        Some(error) => Err(signals.to_python(error)),
        None => Ok(outcome.revoked.iter().map(PyRevokedToken::from).collect()),
    }
}

/// The arguments that say which Hub and which stored token.
struct Which<'a> {
    endpoint: Option<&'a str>,
    name: Option<&'a str>,
}

impl Which<'_> {
    /// Checks that a token that has its own Hub is not meant for another one.
    fn check(&self, own: &Endpoint) -> PyResult<()> {
        match parse_endpoint(self.endpoint)? {
            Some(given) if given != *own => Err(PyValueError::new_err(format!(
                "the token belongs to {own}, and endpoint= names {given}: only its own Hub can \
                 revoke it"
            ))),
            _ => Ok(()),
        }
    }

    /// The Hub of values that do not say which.
    fn endpoint(&self, py: Python<'_>) -> PyResult<Endpoint> {
        match parse_endpoint(self.endpoint)? {
            Some(endpoint) => Ok(endpoint),
            None => ambient_endpoint(&PythonEnvironment::current(py)?).map_err(to_python),
        }
    }
}

/// What is revoked.
struct Target {
    values: Vec<Zeroizing<String>>,
    endpoint: Endpoint,
}

impl Target {
    fn of_tokens(
        py: Python<'_>,
        process: &Arc<ProcessState>,
        token: &Bound<'_, PyAny>,
        which: &Which<'_>,
    ) -> PyResult<Self> {
        let several = match (token.cast::<PyList>(), token.cast::<PyTuple>()) {
            (Ok(list), _) => Some(list.iter().collect::<Vec<_>>()),
            (_, Ok(tuple)) => Some(tuple.iter().collect()),
            _ => None,
        };
        let tokens = several.unwrap_or_else(|| vec![token.clone()]);
        let mut values = LeakedValues::default();
        let mut endpoint: Option<Endpoint> = None;
        for token in tokens {
            let token = unwrapped::<PyHubToken>(&token)?;
            let belongs_to = match argument(py, process, Some(&token))? {
                Argument::Credential(credential) => {
                    values.add(credential.latest().token.expose());
                    which.check(&credential.endpoint)?;
                    credential.endpoint.clone()
                }
                Argument::Value(text) => {
                    values
                        .read(&mut text.as_bytes(), true, "the text", &NeverInterrupted)
                        .map_err(to_python)?;
                    which.endpoint(py)?
                }
                Argument::Ambient | Argument::Required | Argument::Anonymous => {
                    return Err(PyTypeError::new_err(
                        "revoke() takes a token, and neither True, False nor None: say which one \
                         is revoked for good",
                    ));
                }
            };
            if endpoint.get_or_insert_with(|| belongs_to.clone()) != &belongs_to {
                return Err(PyValueError::new_err(
                    "the tokens belong to several Hubs: revoke those of each Hub in a call of its \
                     own",
                ));
            }
        }
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => which.endpoint(py)?,
        };
        Self::new(values, endpoint, "what was given")
    }

    fn of_file(py: Python<'_>, path: &Path, which: &Which<'_>) -> PyResult<Self> {
        let endpoint = which.endpoint(py)?;
        let shown = redacted_path(path);
        let signals = Signals::default();
        let values = py
            .detach(|| {
                let mut values = LeakedValues::default();
                values.read_file(path, &signals)?;
                Ok(values)
            })
            .map_err(|error| signals.to_python(error))?;
        Self::new(values, endpoint, &shown)
    }

    fn of_stored(py: Python<'_>, process: &Arc<ProcessState>, which: &Which<'_>) -> PyResult<Self> {
        let stored = TokenArgument {
            token: None,
            endpoint: which.endpoint,
            profile: which.name,
        };
        let credential = needed(resolve(py, process, stored)?)?;
        credential.check_sendable().map_err(to_python)?;
        let mut values = LeakedValues::default();
        values.add(credential.latest().token.expose());
        Self::new(values, credential.endpoint.clone(), "the store")
    }

    fn new(values: LeakedValues, endpoint: Endpoint, what: &str) -> PyResult<Self> {
        if values.is_full() {
            return Err(PyValueError::new_err(format!(
                "there are more than {MAXIMUM_VALUES} values in {what}. Split it; nothing was \
                 revoked"
            )));
        }
        let values = values.into_values();
        if values.is_empty() {
            let problem = format!("there is no token of a Hub in {what}");
            return Err(to_python(Error::TokenFormat(problem)));
        }
        Ok(Self { values, endpoint })
    }
}

/// What a revocation takes from the environment.
struct Run {
    process: Arc<ProcessState>,
    settings: Settings,
    paths: Paths,
    ambient: Endpoint,
    keyring: KeyringAccess,
    signals: Arc<Signals>,
}

impl Run {
    fn revoke(&self, target: &Target, options: &Options) -> Outcome {
        let revocation = Revocation {
            client: &self.process.client,
            endpoint: &target.endpoint,
            settings: &self.settings,
            interrupt: &*self.signals,
        };
        let token_store = TokenStore::new(&self.paths, self.ambient.clone(), &*self.signals)
            .with_keyring(self.keyring.clone());
        let mut outcome = revocation.run(&target.values, &token_store, options);
        if outcome.is_nothing() {
            return outcome;
        }
        // What was done is said, whatever is raised.
        match outcome.failure.take() {
            Some(Error::Interrupted) => {
                let progress = outcome.progress();
                outcome.warnings.push(format!("interrupted: {progress}"));
                outcome.failure = Some(Error::Interrupted);
            }
            Some(error) => outcome.warnings.push(format!("not all were sent: {error}")),
            None => {}
        }
        outcome
    }
}
