//! What the embedded Hub keeps of tokens, decisions and actions, as Python sees it.

use pyo3::prelude::*;
use time::OffsetDateTime;

use crate::hub::{Approval, AuditEntry, GrantedRole, TokenInfo};

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

/// A token that asked an organization of an embedded Hub to be let in, or was shut out of it.
#[pyclass(name = "Approval", module = "hubtoken.hub", frozen)]
pub struct PyApproval(pub Approval);

#[pymethods]
impl PyApproval {
    /// The member whose token it is.
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

    /// When the token asked; when it was revoked, if it never did.
    #[getter]
    fn asked_at(&self) -> OffsetDateTime {
        self.0.asked_at
    }

    /// When somebody decided.
    #[getter]
    fn decided_at(&self) -> Option<OffsetDateTime> {
        self.0.decided_at
    }

    /// Who decided: a user's name, or `admin-key` or `program`.
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

/// A line of an embedded Hub's audit log: who did what to what, when, and from where.
#[pyclass(name = "AuditEntry", module = "hubtoken.hub", frozen)]
pub struct PyAuditEntry(pub AuditEntry);

#[pymethods]
impl PyAuditEntry {
    /// Grows from entry to entry.
    #[getter]
    fn id(&self) -> i64 {
        self.0.id
    }

    /// When it was done.
    #[getter]
    fn at(&self) -> OffsetDateTime {
        self.0.at
    }

    /// What was done, such as `token.create`.
    #[getter]
    fn act(&self) -> &'static str {
        self.0.act.as_str()
    }

    /// Who did it: `user`, `admin-key`, `program` or `nobody`.
    #[getter]
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The name of the user who did it.
    #[getter]
    fn actor_name(&self) -> Option<&str> {
        self.0.actor_name.as_deref()
    }

    /// The id of the token with which the user did it.
    #[getter]
    fn actor_token(&self) -> Option<&str> {
        self.0.actor_token.as_deref()
    }

    /// The address it was done from.
    #[getter]
    fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// The user it was done to.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.0.subject.user.as_deref()
    }

    /// The organization it was done in.
    #[getter]
    fn organization(&self) -> Option<&str> {
        self.0.subject.organization.as_deref()
    }

    /// The id of the token it was done to.
    #[getter]
    fn token_id(&self) -> Option<&str> {
        self.0.subject.token_id.as_deref()
    }

    /// The name of the token it was done to.
    #[getter]
    fn token_name(&self) -> Option<&str> {
        self.0.subject.token_name.as_deref()
    }

    /// The last four characters of that token's value; of the new one, after a refresh.
    #[getter]
    fn last4(&self) -> Option<&str> {
        self.0.subject.token_last4.as_deref()
    }

    /// The repository it was done to.
    #[getter]
    fn repository(&self) -> Option<&str> {
        self.0.subject.repository.as_deref()
    }

    /// What it became: a role, a policy, settings.
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
