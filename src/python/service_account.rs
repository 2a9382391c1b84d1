//! `ServiceAccount` and `ServiceAccountToken`: what the Hub says of an account and of its tokens.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::printable;
use super::record::record_methods;
use super::text;
use crate::manage::{AccountToken, ServiceAccount};
use crate::sanitize::redacted;

/// An account of an organization that no person signs in to.
#[pyclass(name = "ServiceAccount", module = "hubtoken", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyServiceAccount(pub ServiceAccount);

record_methods! {
impl PyServiceAccount {
    /// Its ID on the Hub.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// The name by which logs and commits refer to it.
    #[getter]
    fn user(&self) -> &str {
        &self.0.user
    }

    /// The display name, which need not be unique.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    #[getter]
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// When it was created.
    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        self.0.created_at
    }

    /// Its tokens, oldest first; `None` if they were not asked for, as in a list of accounts.
    #[getter]
    fn tokens(&self) -> Option<Vec<PyServiceAccountToken>> {
        let tokens = self.0.tokens.as_ref()?;
        Some(tokens.iter().cloned().map(PyServiceAccountToken).collect())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!("<ServiceAccount {:?}, id {}>", self.0.name, self.0.id);
        printable::shown(py, redacted(&text))
    }
}
}

/// A token of a service account, without its value.
#[pyclass(name = "ServiceAccountToken", module = "hubtoken", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyServiceAccountToken(pub AccountToken);

record_methods! {
impl PyServiceAccountToken {
    /// Its ID on the Hub, which stays when the token is rotated.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// The display name, which need not be unique.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was created; `None` if the answer did not say.
    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        self.0.created_at
    }

    /// When it was last used; `None` if never.
    #[getter]
    fn last_used_at(&self) -> Option<OffsetDateTime> {
        self.0.last_used_at
    }

    /// When it expires; `None` if never.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.0.expires_at
    }

    /// The permissions on the whole organization.
    #[getter]
    fn permissions(&self) -> Vec<String> {
        self.0.permissions.clone()
    }

    /// The IDs of the repositories for which `repo_permissions` apply instead.
    #[getter]
    fn repo_ids(&self) -> Vec<String> {
        self.0.repo_ids.clone()
    }

    /// The permissions on those repositories.
    #[getter]
    fn repo_permissions(&self) -> Vec<String> {
        self.0.repo_permissions.clone()
    }

    /// Patterns of inference endpoints' names; empty for all endpoints.
    #[getter]
    fn endpoint_patterns(&self) -> Vec<String> {
        self.0.endpoint_patterns.clone()
    }

    /// The last characters of the value; `None` if the answer did not have them.
    #[getter]
    fn last4(&self) -> Option<&str> {
        self.0.last4.as_deref()
    }

    /// Whether it is exempt from the organization's network security.
    #[getter]
    fn skip_network_security(&self) -> bool {
        self.0.skip_network_security
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let last4 = self.last4().map_or_else(String::new, |last4| format!(", \u{2026}{last4}"));
        let text = format!("<ServiceAccountToken {:?}, id {}{last4}>", self.0.name, self.0.id);
        printable::shown(py, redacted(&text))
    }
}
}

/// An account as a method takes it: itself, its ID, or one of its names.
pub fn account_argument(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.cast::<PyServiceAccount>() {
        Ok(account) => Ok(account.get().0.id.clone()),
        Err(_) => named("account", "ServiceAccount", value),
    }
}

/// A token as a method takes it.
pub fn token_argument(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.cast::<PyServiceAccountToken>() {
        Ok(token) => Ok(token.get().0.id.clone()),
        Err(_) => named("token", "ServiceAccountToken", value),
    }
}

fn named(argument: &str, class: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyString>() {
        return text::words(value);
    }
    // The type's name, never the value.
    Err(PyTypeError::new_err(format!(
        "{argument}= takes a str or a {class}, not {}",
        value.get_type().name()?
    )))
}
