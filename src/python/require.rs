//! `require_role` and `require_permission`: check a token before an expensive operation.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyString};

use super::arguments::{Seconds, options, warn};
use super::environment::PythonEnvironment;
use super::error::{classes, to_python};
use super::identity::needed;
use super::log;
use super::resolve::resolve;
use super::signals::Signals;
use super::text;
use super::token::PyHubToken;
use super::token_argument::TokenArgument;
use crate::credential::Credential;
use crate::error::Error;
use crate::identity::{Options, Settings};
use crate::paths;
use crate::process_state::{self, ProcessState};
use crate::project_uses::record_use;
use crate::repository::{RepositoryType, SimilarRepository};
use crate::require::{Assurance, Lasting, NeededUntil, Requirement};
use crate::resolve::project_defaults::Defaults;
use crate::role::{Required, Role};

/// Checks that a token has a role, before the expensive call.
///
/// The first call requests the token's identity from the Hub, and with `repo=` also whether it has
/// access; a call within the answers' lifetimes sends no request. Before a *no*, the Hub is asked
/// once more, unless it answered less than 2 seconds ago (doubling to 60 while the same *no*
/// repeats), so that a fix takes effect at once. Organization roles and fine-grained scopes count.
///
/// A repository that does not exist yet does not prevent `write`: the right to create it decides.
/// That it is missing is logged (logger `hubtoken`, level `INFO`), and a `HubTokenWarning` names
/// what may have been meant: repositories of that namespace within two edits, and one of another
/// type with exactly that name. The Hub is asked for those once per name, for at most two seconds,
/// and not while it limits the rate.
///
/// A project's configuration provides the defaults: its `role`, and its `repo`, which is then the
/// target. The user's own file provides what the project's leaves out, but never its `repo` for a
/// role that the project names.
///
/// Args:
///     role: `"read"` or `"write"`; `None` for the project's.
///     token: As for `resolve_token`.
///     repo: The repository: `"name"` in your own namespace, `"namespace/name"`, or with a type
///         prefix, `"datasets/namespace/name"`; `None` for the project's, if it names one; `False`
///         for none in particular.
///     repo_type: `"model"`, `"dataset"` or `"space"`.
///     endpoint: As for `resolve_token`.
///     profile: As for `resolve_token`.
///     max_age: The maximum age of cached answers, in seconds; 0 always sends a request. By default
///         300 for the identity and 60 for the Hub's answer about a repository. No answer is used
///         after the token is known to have expired.
///     max_stale: The maximum age of an identity if the Hub is unavailable, in seconds; 24 hours by
///         default.
///     timeout: How long to wait for the Hub, in seconds, for all of its answers together; 10 by
///         default.
///     on_unknown: What to do if the result is unknown: `"raise"`, `"warn"` or `"allow"`.
///     must_exist: Whether a repository that does not exist yet is a `RepositoryNotFoundError`.
///     lasting: How long the token is needed, as a `timedelta` or in seconds: it is denied if it is
///         known to end before that and does not renew itself. By default, or with `"job"`, to the
///         end of the Slurm job that this process belongs to (`SLURM_JOB_END_TIME`), if it belongs
///         to one; `None` if the token's end does not matter.
///
/// Returns:
///     The token.
///
/// Raises:
///     hubtoken.errors.InsufficientRoleError: The token's role, its scopes, or its user's role in
///         the organization are not enough; the message says which.
///     hubtoken.errors.RepositoryDisabledError: The repository is disabled for every token.
///     hubtoken.errors.AccessDeniedError: The Hub denies access for another reason; or the token ends
///         too early, see `lasting`.
///     hubtoken.errors.InvalidTokenError: The Hub rejects the token.
///     hubtoken.errors.RepositoryNotFoundError: There is nothing to read, or with `must_exist`
///         nothing at all.
///     hubtoken.errors.VerdictUnknownError: The result is unknown; or an earlier *no* could not be
///         confirmed, and is quoted.
///     hubtoken.errors.TokenNotFoundError: As for `whoami`.
///     hubtoken.errors.TokenFormatError: As for `whoami`.
///     hubtoken.errors.UntrustedEndpointError: As for `whoami`.
///     hubtoken.errors.StoreError: As for `whoami`.
///     hubtoken.errors.LoginError: As for `whoami`.
///     hubtoken.errors.ConfigurationError: A configuration file is broken or contains what it must
///         not, and one of its values would be used; or the call names no role, and one is named by
///         a file that is ignored because it belongs to another user.
///     ValueError: Neither the caller nor the project names a role; `must_exist` without a
///         repository; `lasting` is negative or more than 100 years; an argument has none of its
///         allowed values.
///     TypeError: `token`, `repo` or `lasting` has another type.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="write")
///     ...     hubtoken.require_role("write", token, repo="alice/new") is token
///     ...     try:
///     ...         hubtoken.require_role("write", token, repo="alice/new", must_exist=True)
///     ...     except hubtoken.RepositoryNotFoundError:
///     ...         print("not there yet")
///     True
///     not there yet
#[pyfunction]
#[pyo3(signature = (
    role: "Literal['read', 'write'] | None" = None,
    token: "str | HubToken | SecretValue | bool | None" = None,
    *,
    repo: "str | Literal[False] | None" = None,
    repo_type: "Literal['model', 'dataset', 'space']" = "model",
    endpoint: "str | None" = None,
    profile: "str | None" = None,
    max_age: "float | None" = None,
    max_stale: "float | None" = None,
    timeout: "float | None" = None,
    on_unknown: "Literal['raise', 'warn', 'allow']" = "raise",
    must_exist: "bool" = false,
    lasting: "timedelta | float | Literal['job'] | None" = Lasting::Job,
) -> "HubToken")]
#[expect(clippy::too_many_arguments, reason = "the Python signature")]
pub fn require_role<'py>(
    py: Python<'py>,
    #[pyo3(from_py_with = text::words)] role: Option<&str>,
    token: Option<&Bound<'py, PyAny>>,
    repo: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = text::words)] repo_type: &str,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    #[pyo3(from_py_with = text::words)] profile: Option<&str>,
    max_age: Option<Seconds>,
    max_stale: Option<Seconds>,
    timeout: Option<Seconds>,
    #[pyo3(from_py_with = text::words)] on_unknown: &str,
    must_exist: bool,
    #[pyo3(from_py_with = lasting_argument)] lasting: Lasting,
) -> PyResult<Bound<'py, PyHubToken>> {
    let process = process_state::current();
    let (role, repo) = defaulted(py, &process, role, repo)?;
    let which = TokenArgument {
        token,
        endpoint,
        profile,
    };
    let requirement = Requirement {
        required: Required::Role(role),
        repository: repository(repo.as_deref(), repo_type)?,
        namespace: None,
        must_exist,
        needed_until: None,
    };
    let options = options(Options::default(), max_age, max_stale, timeout)?;
    Call::new(which, requirement, lasting, options, on_unknown)?.check(py, &process)
}

