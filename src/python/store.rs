//! `login`, `logout`, `switch_token`, `rename_token`, `move_token` and `stored_tokens`.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::arguments::{parse_endpoint, warn, warn_of_insecure};
use super::environment::PythonEnvironment;
use super::error::{classes, to_python};
use super::log;
use super::login_token;
use super::signals::Signals;
use super::stored_token::PyStoredToken;
use super::text;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env::Environment as _;
use crate::error::Error;
use crate::git::own_helpers::{self, Answerer};
use crate::identity::model::Identity;
use crate::identity::{Options, Settings};
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::login as checked;
use crate::paths::Paths;
use crate::process_state::{self, ProcessState};
use crate::repository::RepositoryType;
use crate::requested_access::RequestedAccess;
use crate::resolve::ambient_endpoint;
use crate::resolve::in_effect::InEffect;
use crate::resolve::placed::shadow_warning;
use crate::role::Role;
use crate::source::Source;
use crate::store::keyring::KeyringAccess;
use crate::store::token_store::{Saved, TokenStore};
use crate::store::{Entry, name as stored_name};
use crate::token::Token;

/// Stores a token on this machine, after the Hub has identified it.
///
/// The token becomes the active one, which every library uses, unless it belongs to a Hub other
/// than `HF_ENDPOINT`: every library would send it to the wrong one. Warns if a variable such as
/// `HF_TOKEN` takes precedence over it.
///
/// Without `token` it prompts: a token that is pasted is not shown, and Enter logs in with the browser
/// (RFC 8628). The browser also takes the place of a prompt that nobody can answer. It shows the
/// page's address and a code, waits until the login is approved, and prints whose token in which
/// role was stored where. An OAuth token is stored with what renews it, as `huggingface_hub` does.
///
/// Args:
///     token: The token; `None` prompts for it at the terminal, or in the notebook, or logs in with
///         the browser.
///     name: The name to store it under; `None` for the Hub's name.
///     endpoint: The Hub that the token belongs to; `None` for `HF_ENDPOINT`.
///     verify: Whether to ask the Hub about the token. `False` sends no request and stores it even
///         if the Hub cannot be reached; `StoredToken.verified` is then `False` until hubtoken has
///         learned whose it is. A token without a `name` gets one of the form `token~1a2b3c4d`,
///         which a later login replaces by the Hub's.
///     add_to_git_credential: Whether to give git's own credential helper a copy as well, as in
///         `huggingface_hub`; `logout` takes it back. `hubtoken setup-git` needs no copy.
///     role: The role that the token is to have, `"read"` or `"write"`. With this, `repo` or
///         `permissions`, the Hub's form for a new token is opened instead of a login in the browser,
///         filled in with them, and the token that is created there is pasted at the prompt. A
///         token that lacks what was asked for is not stored, whether it was pasted or given; what
///         it can do beyond that is a `HubTokenWarning`.
///     repo: The repository that it is to have the role on, such as `"acme/model"`.
///     repo_type: The type of the repository.
///     permissions: The Hub's permissions that it is to have, such as
///         `["inference.serverless.write"]`; those that concern repositories on `repo`.
///     keyring: Whether to store it in the system's keyring instead of the file. It is then used by
///         its name (`profile=`), and not the active token, because `huggingface_hub` reads that
///         from a file. `HUBTOKEN_SOURCE_TIMEOUT` sets how long to wait for the keyring, in
///         seconds (60).
///     skip_if_logged_in: An option of `huggingface_hub`. `True` is an error unless `token` is
///         given: a prompt is never skipped here.
///     new_session: The same option of earlier versions of `huggingface_hub`, where `False` skips
///         the prompt.
///
/// Returns:
///     The stored token.
///
/// Raises:
///     TypeError: The prompt should be skipped; or git should have a copy of a token that is to be
///         in the keyring.
///     hubtoken.errors.LoginError: The login in the browser was denied, its code expired, or the Hub
///         refused it; `error_code` says which (RFC 8628, section 3.5). Nothing was stored.
///     hubtoken.errors.TokenNotFoundError: There is no terminal to prompt for the token, and the Hub
///         has no login by browser. The message says which token is in use already, if one is.
///     hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder, or looks like
///         the key of another service; or the name contains a token.
///     hubtoken.errors.InvalidTokenError: The Hub rejects the token.
///     hubtoken.errors.VerdictUnknownError: The Hub gave no answer (unavailable, a rate limit,
///         offline); nothing was stored.
///     hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens, or is not
///         that of the given `HubToken`.
///     hubtoken.errors.StoreError: The files cannot be read or written; or the keyring is locked,
///         missing, silent, or not asked because this is a CI job.
///     TypeError: `token` is neither text nor a `HubToken`.
///     ValueError: `role`, `repo`, `repo_type` or a permission is not a valid one, or `repo` is given
///         without a role or a permission that is needed on it.
///     hubtoken.errors.AccessDeniedError: The token lacks the access that was asked for; nothing was
///         stored.
///     hubtoken.errors.RepositoryNotFoundError: It cannot read `repo`, as far as the Hub says;
///         nothing was stored.
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
    verify: "bool" = true,
    add_to_git_credential: "bool" = false,
    role: "Literal['read', 'write'] | None" = None,
    repo: "str | None" = None,
    repo_type: "Literal['model', 'dataset', 'space']" = "model",
    permissions: "list[str] | tuple[str, ...] | None" = None,
    keyring: "bool" = false,
    skip_if_logged_in: "bool | None" = None,
    new_session: "bool | None" = None,
) -> "StoredToken")]
#[expect(
    clippy::too_many_arguments,
    reason = "the options of huggingface_hub beside our own"
)]
pub fn login(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = text::words)] name: Option<&str>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    verify: bool,
    add_to_git_credential: bool,
    #[pyo3(from_py_with = text::words)] role: Option<&str>,
    #[pyo3(from_py_with = text::words)] repo: Option<&str>,
    #[pyo3(from_py_with = text::words)] repo_type: &str,
    #[pyo3(from_py_with = text::words)] permissions: Option<Vec<String>>,
    keyring: bool,
    skip_if_logged_in: Option<bool>,
    new_session: Option<bool>,
) -> PyResult<PyStoredToken> {
    if token.is_none() {
        refuse_to_skip(skip_if_logged_in, new_session)?;
    }
    check_copy(keyring, add_to_git_credential)?;
    if let Some(name) = name {
        stored_name::check(name).map_err(to_python)?;
    }
    let requested = requested(role, repo, repo_type, &permissions.unwrap_or_default())?;
    let signals = Arc::new(Signals::default());
    let process = process_state::current();
    // Fails before the prompt, if it does.
    let token_store = token_store(py, &*signals, &process)?;
    token_store.check_home().map_err(to_python)?;
    let login_token::Given {
        credential,
        is_interactive,
        issued,
    } = login_token::given(
        py,
        &process,
        token,
        parse_endpoint(endpoint)?,
        requested.as_ref().map(|access| (access, &token_store)),
        keyring,
        &signals,
    )?;
    let process = process.after_pid_check();
    warn_of_insecure(py, &process, &credential.endpoint)?;
    let environment = PythonEnvironment::current(py)?;
    let settings = Settings::read(&environment);
    let paths = Paths::new(&environment);
    let access = KeyringAccess::read(&environment);
    let ambient = ambient_endpoint(&environment).map_err(to_python)?;
    let (given, interrupt) = (Arc::clone(&credential), Arc::clone(&signals));
    let (asked, name) = (Arc::clone(&process), name.map(str::to_owned));
    let (identity, warnings, saved) = log::detached(py, move || {
        let identity = if verify {
            Some(identify(&asked, &given, &settings, &interrupt)?)
        } else {
            given.check_sendable()?;
            None
        };
        let warnings = match (&requested, &identity) {
            (Some(access), Some(identity)) => access.check(
                &asked.client,
                &given,
                &asked.client.connect(&given.endpoint, &settings),
                &Options::default(),
                identity,
                &*interrupt,
            )?,
            (Some(access), None) => vec![access.unchecked()],
            (None, _) => Vec::new(),
        };
        let learned = checked::learned(Arc::clone(&asked.client), settings);
        let token_store = TokenStore::new(&paths, ambient, &*interrupt)
            .learning_from(learned)
            .with_keyring(access)
            .saving_in_keyring(keyring);
        let saved = checked::store_issued(
            &token_store,
            &given,
            issued.as_ref(),
            identity.as_deref(),
            name.as_deref(),
            add_to_git_credential,
        )?;
        Ok((identity, warnings, saved))
    })?
    .map_err(|error| signals.to_python(error))?;
    warn_of(py, &warnings)?;
    warn_of(py, &saved.warnings)?;
    if saved.active {
        warn_of_shadow(py, "takes precedence over the active token", "")?;
    }
    let git = if add_to_git_credential {
        hand_to_git(py, &credential)?
    } else {
        None
    };
    let in_effect = login_token::in_effect(py, &process);
    if is_interactive {
        let outcome = checked::outcome(
            &environment,
            &token_store,
            &credential,
            identity.as_deref(),
            &saved,
            in_effect.as_ref(),
        );
        login_token::print(py, &outcome)?;
        if let Some(git) = git {
            login_token::print(py, &git.describe())?;
        }
    }
    let entry = as_saved(saved, &credential, keyring);
    PyStoredToken::new(entry, in_effect.as_ref()).map_err(to_python)
}

