//! `ServiceAccounts`: reads and changes the service accounts of an organization.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;

use super::issued_token::issued;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::identity::Settings;
use crate::manage::{ServiceAccounts, TokenChange};
use crate::process_state;
use crate::python::environment::PythonEnvironment;
use crate::python::error::to_python;
use crate::python::service_account::{
    PyServiceAccount, PyServiceAccountToken, account_argument, token_argument,
};
use crate::python::signals::Signals;
use crate::python::token::PyHubToken;
use crate::python::{log, printable, text};

/// The service accounts of an organization. Get one from `hubtoken.service_accounts()`.
///
/// An account or a token may be given as a record, by its ID, or by its name, if only one has that
/// name. A change applies at once, in every client of the Hub.
#[pyclass(name = "ServiceAccounts", module = "hubtoken", frozen)]
pub struct PyServiceAccounts {
    pub(super) organization: String,
    /// A login's token is renewed here as elsewhere, however long this object is kept.
    pub(super) token: Py<PyHubToken>,
    pub(super) endpoint: Endpoint,
    pub(super) timeout: Duration,
}

impl PyServiceAccounts {
    /// Runs an operation, detached from the interpreter.
    fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&ServiceAccounts, &Signals) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        let credential = self.token.get().credential(py)?;
        let process = process_state::current_after_pid_check();
        let settings = Settings::read(&PythonEnvironment::current(py)?);
        let accounts = ServiceAccounts::new(
            &process.client,
            credential,
            settings.http,
            &self.organization,
            self.timeout,
        )
        .map_err(to_python)?;
        let signals = Arc::new(Signals::default());
        let interrupt = Arc::clone(&signals);
        log::detached(py, move || work(&accounts, &interrupt))?
            .map_err(|error| signals.to_python(error))
    }

    /// The same for an operation after which earlier answers about a token no longer hold.
    fn change<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&ServiceAccounts, &Signals) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        let done = self.run(py, work);
        // Even if the answer was lost, and whichever token it was: only the Hub knows its value.
        let process = process_state::current_after_pid_check();
        let settings = Settings::read(&PythonEnvironment::current(py)?);
        process
            .client
            .invalidate_endpoint_shared(&settings, &self.endpoint);
        done
    }
}

#[pymethods]
impl PyServiceAccounts {
    /// The organization.
    #[getter]
    fn organization(&self) -> &str {
        &self.organization
    }

    /// The Hub.
    #[getter]
    fn endpoint(&self) -> &str {
        self.endpoint.as_str()
    }

    /// Lists the accounts, oldest first, without their tokens.
    ///
    /// Returns:
    ///     The accounts.
    ///
    /// Raises:
    ///     hubtoken.errors.AccessDeniedError: The token may not see them.
    ///     hubtoken.errors.HubError: There is no such organization.
    ///     hubtoken.errors.InvalidTokenError: The Hub rejects the token.
    ///     hubtoken.errors.VerdictUnknownError: The Hub gave no answer, or an invalid one.
    ///     hubtoken.errors.ConfigurationError: The certificates or the proxy that the environment
    ///         names cannot be used.
    #[pyo3(signature = () -> "list[ServiceAccount]")]
    fn list(&self, py: Python<'_>) -> PyResult<Vec<PyServiceAccount>> {
        let accounts = self.run(py, |accounts, interrupt| accounts.list(interrupt))?;
        Ok(accounts.into_iter().map(PyServiceAccount).collect())
    }

    /// Returns an account with its tokens.
    ///
    /// Args:
    ///     account: The account.
    ///
    /// Returns:
    ///     The account.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: There is no such account or organization, or several accounts
    ///         have that name.
    ///     hubtoken.errors.HubTokenError: As for `list`.
    #[pyo3(signature = (account: "str | ServiceAccount") -> "ServiceAccount")]
    fn get(&self, py: Python<'_>, account: &Bound<'_, PyAny>) -> PyResult<PyServiceAccount> {
        let account = account_argument(account)?;
        self.run(py, move |accounts, interrupt| {
            accounts.get_account(&account, interrupt)
        })
        .map(PyServiceAccount)
    }