/// Checks that a token has one of the Hub's finer permissions.
///
/// `read` and `write` tokens have the permissions of their role; a fine-grained token has those
/// that its scopes list. Only `repo.content.read` and `repo.write` on a repository are checked by
/// the Hub itself; for all others, the whoami response decides. With `repo=`, the Hub is still
/// asked whether the repository exists: a missing one passes, and is logged and warned about as by
/// `require_role`, unless `must_exist` rejects it. If the Hub does not answer that, nothing is
/// reported.
///
/// A permission that a scope of the token lists counts as granted, whatever its name. Any other
/// name within two edits of a permission that hubtoken knows is treated as a typo, and a
/// well-formed name that resembles none of them is *unknown*, whatever the token's role: it may
/// belong to a later version of the Hub. If the Hub cannot report the scopes (it is unavailable, or
/// limits the rate), a typo cannot be distinguished from such a name; the result is then unknown
/// and names what was most likely meant, and `on_unknown="allow"` warns about it.
///
/// Args:
///     permission: A permission such as `"inference.serverless.write"`.
///     token: As for `resolve_token`.
///     repo: As for `require_role`.
///     namespace: A user or organization on which the permission is needed.
///     repo_type: As for `require_role`.
///     endpoint: As for `resolve_token`.
///     profile: As for `resolve_token`.
///     max_age: As for `require_role`.
///     max_stale: As for `require_role`.
///     timeout: As for `require_role`.
///     on_unknown: As for `require_role`.
///     must_exist: As for `require_role`.
///     lasting: As for `require_role`.
///
/// Returns:
///     The token.
///
/// Raises:
///     hubtoken.errors.InsufficientRoleError: The token lacks the permission; the message says which
///         of its role, its scopes and its user's role in the organization are not enough.
///     hubtoken.errors.RepositoryDisabledError: As for `require_role`.
///     hubtoken.errors.AccessDeniedError: As for `require_role`.
///     hubtoken.errors.InvalidTokenError: As for `require_role`.
///     hubtoken.errors.RepositoryNotFoundError: The repository does not exist, and `must_exist` is
///         set or the permission is `repo.content.read`.
///     hubtoken.errors.VerdictUnknownError: As for `require_role`; also for a permission that this
///         version does not know.
///     hubtoken.errors.TokenNotFoundError: As for `whoami`.
///     hubtoken.errors.TokenFormatError: As for `whoami`.
///     hubtoken.errors.UntrustedEndpointError: As for `whoami`.
///     hubtoken.errors.StoreError: As for `whoami`.
///     hubtoken.errors.LoginError: As for `whoami`.
///     hubtoken.errors.ConfigurationError: As for `whoami`. A project's `role` and `repo` are not
///         used.
///     ValueError: The permission is misspelled or not a valid one; `repo` or `namespace` is not a
///         valid name, or both are given; `must_exist` without a repository; `lasting` is negative
///         or more than 100 years; another argument has none of its allowed values.
///     TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`; `lasting` has
///         another type.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="write")
///     ...     hubtoken.require_permission("inference.serverless.write", token) is token
///     ...     try:
///     ...         hubtoken.require_permission("inference.serverles.write", token)
///     ...     except ValueError as error:
///     ...         print(str(error).partition(": ")[2])
///     True
///     did you mean `inference.serverless.write`?
#[pyfunction]
#[pyo3(signature = (
    permission: "str",
    token: "str | HubToken | SecretValue | bool | None" = None,
    *,
    repo: "str | None" = None,
    namespace: "str | None" = None,
    repo_type: "Literal['model', 'dataset', 'space']" = "model",
    endpoint: "str | None" = None,
    profile: "str | None" = None,
    max_age: "float | None" = None,
    max_stale: "float | None" = None,
    timeout: "float | None" = None,
    on_unknown: "Literal['raise', 'warn', 'allow']" = "raise",
    must_exist: "bool" = false,
    lasting: "timedelta | float | Literal['job'] | None" = Lasting::Job,
) -> "HubToken")]
#[expect(clippy::too_many_arguments, reason = "the Python signature")]
pub fn require_permission<'py>(
    py: Python<'py>,
    #[pyo3(from_py_with = text::words)] permission: &str,
    token: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = text::words)] repo: Option<&str>,
    #[pyo3(from_py_with = text::words)] namespace: Option<&str>,
    #[pyo3(from_py_with = text::words)] repo_type: &str,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    #[pyo3(from_py_with = text::words)] profile: Option<&str>,
    max_age: Option<Seconds>,
    max_stale: Option<Seconds>,
    timeout: Option<Seconds>,
    #[pyo3(from_py_with = text::words)] on_unknown: &str,
    must_exist: bool,
    #[pyo3(from_py_with = lasting_argument)] lasting: Lasting,
) -> PyResult<Bound<'py, PyHubToken>> {
    let process = process_state::current();
    let which = TokenArgument {
        token,
        endpoint,
        profile,
    };
    let requirement = Requirement {
        required: Required::permission_named(permission).map_err(to_python)?,
        repository: repository(repo, repo_type)?,
        namespace: namespace.map(str::to_owned),
        must_exist,
        needed_until: None,
    };
    let options = options(Options::default(), max_age, max_stale, timeout)?;
    Call::new(which, requirement, lasting, options, on_unknown)?.check(py, &process)
}

