//! `authorize`: decides from an identity alone, without a request.

use pyo3::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::to_python;
use super::identity::PyIdentity;
use super::printable;
use super::record::record_methods;
use super::text;
use crate::authorization::{self, Outcome, Verdict};
use crate::error::Error;
use crate::repository::RepositoryType;
use crate::require::Requirement;
use crate::role::{Required, Role, permission};

/// A decision with its reason.
///
/// In a condition, allowed is true and denied is false; unknown is neither, and raises
/// `VerdictUnknownError` with the reason.
#[pyclass(name = "Verdict", module = "hubtoken", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyVerdict {
    outcome: Outcome,
    reason: String,
    required: String,
    actual: Option<String>,
    target: Option<String>,
    remedy_url: Option<String>,
}

impl From<Verdict> for PyVerdict {
    fn from(verdict: Verdict) -> Self {
        Self {
            outcome: verdict.outcome,
            reason: verdict.reason,
            required: verdict.denial.required,
            actual: verdict.denial.actual,
            target: verdict.denial.target,
            remedy_url: verdict.denial.remedy_url,
        }
    }
}

record_methods! {
impl PyVerdict {
    /// `allowed`, `denied` or `unknown`. Unknown is never a denial.
    #[getter]
    fn outcome(&self) -> &'static str {
        self.outcome.name()
    }

    /// The reason, as a sentence.
    #[getter]
    fn reason(&self) -> &str {
        &self.reason
    }

    /// The role or permission that is needed.
    #[getter]
    fn required(&self) -> &str {
        &self.required
    }

    /// The role or permission that the token has.
    #[getter]
    fn actual(&self) -> Option<&str> {
        self.actual.as_deref()
    }

    /// The repository or namespace; `None` for the Hub as a whole.
    #[getter]
    fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The page where a suitable token can be created; `None` if a new token would not help.
    #[getter]
    fn remedy_url(&self) -> Option<&str> {
        self.remedy_url.as_deref()
    }

    /// Whether it is allowed. Raises `VerdictUnknownError` if that is unknown.
    fn __bool__(&self) -> PyResult<bool> {
        match self.outcome {
            Outcome::Allowed => Ok(true),
            Outcome::Denied => Ok(false),
            Outcome::Unknown => Err(to_python(Error::unknown(self.reason.clone()))),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!("<Verdict {}: {}>", self.outcome.name(), self.reason);
        printable::shown(py, text)
    }
}
}

/// Decides from an identity alone whether something is allowed. Sends no request.
///
/// It judges the identity that it is given, however old that is. `whoami` may return one that is
/// five minutes old: before you deny access, pass `whoami(token, max_age=2)`, as `require_role`
/// does.
///
/// The verdict works as a condition: `if hubtoken.authorize(identity, "read", repo=…):` runs its
/// block if access is allowed, skips it if access is denied, and raises if that is unknown.
///
/// Args:
///     identity: What `whoami` returned.
///     need: `"read"`, `"write"`, or a permission such as `"inference.serverless.write"`.
///     repo: As for `require_role`.
///     namespace: A user or organization, if no repository is meant.
///     repo_type: As for `require_role`.
///
/// Returns:
///     The verdict. It is unknown if only the Hub could decide, for instance whether another user's
///     repository is public; and for a permission that neither this version nor a scope of the
///     token lists.
///
/// Raises:
///     ValueError: An argument is invalid; a permission is misspelled, and no scope of the token
///         lists it under that name.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="write")
///     ...     identity = hubtoken.whoami(token)
///     ...     hubtoken.authorize(identity, "write", repo="bob/x").outcome
///     ...     if hubtoken.authorize(identity, "write", repo="alice/x"):
///     ...         print("go on")
///     'denied'
///     go on
#[pyfunction]
#[pyo3(signature = (
    identity: "Identity",
    need: "str",
    *,
    repo: "str | None" = None,
    namespace: "str | None" = None,
    repo_type: "Literal['model', 'dataset', 'space']" = "model",
) -> "Verdict")]
pub fn authorize(
    identity: &PyIdentity,
    #[pyo3(from_py_with = text::words)] need: &str,
    #[pyo3(from_py_with = text::words)] repo: Option<&str>,
    #[pyo3(from_py_with = text::words)] namespace: Option<&str>,
    #[pyo3(from_py_with = text::words)] repo_type: &str,
) -> PyResult<PyVerdict> {
    let decide = || {
        let kind = RepositoryType::from_argument(repo_type)?;
        let requirement = Requirement {
            required: match Role::parse(need) {
                Ok(role) => Required::Role(role),
                Err(_) => Required::permission_named(need)?,
            },
            repository: repo.map(|text| (text.to_owned(), kind)),
            namespace: namespace.map(str::to_owned),
            must_exist: false,
            needed_until: None,
        };
        let target = requirement.target(&identity.0.user)?;
        let verdict = authorization::authorize(&identity.0, &requirement.required, &target);
        match verdict.misspelling() {
            Some(error) => Err(error),
            None => Ok(verdict),
        }
    };
    decide().map(PyVerdict::from).map_err(to_python)
}

/// Checks the spelling of a permission, where there is no token whose scopes could list it.
///
/// Args:
///     permission: The permission.
///
/// Returns:
///     Whether this version knows it.
///
/// Raises:
///     ValueError: It is misspelled, or is not a valid permission.
#[pyfunction]
#[pyo3(signature = (permission: "str") -> "bool")]
pub fn is_known_permission(#[pyo3(from_py_with = text::words)] permission: &str) -> PyResult<bool> {
    permission::check(permission).map_err(to_python)
}