    /// Creates an account without tokens.
    ///
    /// Args:
    ///     name: The display name, of 50 characters at most.
    ///     description: What it is for, in 500 characters at most.
    ///
    /// Returns:
    ///     The account.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The Hub refuses the name or the description.
    ///     hubtoken.errors.HubTokenError: As for `list`. If the answer was lost, the message says
    ///         that the account may have been created.
    ///     ValueError: The name or the description holds a token.
    #[pyo3(signature = (name: "str", description: "str | None" = None) -> "ServiceAccount")]
    fn create(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] name: String,
        #[pyo3(from_py_with = text::words)] description: Option<String>,
    ) -> PyResult<PyServiceAccount> {
        self.run(py, move |accounts, interrupt| {
            accounts.create(&name, description.as_deref(), interrupt)
        })
        .map(PyServiceAccount)
    }

    /// Deletes an account and all of its tokens, which end at once.
    ///
    /// Args:
    ///     account: The account.
    ///
    /// Raises:
    ///     hubtoken.errors.HubTokenError: As for `get`.
    #[pyo3(signature = (account: "str | ServiceAccount") -> "None")]
    fn delete(&self, py: Python<'_>, account: &Bound<'_, PyAny>) -> PyResult<()> {
        let account = account_argument(account)?;
        self.change(py, move |accounts, interrupt| {
            accounts.delete(&account, interrupt).map(drop)
        })
    }

    /// Creates a token of an account. The Hub shows the value only now, and this call does not stop
    /// at Ctrl-C before it has it; the `KeyboardInterrupt` then has a note that names the token.
    ///
    /// Args:
    ///     account: The account.
    ///     name: The display name; `None` for the Hub's default.
    ///     permissions: What it may do in the whole organization, such as `"repo.content.read"`,
    ///         `"repo.write"` or `"inference.serverless.write"`.
    ///     repos: Repositories for which `repo_permissions` apply instead: `"acme/model"`,
    ///         `"datasets/acme/x"`, or IDs.
    ///     repo_permissions: `"repo.content.read"` and `"repo.write"`.
    ///     endpoint_patterns: The inference endpoints that the permissions for endpoints are limited
    ///         to, such as `"gpt2-*"`.
    ///     skip_network_security: Whether to exempt the token from the organization's network
    ///         security.
    ///
    /// Returns:
    ///     The token, and what the Hub says about it.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: There is no such account, or the Hub refuses a property.
    ///     hubtoken.errors.HubTokenError: As for `list`. If the answer was lost, the message says
    ///         that there may be a token whose value nobody knows.
    ///     ValueError: A permission is misspelled, no repository can have the name, or the token's
    ///         name holds a token.
    #[pyo3(signature = (
        account: "str | ServiceAccount",
        name: "str | None" = None,
        *,
        permissions: "Sequence[str]" = Vec::new(),
        repos: "Sequence[str]" = Vec::new(),
        repo_permissions: "Sequence[str]" = Vec::new(),
        endpoint_patterns: "Sequence[str]" = Vec::new(),
        skip_network_security: "bool" = false,
    ) -> "tuple[HubToken, ServiceAccountToken]")]
    #[expect(clippy::too_many_arguments, reason = "the properties of a token")]
    fn create_token(
        &self,
        py: Python<'_>,
        account: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = text::words)] name: Option<String>,
        #[pyo3(from_py_with = text::words)] permissions: Vec<String>,
        #[pyo3(from_py_with = text::words)] repos: Vec<String>,
        #[pyo3(from_py_with = text::words)] repo_permissions: Vec<String>,
        #[pyo3(from_py_with = text::words)] endpoint_patterns: Vec<String>,
        skip_network_security: bool,
    ) -> PyResult<(PyHubToken, PyServiceAccountToken)> {
        let account = account_argument(account)?;
        let new = TokenChange {
            name,
            permissions: Some(permissions),
            repos: (!repos.is_empty()).then_some(repos),
            repo_permissions: Some(repo_permissions),
            endpoint_patterns: Some(endpoint_patterns),
            skip_network_security: Some(skip_network_security),
        };
        self.run(py, move |accounts, interrupt| {
            accounts.create_token(&account, new, interrupt)
        })
        .and_then(|token| issued(py, token))
    }

    /// Changes a token's name or permissions. What is not given stays as it is.
    ///
    /// Args:
    ///     account: The account.
    ///     token: The token.
    ///     name: As for `create_token`.
    ///     permissions: As for `create_token`.
    ///     repos: As for `create_token`.
    ///     repo_permissions: As for `create_token`.
    ///     endpoint_patterns: As for `create_token`.
    ///     skip_network_security: As for `create_token`.
    ///
    /// Returns:
    ///     The token, as it is now.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: There is no such account or token, or the Hub refuses a
    ///         property.
    ///     hubtoken.errors.HubTokenError: As for `list`.
    ///     ValueError: As for `create_token`; nothing is given to change.
    #[pyo3(signature = (
        account: "str | ServiceAccount",
        token: "str | ServiceAccountToken",
        *,
        name: "str | None" = None,
        permissions: "Sequence[str] | None" = None,
        repos: "Sequence[str] | None" = None,
        repo_permissions: "Sequence[str] | None" = None,
        endpoint_patterns: "Sequence[str] | None" = None,
        skip_network_security: "bool | None" = None,
    ) -> "ServiceAccountToken")]
    #[expect(clippy::too_many_arguments, reason = "the properties of a token")]
    fn change_token(
        &self,
        py: Python<'_>,
        account: &Bound<'_, PyAny>,
        token: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = text::words)] name: Option<String>,
        #[pyo3(from_py_with = text::words)] permissions: Option<Vec<String>>,
        #[pyo3(from_py_with = text::words)] repos: Option<Vec<String>>,
        #[pyo3(from_py_with = text::words)] repo_permissions: Option<Vec<String>>,
        #[pyo3(from_py_with = text::words)] endpoint_patterns: Option<Vec<String>>,
        skip_network_security: Option<bool>,
    ) -> PyResult<PyServiceAccountToken> {
        let (account, token) = (account_argument(account)?, token_argument(token)?);
        let change = TokenChange {
            name,
            permissions,
            repos,
            repo_permissions,
            endpoint_patterns,
            skip_network_security,
        };
        self.change(py, move |accounts, interrupt| {
            accounts.change_token(&account, &token, change, interrupt)
        })
        .map(PyServiceAccountToken)
    }

    /// Gives a token a new value, which the Hub shows only now; the old one ends at once. As
    /// `create_token`, it does not stop at Ctrl-C before it has the value.
    ///
    /// Args:
    ///     account: The account.
    ///     token: The token.
    ///
    /// Returns:
    ///     The token with its new value, and what the Hub says about it.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: There is no such account or token.
    ///     hubtoken.errors.HubTokenError: As for `list`. If the answer was lost, the message says
    ///         that the old value may no longer work.
    #[pyo3(signature = (
        account: "str | ServiceAccount",
        token: "str | ServiceAccountToken",
    ) -> "tuple[HubToken, ServiceAccountToken]")]
    fn rotate_token(
        &self,
        py: Python<'_>,
        account: &Bound<'_, PyAny>,
        token: &Bound<'_, PyAny>,
    ) -> PyResult<(PyHubToken, PyServiceAccountToken)> {
        let (account, token) = (account_argument(account)?, token_argument(token)?);
        self.change(py, move |accounts, interrupt| {
            accounts.rotate_token(&account, &token, interrupt)
        })
        .and_then(|token| issued(py, token))
    }

    /// Deletes a token, which ends at once.
    ///
    /// Args:
    ///     account: The account.
    ///     token: The token.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: There is no such account or token.
    ///     hubtoken.errors.HubTokenError: As for `list`.
    #[pyo3(signature = (
        account: "str | ServiceAccount",
        token: "str | ServiceAccountToken",
    ) -> "None")]
    fn delete_token(
        &self,
        py: Python<'_>,
        account: &Bound<'_, PyAny>,
        token: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (account, token) = (account_argument(account)?, token_argument(token)?);
        self.change(py, move |accounts, interrupt| {
            accounts.delete_token(&account, &token, interrupt).map(drop)
        })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!(
            "<ServiceAccounts of {} at {}>",
            self.organization, self.endpoint
        );
        printable::shown(py, text)
    }
}