/// The role and the repository, with the project's as defaults.
fn defaulted(
    py: Python<'_>,
    process: &ProcessState,
    role: Option<&str>,
    repo: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Role, Option<String>)> {
    let role = role.map(Role::parse).transpose().map_err(to_python)?;
    let repo = match repo {
        None => None,
        Some(repo) => Some(named(repo)?),
    };
    if let (Some(role), Some(repo)) = (role, &repo) {
        return Ok((role, repo.clone()));
    }
    let folder = std::env::current_dir().ok();
    let defaults = match process.resolver.known_defaults(folder.as_deref()) {
        Some(known) => known,
        None => process
            .resolver
            .defaults(&PythonEnvironment::current(py)?, folder.as_deref())
            .map_err(to_python)?,
    };
    let role = match role {
        Some(role) => role,
        None => defaults
            .needed_role()
            .map_err(to_python)?
            .ok_or_else(|| no_role(&defaults))?,
    };
    if !defaults.passed_over.is_empty() {
        for warning in process.resolver.new_warnings(defaults.warnings()) {
            warn(py, &py.get_type::<classes::HubTokenWarning>(), &warning)?;
        }
    }
    Ok((role, repo.unwrap_or(defaults.repo)))
}

fn no_role(defaults: &Defaults) -> PyErr {
    PyValueError::new_err(format!(
        "name a role, \"read\" or \"write\", or write role = \"write\" into the project's \
         hubtoken.toml{}",
        defaults.afterthought()
    ))
}