/// A token in the keyring has no copy elsewhere.
fn check_copy(keyring: bool, add_to_git_credential: bool) -> PyResult<()> {
    if keyring && add_to_git_credential {
        return Err(PyTypeError::new_err(
            "login() takes keyring=True or add_to_git_credential=True, and not both: git's helper \
             would keep a copy in its own place. `hubtoken setup-git` needs no copy",
        ));
    }
    Ok(())
}

/// What was stored, and not the entry as it is now listed: another process may have changed that
/// already.
fn as_saved(saved: Saved, credential: &Credential, in_keyring: bool) -> Entry {
    Entry {
        token: login_token::parse(credential.token.expose()),
        keyring: in_keyring.then(|| credential.token.digest()),
        name: saved.name,
        endpoint: saved.record.endpoint,
        user: saved.record.user,
        role: saved.record.role,
        created_at: saved.record.created_at,
        expires_at: saved.expires_at,
        renewable: false,
        active: saved.active,
        verified: Some(saved.record.verified),
    }
}

/// The access that a token is to have.
fn requested(
    role: Option<&str>,
    repo: Option<&str>,
    repo_type: &str,
    permissions: &[String],
) -> PyResult<Option<RequestedAccess>> {
    let kind = RepositoryType::from_argument(repo_type).map_err(to_python)?;
    let role = role.map(Role::parse).transpose().map_err(to_python)?;
    RequestedAccess::new(role, repo.map(|text| (text.to_owned(), kind)), permissions)
        .map_err(to_python)
}

