//! Python classes for the embedded Hub's records: tokens, approvals, and audit entries.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::super::printable;
use super::super::record::record_methods;
use crate::hub::{Approval, AuditEntry, GrantedRole, Publisher, TokenInfo};
use crate::timestamp;

/// A token of a user of an embedded Hub, without its value.
#[pyclass(name = "TokenInfo", module = "hubtoken.hub", frozen, eq, hash)]
#[derive(Clone, PartialEq, Hash, Serialize, Deserialize)]
pub struct PyTokenInfo {
    id: String,
    name: String,
    role: String,
    last4: String,
    #[serde(with = "timestamp")]
    created_at: OffsetDateTime,
    #[serde(default, with = "timestamp::optional")]
    last_used_at: Option<OffsetDateTime>,
    #[serde(default, with = "timestamp::optional")]
    expires_at: Option<OffsetDateTime>,
    #[serde(default)]
    inference_requests: u64,
}

impl From<TokenInfo> for PyTokenInfo {
    fn from(token: TokenInfo) -> Self {
        let role = match token.role {
            GrantedRole::Read => "read",
            GrantedRole::Write => "write",
            GrantedRole::FineGrained(_) => "fine-grained",
            GrantedRole::Login(_) => "login",
            GrantedRole::Repository(_) => "repository",
        };
        Self {
            id: token.id,
            name: token.name,
            role: role.to_owned(),
            last4: token.last4,
            created_at: token.created_at,
            last_used_at: token.last_used_at,
            expires_at: token.expires_at,
            inference_requests: token.inference_requests,
        }
    }
}

record_methods! {
impl PyTokenInfo {
    /// 24 hexadecimal digits; unchanged when the token is refreshed.
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    /// The token's name, which need not be unique.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// `read`, `write` or `fine-grained`.
    #[getter]
    fn role(&self) -> &str {
        &self.role
    }

    /// The last four characters of the value.
    #[getter]
    fn last4(&self) -> &str {
        &self.last4
    }

    /// When the token was created.
    #[getter]
    fn created_at(&self) -> OffsetDateTime {
        self.created_at
    }

    /// When the token was last used; `None` if never. A use is recorded without making its request
    /// wait, and at most once a minute: the last one may be up to a minute later than this.
    #[getter]
    fn last_used_at(&self) -> Option<OffsetDateTime> {
        self.last_used_at
    }

    /// When the token expires.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.expires_at
    }

    /// How many inference requests the token has sent.
    #[getter]
    fn inference_requests(&self) -> u64 {
        self.inference_requests
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!(
            "<TokenInfo {:?}, role {}, \u{2026}{}>",
            self.name, self.role, self.last4
        );
        printable::shown(py, text)
    }
}
}

/// A token that requested access to an organization of an embedded Hub, or was revoked there.
#[pyclass(name = "Approval", module = "hubtoken.hub", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyApproval {
    user: String,
    token: PyTokenInfo,
    status: String,
    #[serde(with = "timestamp")]
    asked_at: OffsetDateTime,
    #[serde(default, with = "timestamp::optional")]
    decided_at: Option<OffsetDateTime>,
    decided_by: Option<String>,
}

impl From<Approval> for PyApproval {
    fn from(approval: Approval) -> Self {
        Self {
            user: approval.user,
            token: approval.token.into(),
            status: approval.status.as_str().to_owned(),
            asked_at: approval.asked_at,
            decided_at: approval.decided_at,
            decided_by: approval.decided_by,
        }
    }
}

record_methods! {
impl PyApproval {
    /// The member who owns the token.
    #[getter]
    fn user(&self) -> &str {
        &self.user
    }

    /// The token.
    #[getter]
    fn token(&self) -> PyTokenInfo {
        self.token.clone()
    }

    /// `pending`, `approved`, `denied` or `revoked`.
    #[getter]
    fn status(&self) -> &str {
        &self.status
    }

    /// When the token requested access; when it was revoked, if it never did.
    #[getter]
    fn asked_at(&self) -> OffsetDateTime {
        self.asked_at
    }

    /// When it was decided.
    #[getter]
    fn decided_at(&self) -> Option<OffsetDateTime> {
        self.decided_at
    }

    /// Who decided, as a user's name, `admin-key` or `program`.
    #[getter]
    fn decided_by(&self) -> Option<&str> {
        self.decided_by.as_deref()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!(
            "<Approval of {:?} of {}, {}>",
            self.token.name, self.user, self.status
        );
        printable::shown(py, text)
    }
}
}