/// A `repo=` argument; `False` means none.
fn named(repo: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if let Ok(flag) = repo.cast::<PyBool>()
        && !flag.is_true()
    {
        return Ok(None);
    }
    match repo.cast::<PyString>() {
        Ok(_) => text::words(repo).map(Some),
        Err(_) => Err(PyTypeError::new_err(format!(
            "repo= takes a str, False or None, not {}",
            repo.get_type().name()?
        ))),
    }
}

fn repository(repo: Option<&str>, repo_type: &str) -> PyResult<Option<(String, RepositoryType)>> {
    let kind = RepositoryType::from_argument(repo_type).map_err(to_python)?;
    Ok(repo.map(|text| (text.to_owned(), kind)))
}

/// A `lasting=` argument.
fn lasting_argument(lasting: &Bound<'_, PyAny>) -> PyResult<Lasting> {
    if lasting.is_none() {
        return Ok(Lasting::Any);
    }
    if lasting.cast::<PyString>().is_ok() {
        return match text::words::<&str>(lasting)? {
            "job" => Ok(Lasting::Job),
            _ => Err(PyValueError::new_err(
                "lasting takes a timedelta, a number of seconds, \"job\" or None, and no other text",
            )),
        };
    }
    let is_number = !lasting.is_instance_of::<PyBool>();
    let seconds = if lasting.is_instance_of::<PyDelta>() {
        lasting
            .call_method0(intern!(lasting.py(), "total_seconds"))?
            .extract::<f64>()?
    } else {
        match lasting.extract::<Seconds>() {
            Ok(Seconds(seconds)) if is_number => seconds,
            _ => {
                return Err(PyTypeError::new_err(format!(
                    "lasting takes a timedelta, a number of seconds, \"job\" or None, not {}",
                    lasting.get_type().name()?
                )));
            }
        }
    };
    Lasting::for_seconds(seconds).map_err(to_python)
}

/// What to do if the result is unknown.
#[derive(Clone, Copy)]
enum OnUnknown {
    Raise,
    Warn,
    Allow,
}

impl OnUnknown {
    fn parse(text: &str) -> PyResult<Self> {
        match text {
            "raise" => Ok(Self::Raise),
            "warn" => Ok(Self::Warn),
            "allow" => Ok(Self::Allow),
            _ => Err(PyValueError::new_err(
                "on_unknown must be \"raise\", \"warn\" or \"allow\"",
            )),
        }
    }
}

/// Reports noteworthy details of a *yes*: a stale identity, or a missing repository.
fn report(py: Python<'_>, assurance: &Assurance) -> PyResult<()> {
    if let Some(stale) = &assurance.stale {
        warn(py, &py.get_type::<classes::StaleIdentityWarning>(), stale)?;
    }
    let Some(missing) = assurance.missing() else {
        return Ok(());
    };
    // Imported only here: most calls have nothing to log.
    py.import("logging")?
        .call_method1("getLogger", ("hubtoken",))?
        .call_method1("info", ("%s", missing.sentence()))?;
    match missing.suggestion(type_argument) {
        Some(suggestion) if !missing.is_reported => {
            warn(py, &py.get_type::<classes::HubTokenWarning>(), &suggestion)
        }
        _ => Ok(()),
    }
}

fn type_argument(similar: &SimilarRepository) -> String {
    format!("repo_type=\"{}\"", similar.kind.as_str())
}