/// Refuses the two options of `huggingface_hub` that skip the prompt: what was found instead need
/// not be a stored token, so there would be nothing to return.
fn refuse_to_skip(skip_if_logged_in: Option<bool>, new_session: Option<bool>) -> PyResult<()> {
    let option = match (skip_if_logged_in, new_session) {
        (Some(true), _) => "skip_if_logged_in=True",
        (_, Some(false)) => "new_session=False",
        _ => return Ok(()),
    };
    Err(PyTypeError::new_err(format!(
        "login() does not take {option}: it asks even if there is a token already. To ask only if \
         there is none: hubtoken.resolve_token(required=False) or hubtoken.login()"
    )))
}

fn identify(
    process: &ProcessState,
    credential: &Arc<Credential>,
    settings: &Settings,
    signals: &Signals,
) -> Result<Arc<Identity>, Error> {
    let options = Options {
        max_age: Some(std::time::Duration::ZERO),
        max_stale: std::time::Duration::ZERO,
        ..Options::default()
    };
    let connection = process.client.connect(&credential.endpoint, settings);
    let answer = process
        .client
        .identify(credential, &connection, &options, signals);
    match answer {
        Ok(answer) => Ok(answer.identity),
        Err(failure) => Err(checked::nothing_stored(
            failure.into_error(credential),
            "verify=False",
        )),
    }
}

/// Gives git's own helper a copy. A failure is a warning: the token is stored already.
fn hand_to_git(py: Python<'_>, credential: &Credential) -> PyResult<Option<Answerer>> {
    let environment = PythonEnvironment::current(py)?.all();
    let given =
        py.detach(|| own_helpers::give(&environment, &credential.endpoint, &credential.token));
    match given {
        Ok(answerer) => Ok(Some(answerer)),
        Err(warning) => warn_of(py, &[warning]).map(|()| None),
    }
}

