//! Identity and permission checks of a server's callers, for `hubtoken.asgi`.
//!
//! As with `identify`, nothing about them is written to disk. A rejected caller may retry as often
//! as it likes, so before a *no* at most one request per token is sent to the Hub in ten seconds,
//! whether the Hub answers or not.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::arguments::{Seconds, options};
use super::environment::PythonEnvironment;
use super::error::to_python;
use super::identify::credential;
use super::identity::PyIdentity;
use super::log;
use super::signals::Signals;
use super::text;
use crate::identity::{Options, Settings};
use crate::process_state::{self, ProcessState};
use crate::repository::RepositoryType;
use crate::require::Requirement;
use crate::role::{Required, Role};
use crate::target::Target;

/// Checks whose a caller's token is before the caller is rejected. For `hubtoken.asgi`.
///
/// Args:
///     token: As for `identify`.
///     endpoint: As for `identify`.
///     max_age: The maximum age of a cached answer, in seconds; at most 10, which is the default.
///     timeout: As for `identify`.
///     spent: How much of it has been spent on the same caller before, in seconds.
///
/// Returns:
///     The identity.
///
/// Raises:
///     hubtoken.errors.HubTokenError: As for `identify`. A request that the Hub did not answer is
///         not repeated before the same time has passed.
#[pyfunction]
#[pyo3(signature = (
    token: "str",
    *,
    endpoint: "str | None" = None,
    max_age: "float | None" = None,
    timeout: "float | None" = None,
    spent: "float" = 0.0,
) -> "Identity")]
pub fn identify_anew(
    py: Python<'_>,
    token: &Bound<'_, PyAny>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    max_age: Option<Seconds>,
    timeout: Option<Seconds>,
    spent: f64,
) -> PyResult<PyIdentity> {
    let process = process_state::current_after_pid_check();
    let options = options(Options::for_callers(), max_age, None, timeout)?;
    let options = after(options, spent, &process)?;
    let credential = credential(py, &process, token, endpoint)?;
    let settings = Settings::read(&PythonEnvironment::current(py)?).unshared();
    let connection = process.client.connect(&credential.endpoint, &settings);
    let signals = Arc::new(Signals::default());
    let age = options.freshness.denial.first;
    let (asked, interrupt) = (Arc::clone(&credential), Arc::clone(&signals));
    log::detached(py, move || {
        process
            .client
            .identify_fresh(&asked, &connection, &options, age, &*interrupt)
    })?
    .map(|known| PyIdentity(known.identity))
    .map_err(|failure| signals.to_python(failure.into_error(&credential)))
}

/// Checks that a caller's token has the access that is needed, where only the Hub can decide. For
/// `hubtoken.asgi`.
///
/// Args:
///     need: `"read"`, `"write"` or a permission.
///     token: As for `identify`.
///     repo: The repository, if it is needed on one.
///     repo_type: As for `require_role`.
///     endpoint: As for `identify`.
///     max_age: As for `require_role`.
///     timeout: As for `identify`.
///     spent: How much of it has been spent on the same caller before, in seconds.
///
/// Raises:
///     hubtoken.errors.HubTokenError: As for `require_role`.
#[pyfunction]
#[pyo3(signature = (
    need: "str",
    token: "str",
    *,
    repo: "str | None" = None,
    repo_type: "str" = "model",
    endpoint: "str | None" = None,
    max_age: "float | None" = None,
    timeout: "float | None" = None,
    spent: "float" = 0.0,
) -> "None")]
#[expect(clippy::too_many_arguments, reason = "the Python signature")]
pub fn require_of_caller(
    py: Python<'_>,
    #[pyo3(from_py_with = text::words)] need: &str,
    token: &Bound<'_, PyAny>,
    #[pyo3(from_py_with = text::words)] repo: Option<&str>,
    #[pyo3(from_py_with = text::words)] repo_type: &str,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    max_age: Option<Seconds>,
    timeout: Option<Seconds>,
    spent: f64,
) -> PyResult<()> {
    let options = options(Options::for_callers(), max_age, None, timeout)?;
    let requirement = requirement(need, repo, repo_type)?;
    let process = process_state::current_after_pid_check();
    let options = after(options, spent, &process)?;
    let credential = credential(py, &process, token, endpoint)?;
    if requirement
        .granted_until(&process.client, &credential, options.max_age)
        .is_some()
    {
        return Ok(());
    }
    let settings = Settings::read(&PythonEnvironment::current(py)?).unshared();
    let connection = process.client.connect(&credential.endpoint, &settings);
    let signals = Arc::new(Signals::default());
    let interrupt = Arc::clone(&signals);
    log::detached(py, move || {
        requirement.check(
            &process.client,
            &credential,
            &connection,
            &options,
            &*interrupt,
        )
    })?
    .map(|_| ())
    .map_err(|error| signals.to_python(error))
}

/// Checks that a repository's name and type are valid. For `hubtoken.asgi`.
///
/// Args:
///     repo: `namespace/name`.
///     repo_type: As for `require_role`.
///
/// Raises:
///     ValueError: The name or the type is not valid.
#[pyfunction]
#[pyo3(signature = (repo: "str", repo_type: "str") -> "None")]
pub fn check_repository(
    #[pyo3(from_py_with = text::words)] repo: &str,
    #[pyo3(from_py_with = text::words)] repo_type: &str,
) -> PyResult<()> {
    let kind = RepositoryType::from_argument(repo_type).map_err(to_python)?;
    Target::repository(repo, kind, "")
        .map(|_| ())
        .map_err(to_python)
}

/// Checks that the lifetimes of a middleware's calls are valid. For `hubtoken.asgi`.
///
/// Args:
///     max_age: As for `identify`.
///     timeout: As for `identify`.
///
/// Raises:
///     ValueError: One of them is not a valid number of seconds.
#[pyfunction]
#[pyo3(signature = (max_age: "float | None", timeout: "float | None") -> "None")]
pub fn check_lifetimes(max_age: Option<Seconds>, timeout: Option<Seconds>) -> PyResult<()> {
    options(Options::default(), max_age, None, timeout).map(drop)
}

/// The options of a call that goes on with what an earlier one has begun.
fn after(options: Options, spent: f64, process: &ProcessState) -> PyResult<Options> {
    let spent = Duration::try_from_secs_f64(spent)
        .map_err(|_| PyValueError::new_err("spent must be a number of seconds, 0 or more"))?;
    let now = process.client.clock().now();
    Ok(options.begun(now.checked_sub(spent).unwrap_or(now)))
}

fn requirement(need: &str, repo: Option<&str>, repo_type: &str) -> PyResult<Requirement> {
    let kind = RepositoryType::from_argument(repo_type).map_err(to_python)?;
    let required = match Role::parse(need) {
        Ok(role) => Required::Role(role),
        Err(_) => Required::permission_named(need).map_err(to_python)?,
    };
    Ok(Requirement {
        required,
        repository: repo.map(|text| (text.to_owned(), kind)),
        namespace: None,
        must_exist: false,
        needed_until: None,
    })
}
