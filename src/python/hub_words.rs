//! The words of the embedded Hub's Python face, and what they mean in Rust.

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use time::{Duration, OffsetDateTime};

use super::error::to_python;
use crate::hub::{
    Gate, GrantedRole, OrganizationRole, RepositoryType, Scope, TokenInfo, TokenPolicy, TokenRole,
};

/// A token of a user of an embedded Hub, without its value.
#[pyclass(name = "TokenInfo", module = "hubtoken.hub", frozen)]
pub struct PyTokenInfo(pub TokenInfo);

#[pymethods]
impl PyTokenInfo {
    /// 24 hexadecimal digits; stays the same when the token is refreshed.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// The token's name; names may repeat.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// `read`, `write` or `fine-grained`.
    #[getter]
    fn role(&self) -> &'static str {
        match self.0.role {
            GrantedRole::Read => "read",
            GrantedRole::Write => "write",
            GrantedRole::FineGrained(_) => "fine-grained",
        }
    }

    /// The last four characters of the value.
    #[getter]
    fn last4(&self) -> &str {
        &self.0.last4
    }

    /// When the token was made.
    #[getter]
    fn created_at(&self) -> OffsetDateTime {
        self.0.created_at
    }

    /// When the token was last used, to the minute.
    #[getter]
    fn last_used_at(&self) -> Option<OffsetDateTime> {
        self.0.last_used_at
    }

    /// When the token ends.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.0.expires_at
    }

    /// How many requests the token had a model answer.
    #[getter]
    fn inference_requests(&self) -> u64 {
        self.0.inference_requests
    }

    fn __repr__(&self) -> String {
        format!(
            "<TokenInfo {:?}, role {}, …{}>",
            self.0.name,
            self.role(),
            self.0.last4
        )
    }
}

/// A type of repository.
pub fn kind(text: &str) -> PyResult<RepositoryType> {
    RepositoryType::from_argument(text).map_err(to_python)
}

/// A gate.
pub fn gate(text: Option<&str>) -> PyResult<Option<Gate>> {
    match text {
        None => Ok(None),
        Some("auto") => Ok(Some(Gate::Auto)),
        Some("manual") => Ok(Some(Gate::Manual)),
        Some(_) => Err(PyValueError::new_err(
            "gated is \"auto\", \"manual\" or None",
        )),
    }
}

/// A role in an organisation.
pub fn organization_role(text: &str) -> PyResult<OrganizationRole> {
    match text {
        "admin" => Ok(OrganizationRole::Admin),
        "write" => Ok(OrganizationRole::Write),
        "contributor" => Ok(OrganizationRole::Contributor),
        "read" => Ok(OrganizationRole::Read),
        "no_access" => Ok(OrganizationRole::NoAccess),
        _ => Err(PyValueError::new_err(
            "a role in an organisation is \"admin\", \"write\", \"contributor\", \"read\" or \
             \"no_access\"",
        )),
    }
}

/// An organisation's token policy.
pub fn token_policy(text: &str) -> PyResult<TokenPolicy> {
    TokenPolicy::parse(text).ok_or_else(|| {
        PyValueError::new_err(
            "a token policy is \"allow-all\", \"fine-grained-only\" or \"require-approval\"",
        )
    })
}

/// What a fine-grained token may do, as Python says it.
pub struct Grants {
    /// Permissions by what they are for.
    pub scopes: Option<HashMap<String, Vec<String>>>,
    /// Permissions for everything.
    pub global_permissions: Option<Vec<String>>,
    /// Whether it reads public gated repositories.
    pub can_read_gated_repos: bool,
}

/// A token's role.
pub fn token_role(role: &str, grants: Grants) -> PyResult<TokenRole> {
    let fine_grained = grants.scopes.is_some()
        || grants.global_permissions.is_some()
        || grants.can_read_gated_repos;
    match role {
        "read" | "write" if fine_grained => Err(PyValueError::new_err(
            "scopes=, global_permissions= and can_read_gated_repos= are for role=\"fine-grained\"",
        )),
        "read" => Ok(TokenRole::Read),
        "write" => Ok(TokenRole::Write),
        "fine-grained" | "fineGrained" => Ok(TokenRole::FineGrained {
            scopes: grants
                .scopes
                .unwrap_or_default()
                .into_iter()
                .map(|(entity, permissions)| Scope {
                    entity,
                    permissions,
                })
                .collect(),
            global: grants.global_permissions.unwrap_or_default(),
            can_read_gated_repos: grants.can_read_gated_repos,
        }),
        _ => Err(PyValueError::new_err(
            "role is \"read\", \"write\" or \"fine-grained\"",
        )),
    }
}

/// The moment that is some seconds from now.
pub fn expiry(seconds: f64) -> PyResult<OffsetDateTime> {
    Duration::checked_seconds_f64(seconds)
        .filter(|duration| duration.is_positive())
        .and_then(|duration| OffsetDateTime::now_utc().checked_add(duration))
        .ok_or_else(|| PyValueError::new_err("expires_in is a positive number of seconds"))
}