/// Removes a stored token from this machine. It stays valid on the Hub.
///
/// A value that is also stored under another name stays the active token, if it is. Warns if there
/// is still a token that is used when none is given, and says which: a variable such as `HF_TOKEN`,
/// a configuration file, a command, or a notebook's vault has it. A copy that `login(...,
/// add_to_git_credential=True)` gave to git is taken back.
///
/// Args:
///     name: The stored token; `None` for all of them and the active one, as
///         `huggingface_hub.logout()` does.
///     token_name: The same under the name that it has in `huggingface_hub`.
///
/// Raises:
///     ValueError: The name is not valid Unicode.
///     TypeError: Both names are given.
///     hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
///     hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
///     hubtoken.errors.StoreError: The files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> hubtoken.logout()
///     >>> hubtoken.stored_tokens()
///     []
#[pyfunction]
#[pyo3(signature = (
    name: "str | None" = None,
    *,
    token_name: "str | None" = None,
) -> "None")]
pub fn logout(
    py: Python<'_>,
    #[pyo3(from_py_with = text::words)] name: Option<&str>,
    #[pyo3(from_py_with = text::words)] token_name: Option<&str>,
) -> PyResult<()> {
    if name.is_some() && token_name.is_some() {
        return Err(PyTypeError::new_err(
            "logout() takes name= or token_name=, which mean the same, and not both",
        ));
    }
    let signals = Signals::default();
    let process = process_state::current();
    let token_store = token_store(py, &signals, &process)?;
    let removed = py
        .detach(|| match name.or(token_name) {
            Some(name) => token_store.remove(name),
            None => token_store.remove_all(),
        })
        .map_err(|error| signals.to_python(error))?;
    let settings = Settings::read(&PythonEnvironment::current(py)?);
    for digest in &removed.tokens {
        process.client.invalidate_shared(&settings, *digest);
    }
    warn_of(py, &removed.warnings)?;
    take_back_from_git(py, &removed.in_git)?;
    let in_effect = login_token::in_effect(py, &process);
    match in_effect.as_ref().and_then(InEffect::source) {
        Some(Source::Environment(_) | Source::Placed { .. }) => {
            warn_of_shadow(py, "is still used", " to be without a token")
        }
        // The selected one, which was not to be removed.
        Some(source) if source.file().is_some() && source.file() == token_store.token_path() => {
            Ok(())
        }
        _ => {
            let still = in_effect.as_ref().and_then(InEffect::describe);
            let still = still.map(|token| format!("{token} is still used when none is given"));
            warn_of(py, still.as_slice())
        }
    }
}

