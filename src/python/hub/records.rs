//! Python classes for the embedded Hub's records: tokens, approvals, and audit entries.

use pyo3::prelude::*;
use time::OffsetDateTime;

use crate::hub::{Approval, AuditEntry, GrantedRole, TokenInfo};

/// A token of a user of an embedded Hub, without its value.
#[pyclass(name = "TokenInfo", module = "hubtoken.hub", frozen)]
pub struct PyTokenInfo(pub TokenInfo);

#[pymethods]
impl PyTokenInfo {
    /// 24 hexadecimal digits; unchanged when the token is refreshed.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// The token's name, which need not be unique.
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

    /// When the token was created.
    #[getter]
    fn created_at(&self) -> OffsetDateTime {
        self.0.created_at
    }

    /// When the token was last used, to the minute.
    #[getter]
    fn last_used_at(&self) -> Option<OffsetDateTime> {
        self.0.last_used_at
    }

    /// When the token expires.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.0.expires_at
    }

    /// How many inference requests the token has sent.
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

/// A token that requested access to an organization of an embedded Hub, or was revoked there.
#[pyclass(name = "Approval", module = "hubtoken.hub", frozen)]
pub struct PyApproval(pub Approval);

#[pymethods]
impl PyApproval {
    /// The member who owns the token.
    #[getter]
    fn user(&self) -> &str {
        &self.0.user
    }

    /// The token.
    #[getter]
    fn token(&self) -> PyTokenInfo {
        PyTokenInfo(self.0.token.clone())
    }

    /// `pending`, `approved`, `denied` or `revoked`.
    #[getter]
    fn status(&self) -> &'static str {
        self.0.status.as_str()
    }

    /// When the token requested access; when it was revoked, if it never did.
    #[getter]
    fn asked_at(&self) -> OffsetDateTime {
        self.0.asked_at
    }

    /// When it was decided.
    #[getter]
    fn decided_at(&self) -> Option<OffsetDateTime> {
        self.0.decided_at
    }

    /// Who decided: a user's name, `admin-key` or `program`.
    #[getter]
    fn decided_by(&self) -> Option<&str> {
        self.0.decided_by.as_deref()
    }

    fn __repr__(&self) -> String {
        format!(
            "<Approval of {:?} of {}, {}>",
            self.0.token.name,
            self.0.user,
            self.status()
        )
    }
}

/// An entry of an embedded Hub's audit log: who did what to what, when, and from where.
#[pyclass(name = "AuditEntry", module = "hubtoken.hub", frozen)]
pub struct PyAuditEntry(pub AuditEntry);

#[pymethods]
impl PyAuditEntry {
    /// The entry's ID, which grows from entry to entry.
    #[getter]
    fn id(&self) -> i64 {
        self.0.id
    }

    /// When the action happened.
    #[getter]
    fn at(&self) -> OffsetDateTime {
        self.0.at
    }

    /// The action, such as `token.create`.
    #[getter]
    fn act(&self) -> &'static str {
        self.0.act.as_str()
    }

    /// What kind of actor it was: `user`, `admin-key`, `program` or `nobody`.
    #[getter]
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The name of the acting user.
    #[getter]
    fn actor_name(&self) -> Option<&str> {
        self.0.actor_name.as_deref()
    }

    /// The ID of the token that the acting user used.
    #[getter]
    fn actor_token(&self) -> Option<&str> {
        self.0.actor_token.as_deref()
    }

    /// The address that the action came from.
    #[getter]
    fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// The user that the action applied to.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.0.subject.user.as_deref()
    }

    /// The organization that the action applied to.
    #[getter]
    fn organization(&self) -> Option<&str> {
        self.0.subject.organization.as_deref()
    }

    /// The ID of the token that the action applied to.
    #[getter]
    fn token_id(&self) -> Option<&str> {
        self.0.subject.token_id.as_deref()
    }

    /// The name of the token that the action applied to.
    #[getter]
    fn token_name(&self) -> Option<&str> {
        self.0.subject.token_name.as_deref()
    }

    /// The last four characters of that token's value; of the new one, after a refresh.
    #[getter]
    fn last4(&self) -> Option<&str> {
        self.0.subject.token_last4.as_deref()
    }

    /// The repository that the action applied to.
    #[getter]
    fn repository(&self) -> Option<&str> {
        self.0.subject.repository.as_deref()
    }

    /// The new value: a role, a policy, settings.
    #[getter]
    fn detail(&self) -> Option<&str> {
        self.0.subject.detail.as_deref()
    }

    fn __repr__(&self) -> String {
        format!(
            "<AuditEntry {}: {} by {}>",
            self.0.id,
            self.act(),
            self.actor_name().unwrap_or(&self.0.actor)
        )
    }
}