/// One call's parameters.
struct Call<'a, 'py> {
    which: TokenArgument<'a, 'py>,
    requirement: Requirement,
    lasting: Lasting,
    options: Options,
    on_unknown: OnUnknown,
}

impl<'a, 'py> Call<'a, 'py> {
    fn new(
        which: TokenArgument<'a, 'py>,
        requirement: Requirement,
        lasting: Lasting,
        options: Options,
        on_unknown: &str,
    ) -> PyResult<Self> {
        Ok(Self {
            which,
            requirement,
            lasting,
            options,
            on_unknown: OnUnknown::parse(on_unknown)?,
        })
    }

    fn check(
        &self,
        py: Python<'py>,
        process: &Arc<ProcessState>,
    ) -> PyResult<Bound<'py, PyHubToken>> {
        // It is returned unchanged.
        let given = self.which.handed_over();
        let credential = match given {
            Some(token) => Some(token.get().credential_in(py, process)?),
            None => resolve(py, process, self.which)?,
        };
        let credential = needed(credential)?;
        let end =
            self.requirement
                .granted_until(&process.client, &credential, self.options.max_age);
        let is_enough = match end {
            None => false,
            // The usual token: no environment is read and no clock.
            Some(end) if end.is_unknown() || self.lasting == Lasting::Any => true,
            Some(end) => {
                let until = self.needed_until(py, process)?;
                until.is_none_or(|until| until.is_met(end, &credential))
            }
        };
        if !is_enough {
            self.ask(py, process, &credential)?;
        }
        match given {
            Some(token) => Ok(token.clone()),
            None => Bound::new(py, PyHubToken::from(credential)),
        }
    }

    /// Until when the token is needed. A variable that cannot be read is warned about once.
    fn needed_until(
        &self,
        py: Python<'py>,
        process: &ProcessState,
    ) -> PyResult<Option<NeededUntil>> {
        let now = process.client.clock().timestamp().wall;
        let environment = PythonEnvironment::current(py)?;
        match self.lasting.until(&environment, now) {
            Ok(until) => Ok(until),
            Err(warning) => {
                for warning in process.resolver.new_warnings(std::iter::once(warning)) {
                    warn(py, &py.get_type::<classes::HubTokenWarning>(), &warning)?;
                }
                Ok(None)
            }
        }
    }

    fn ask(
        &self,
        py: Python<'py>,
        process: &Arc<ProcessState>,
        credential: &Arc<Credential>,
    ) -> PyResult<()> {
        let process = process.after_pid_check();
        let environment = PythonEnvironment::current(py)?;
        let settings = Settings::read(&environment);
        let home = paths::home(&environment);
        let connection = process.client.connect(&credential.endpoint, &settings);
        let signals = Arc::new(Signals::default());
        let options = self.options.begun(process.client.clock().now());
        let asked = Arc::clone(credential);
        let requirement = Requirement {
            needed_until: self.needed_until(py, &process)?,
            ..self.requirement.clone()
        };
        let interrupt = Arc::clone(&signals);
        let answer = log::detached(py, move || {
            let checked =
                requirement.check(&process.client, &asked, &connection, &options, &*interrupt);
            if checked.is_ok() {
                let folder = std::env::current_dir().ok();
                let (folder, home) = (folder.as_deref(), home.as_deref());
                record_use(&settings, folder, home, &asked, &requirement);
            }
            checked
        })?;
        match answer {
            Ok(assurance) => report(py, &assurance),
            Err(error) => self.settle(py, error, &signals),
        }
    }

    /// An unknown is raised, warned about or ignored; everything else is raised.
    fn settle(&self, py: Python<'py>, error: Error, signals: &Signals) -> PyResult<()> {
        match (&error, self.on_unknown) {
            // A typo of the caller's is not ignored silently, whatever the Hub would answer.
            (Error::Unknown { .. }, OnUnknown::Allow)
                if self.requirement.required.suggestion().is_none() =>
            {
                Ok(())
            }
            (Error::Unknown { .. }, OnUnknown::Warn | OnUnknown::Allow) => {
                let category = py.get_type::<classes::HubTokenWarning>();
                warn(py, &category, &error.to_string())
            }
            _ => Err(signals.to_python(error)),
        }
    }
}
