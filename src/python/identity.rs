//! `Identity`, the result of `whoami`, and the classes it contains.

use std::sync::Arc;

use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::printable;
use super::record::record_methods;
use crate::credential::Credential;
use crate::error::Error;
use crate::identity::model::{Identity, Organization, Scope};
use crate::role::{OrganizationRole, TokenRole};
use crate::trace::Trace;

/// Who a token belongs to, and what it may do, as the Hub reports it.
#[pyclass(name = "Identity", module = "hubtoken", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyIdentity(pub Arc<Identity>);

record_methods! {
impl PyIdentity {
    /// The Hub that answered.
    #[getter]
    fn endpoint(&self) -> String {
        self.0.endpoint.to_string()
    }

    /// The account's name.
    #[getter]
    fn user(&self) -> &str {
        &self.0.user
    }

    /// `user`, `org` or `app`, or what a later Hub calls another kind.
    #[getter]
    fn r#type(&self) -> &str {
        &self.0.kind
    }

    /// The account's display name.
    #[getter]
    fn full_name(&self) -> Option<&str> {
        self.0.full_name.as_deref()
    }

    /// The e-mail address, if the token may read it.
    #[getter]
    fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Whether the account is a paid one; `None` if the Hub did not report it.
    #[getter]
    fn is_pro(&self) -> Option<bool> {
        self.0.is_pro
    }

    /// The organizations that the account belongs to.
    #[getter]
    fn organizations(&self) -> Vec<PyOrganization> {
        self.0
            .organizations
            .iter()
            .cloned()
            .map(PyOrganization)
            .collect()
    }

    /// How the request was authenticated, such as `access_token`, `oauth` or `app_token`.
    #[getter]
    fn authentication(&self) -> Option<&str> {
        self.0.authentication.as_deref()
    }

    /// The token's name on the Hub.
    #[getter]
    fn token_name(&self) -> Option<&str> {
        self.0.token_name.as_deref()
    }

    /// `read`, `write`, `fine-grained` or `god`, or a later Hub's role; `None` for OAuth, OIDC and
    /// app tokens.
    #[getter]
    fn role(&self) -> Option<&str> {
        self.0.role.as_ref().map(TokenRole::name)
    }

    /// When the token was created.
    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        self.0.created_at
    }

    /// When the token expires.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.0.expires_at
    }

    /// The permissions of a fine-grained token, by entity.
    #[getter]
    fn scopes(&self) -> Vec<PyScope> {
        self.0.scopes.iter().cloned().map(PyScope).collect()
    }

    /// The permissions of a fine-grained token that apply everywhere.
    #[getter]
    fn global_permissions(&self) -> Vec<String> {
        self.0.global_permissions.clone()
    }

    /// Whether a fine-grained token may read public gated repositories.
    #[getter]
    fn can_read_gated_repos(&self) -> bool {
        self.0.can_read_gated_repos
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!(
            "<Identity {} at {}, role {}>",
            self.0.user,
            self.0.endpoint,
            self.role().unwrap_or("none")
        );
        printable::shown(py, text)
    }
}
}

/// A membership in an organization.
#[pyclass(name = "Organization", module = "hubtoken", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyOrganization(Organization);

record_methods! {
impl PyOrganization {
    /// The organization's name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The organization's display name.
    #[getter]
    fn full_name(&self) -> Option<&str> {
        self.0.full_name.as_deref()
    }

    /// `admin`, `write`, `contributor`, `read` or `no_access`, or a later Hub's role; `None` if the
    /// Hub did not report it.
    #[getter]
    fn role_in_org(&self) -> Option<&str> {
        self.0.role_in_org.as_ref().map(OrganizationRole::name)
    }

    /// What blocks this token, such as `token-policy`, `token-revoked`, `mfa`, `sso` or `ip`.
    #[getter]
    fn security_restrictions(&self) -> Vec<String> {
        self.0.security_restrictions.clone()
    }

    /// Whether the account has a role in some resource group, which may exceed `role_in_org`.
    #[getter]
    fn has_resource_groups(&self) -> bool {
        self.0.has_resource_groups
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!(
            "<Organization {}, role {}>",
            self.0.name,
            self.role_in_org().unwrap_or("unknown")
        );
        printable::shown(py, text)
    }
}
}

/// The permissions of a fine-grained token on one entity.
#[pyclass(name = "Scope", module = "hubtoken", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyScope(Scope);

record_methods! {
impl PyScope {
    /// `user`, `org`, `model`, `dataset`, `space`, …
    #[getter]
    fn entity_type(&self) -> Option<&str> {
        self.0.entity_type.as_deref()
    }

    /// `alice`, `acme`, `alice/tiny`, …
    #[getter]
    fn entity_name(&self) -> Option<&str> {
        self.0.entity_name.as_deref()
    }

    /// The Hub's permission strings, such as `repo.content.read`.
    #[getter]
    fn permissions(&self) -> Vec<String> {
        self.0.permissions.clone()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!(
            "<Scope {}: {}>",
            self.entity_name().unwrap_or("?"),
            self.0.permissions.join(", ")
        );
        printable::shown(py, text)
    }
}
}

/// The resolved token, which is required: `token=False` is an error.
pub fn needed(credential: Option<Arc<Credential>>) -> PyResult<Arc<Credential>> {
    credential.ok_or_else(|| {
        super::error::to_python(Error::TokenNotFound {
            message: "token=False requests no token, but one is needed here".to_owned(),
            trace: Arc::new(Trace::default()),
        })
    })
}