/// A trusted publisher of an embedded Hub: the jobs of a CI provider that may exchange their id
/// tokens.
#[pyclass(name = "Publisher", module = "hubtoken.hub", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyPublisher {
    id: String,
    resource: String,
    user: String,
    issuer: String,
    claims: BTreeMap<String, String>,
    #[serde(default)]
    has_keys: bool,
    #[serde(with = "timestamp")]
    created_at: OffsetDateTime,
    #[serde(default, with = "timestamp::optional")]
    last_used_at: Option<OffsetDateTime>,
}

impl From<Publisher> for PyPublisher {
    fn from(publisher: Publisher) -> Self {
        Self {
            id: publisher.id,
            resource: publisher.resource,
            user: publisher.user,
            issuer: publisher.issuer,
            claims: publisher.claims,
            has_keys: publisher.keys.is_some(),
            created_at: publisher.created_at,
            last_used_at: publisher.last_used_at,
        }
    }
}

record_methods! {
impl PyPublisher {
    /// 24 hexadecimal digits.
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    /// The repository that its tokens write to, `namespace/name`, prefixed with `datasets/` or
    /// `spaces/` where applicable; or the user in whose name they read gated repositories.
    #[getter]
    fn resource(&self) -> &str {
        &self.resource
    }

    /// The user in whose name its tokens act.
    #[getter]
    fn user(&self) -> &str {
        &self.user
    }

    /// The issuer of the ID tokens.
    #[getter]
    fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The claims that an ID token must have, and their values.
    #[getter]
    fn claims(&self) -> BTreeMap<String, String> {
        self.claims.clone()
    }

    /// Whether the issuer's keys were given, so that the Hub does not fetch them.
    #[getter]
    fn has_keys(&self) -> bool {
        self.has_keys
    }

    /// When the publisher was added.
    #[getter]
    fn created_at(&self) -> OffsetDateTime {
        self.created_at
    }

    /// When a token was last issued for it; `None` if never.
    #[getter]
    fn last_used_at(&self) -> Option<OffsetDateTime> {
        self.last_used_at
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!("<Publisher {}, from {}>", self.resource, self.issuer);
        printable::shown(py, text)
    }
}
}

/// An entry of an embedded Hub's audit log: who did what to what, when, and from where.
#[pyclass(name = "AuditEntry", module = "hubtoken.hub", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyAuditEntry {
    id: i64,
    #[serde(with = "timestamp")]
    at: OffsetDateTime,
    act: String,
    actor: String,
    actor_name: Option<String>,
    actor_token: Option<String>,
    address: Option<String>,
    user: Option<String>,
    organization: Option<String>,
    token_id: Option<String>,
    token_name: Option<String>,
    last4: Option<String>,
    repository: Option<String>,
    detail: Option<String>,
}

impl From<AuditEntry> for PyAuditEntry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            act: entry.act.as_str().to_owned(),
            actor: entry.actor,
            actor_name: entry.actor_name,
            actor_token: entry.actor_token,
            address: entry.address,
            user: entry.subject.user,
            organization: entry.subject.organization,
            token_id: entry.subject.token_id,
            token_name: entry.subject.token_name,
            last4: entry.subject.token_last4,
            repository: entry.subject.repository,
            detail: entry.subject.detail,
        }
    }
}

record_methods! {
impl PyAuditEntry {
    /// The entry's ID, which grows from entry to entry.
    #[getter]
    fn id(&self) -> i64 {
        self.id
    }

    /// When the action happened.
    #[getter]
    fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// The action, such as `token.create`.
    #[getter]
    fn act(&self) -> &str {
        &self.act
    }

    /// The kind of actor, which is `user`, `service-account`, `admin-key`, `program`
    /// or `nobody`.
    #[getter]
    fn actor(&self) -> &str {
        &self.actor
    }

    /// The name of the acting user.
    #[getter]
    fn actor_name(&self) -> Option<&str> {
        self.actor_name.as_deref()
    }

    /// The ID of the token that the acting user used.
    #[getter]
    fn actor_token(&self) -> Option<&str> {
        self.actor_token.as_deref()
    }

    /// The address that the action came from.
    #[getter]
    fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The user that the action applied to.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The organization that the action applied to.
    #[getter]
    fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// The ID of the token that the action applied to.
    #[getter]
    fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// The name of the token that the action applied to.
    #[getter]
    fn token_name(&self) -> Option<&str> {
        self.token_name.as_deref()
    }

    /// The last four characters of that token's value; of the new one, after a refresh.
    #[getter]
    fn last4(&self) -> Option<&str> {
        self.last4.as_deref()
    }

    /// The repository that the action applied to.
    #[getter]
    fn repository(&self) -> Option<&str> {
        self.repository.as_deref()
    }

    /// The new value, such as a role, a policy or settings.
    #[getter]
    fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!(
            "<AuditEntry {}: {} by {}>",
            self.id,
            self.act,
            self.actor_name().unwrap_or(&self.actor)
        );
        printable::shown(py, text)
    }
}
}