/// Makes git's own helper forget the tokens that it was given.
pub fn take_back_from_git(py: Python<'_>, in_git: &[(Endpoint, Token)]) -> PyResult<()> {
    if in_git.is_empty() {
        return Ok(());
    }
    let environment = PythonEnvironment::current(py)?.all();
    let warnings = py.detach(|| own_helpers::take_back(&environment, in_git));
    warn_of(py, &warnings)
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
///     ValueError: The name is not valid Unicode.
///     hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
///     hubtoken.errors.UntrustedEndpointError: It belongs to another Hub than `HF_ENDPOINT`.
///     hubtoken.errors.StoreError: The files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> try:
///     ...     hubtoken.switch_token("ci")
///     ... except hubtoken.TokenNotFoundError as error:
///     ...     print(error)
///     there is no stored token `ci`: no token is stored
#[pyfunction]
#[pyo3(signature = (name: "str") -> "None")]
pub fn switch_token(
    py: Python<'_>,
    #[pyo3(from_py_with = text::words)] name: &str,
) -> PyResult<()> {
    let signals = Signals::default();
    let process = process_state::current();
    let token_store = token_store(py, &signals, &process)?;
    let switched = py
        .detach(|| token_store.switch(name))
        .map_err(|error| signals.to_python(error))?;
    warn_of(py, &switched.warnings)?;
    let in_effect = login_token::in_effect(py, &process);
    let environment = PythonEnvironment::current(py)?;
    let another = checked::switch_warning(&environment, &switched, in_effect.as_ref());
    warn_of(py, another.as_slice())
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
///     hubtoken.errors.TokenNotFoundError: There is no stored token of the old name.
///     hubtoken.errors.TokenFormatError: The new name contains a token.
///     hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
///     hubtoken.errors.StoreError: The new name is taken, or the files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> try:
///     ...     hubtoken.rename_token("ci", "old ci")
///     ... except hubtoken.TokenNotFoundError as error:
///     ...     print(error)
///     there is no stored token `ci`: no token is stored
#[pyfunction]
#[pyo3(signature = (old: "str", new: "str") -> "str")]
pub fn rename_token(
    py: Python<'_>,
    #[pyo3(from_py_with = text::words)] old: &str,
    #[pyo3(from_py_with = text::words)] new: &str,
) -> PyResult<String> {
    let signals = Signals::default();
    let token_store = token_store(py, &signals, &process_state::current())?;
    let renamed = py
        .detach(|| token_store.rename(old, new))
        .map_err(|error| signals.to_python(error))?;
    warn_of(py, &renamed.warnings)?;
    Ok(renamed.name)
}

/// Moves a stored token to the system's keyring, or back to the file.
///
/// In the keyring it is used by its name (`profile=`). It is not the active token there, because
/// `huggingface_hub` reads that from a file: if it was, none is active afterwards. The value is
/// written to its new place and read back before it is removed from the old one, so that a crash
/// leaves it in at least one of them.
///
/// Args:
///     name: The stored token.
///     keyring: `True` for the system's keyring, `False` for the file.
///
/// Raises:
///     hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
///     hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
///     hubtoken.errors.StoreError: The keyring is locked, missing or silent, its prompt was dismissed,
///         or this is a CI job (`CI` is set); or the token renews itself, which the file is needed
///         for; or the files cannot be read or written.
///
/// Example:
///     >>> import hubtoken
///     >>> try:
///     ...     hubtoken.move_token("ci", keyring=True)
///     ... except hubtoken.TokenNotFoundError as error:
///     ...     print(error)
///     there is no stored token `ci`: no token is stored
#[pyfunction]
#[pyo3(signature = (name: "str", *, keyring: "bool") -> "None")]
pub fn move_token(
    py: Python<'_>,
    #[pyo3(from_py_with = text::words)] name: &str,
    keyring: bool,
) -> PyResult<()> {
    let signals = Signals::default();
    let token_store = token_store(py, &signals, &process_state::current())?;
    let moved = py
        .detach(|| {
            if keyring {
                token_store.move_to_keyring(name)
            } else {
                token_store.move_to_file(name)
            }
        })
        .map_err(|error| signals.to_python(error))?;
    warn_of(py, &moved.warnings)
}

/// Returns the tokens that are stored on this machine, by `hubtoken` or by `huggingface_hub`.
///
/// No request is sent, no command is run, and neither a notebook nor the keyring is asked. A stored value that is not a
/// token is left out with a warning.
///
/// Returns:
///     The stored tokens, in the order of the file.
///
/// Raises:
///     hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
///     hubtoken.errors.StoreError: The files cannot be read or understood.
///
/// Example:
///     >>> import hubtoken
///     >>> for stored in hubtoken.stored_tokens():
///     ...     print(stored.name, stored.endpoint, stored.expires_at, stored.active)
#[pyfunction]
#[pyo3(signature = () -> "list[StoredToken]")]
pub fn stored_tokens(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let process = process_state::current();
    let token_store = token_store(py, &NeverInterrupted, &process)?;
    let entries = py.detach(|| token_store.list()).map_err(to_python)?;
    // If that cannot be told, `resolve_token` says why, and none of these is used.
    let in_effect = login_token::in_effect(py, &process);
    let tokens = PyList::empty(py);
    for entry in entries {
        match PyStoredToken::new(entry.map_err(to_python)?, in_effect.as_ref()) {
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

fn token_store<'a>(
    py: Python<'_>,
    interrupt: &'a (dyn Interrupt + Sync),
    process: &ProcessState,
) -> PyResult<TokenStore<'a>> {
    let environment = PythonEnvironment::current(py)?;
    let paths = Paths::new(&environment);
    let token_store = ambient_endpoint(&environment)
        .map(|ambient| TokenStore::new(&paths, ambient, interrupt))
        .map_err(to_python)?;
    let settings = Settings::read(&environment);
    let learned = checked::learned(Arc::clone(&process.client), settings);
    Ok(token_store
        .learning_from(learned)
        .with_keyring(KeyringAccess::read(&environment)))
}

fn warn_of(py: Python<'_>, warnings: &[String]) -> PyResult<()> {
    for warning in warnings {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), warning)?;
    }
    Ok(())
}

/// Warns about a variable that takes precedence over the active token.
fn warn_of_shadow(py: Python<'_>, effect: &str, purpose: &str) -> PyResult<()> {
    let shadow = shadow_warning(&PythonEnvironment::current(py)?, effect, purpose);
    warn_of(py, shadow.as_slice())
}
