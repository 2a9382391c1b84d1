//! What `hubtoken.asgi` asks about the callers of a server.
//!
//! As `identify`, it keeps nothing of them on the disk. A caller who is refused may come back as
//! often as they like, so before a *no* the Hub is asked at most once in ten seconds a token,
//! whether it answers or not.

use pyo3::prelude::*;

use super::arguments::options;
use super::error::to_python;
use super::identify::credential;
use super::identity::PyIdentity;
use super::interrupt::Signals;
use super::log;
use crate::env::ProcessEnvironment;
use crate::http::Settings;
use crate::identity::Options;
use crate::process;
use crate::repository::RepositoryType;
use crate::require::Requirement;
use crate::role::{Need, Role, Target};

/// Asks whose a caller's token is before the caller is refused. For `hubtoken.asgi`.
///
/// Args:
///     token: As for `identify`.
///     endpoint: As for `identify`.
///     max_age: How old an answer may be, in seconds; 10 at most, and by default.
///     timeout: As for `identify`.
///
/// Returns:
///     The identity.
///
/// Raises:
///     hubtoken.errors.HubTokenError: As for `identify`. What the Hub did not answer it is not
///         asked again before the same time has passed.
#[pyfunction]
#[pyo3(signature = (
    token: "str",
    *,
    endpoint: "str | None" = None,
    max_age: "float | None" = None,
    timeout: "float | None" = None,
) -> "Identity")]
pub fn identify_anew(
    py: Python<'_>,
    token: &Bound<'_, PyAny>,
    endpoint: Option<&str>,
    max_age: Option<f64>,
    timeout: Option<f64>,
) -> PyResult<PyIdentity> {
    let options = options(Options::for_bearers(), max_age, None, timeout)?;
    let credential = credential(py, token, endpoint)?;
    let process = process::current_checked();
    let settings = Settings::read(&ProcessEnvironment).unshared();
    let line = process.client.line(&credential.endpoint, &settings);
    let signals = Signals::default();
    let age = options.freshness.denial.first;
    log::detached(py, || {
        process
            .client
            .identify_anew(&credential, &line, &options, age, &signals)
    })?
    .map(|known| PyIdentity(known.identity))
    .map_err(|failure| signals.to_python(failure.into_error(&credential)))
}

/// Makes sure that a caller's token will do, where the Hub itself has to say. For
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
) -> "None")]
#[expect(clippy::too_many_arguments, reason = "the Python signature")]
pub fn require_of_caller(
    py: Python<'_>,
    need: &str,
    token: &Bound<'_, PyAny>,
    repo: Option<&str>,
    repo_type: &str,
    endpoint: Option<&str>,
    max_age: Option<f64>,
    timeout: Option<f64>,
) -> PyResult<()> {
    let options = options(Options::for_bearers(), max_age, None, timeout)?;
    let requirement = requirement(need, repo, repo_type)?;
    let credential = credential(py, token, endpoint)?;
    let process = process::current_checked();
    if requirement.is_granted(&process.client, &credential, options.max_age) {
        return Ok(());
    }
    let settings = Settings::read(&ProcessEnvironment).unshared();
    let line = process.client.line(&credential.endpoint, &settings);
    let signals = Signals::default();
    log::detached(py, || {
        requirement.check(&process.client, &credential, &line, &options, &signals)
    })?
    .map(|_| ())
    .map_err(|error| signals.to_python(error))
}

/// Makes sure that a repository is named as it can be. For `hubtoken.asgi`.
///
/// Args:
///     repo: `namespace/name`.
///     repo_type: As for `require_role`.
///
/// Raises:
///     ValueError: It cannot be the name of a repository, or the type is not one.
#[pyfunction]
pub fn check_repository(repo: &str, repo_type: &str) -> PyResult<()> {
    let kind = RepositoryType::from_argument(repo_type).map_err(to_python)?;
    Target::repository(repo, kind, "")
        .map(|_| ())
        .map_err(to_python)
}

fn requirement(need: &str, repo: Option<&str>, repo_type: &str) -> PyResult<Requirement> {
    let kind = RepositoryType::from_argument(repo_type).map_err(to_python)?;
    let need = match Role::parse(need) {
        Ok(role) => Need::Role(role),
        Err(_) => Need::permission_named(need).map_err(to_python)?,
    };
    Ok(Requirement {
        need,
        repository: repo.map(|text| (text.to_owned(), kind)),
        namespace: None,
        must_exist: false,
    })
}
