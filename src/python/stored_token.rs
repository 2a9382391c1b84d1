//! `StoredToken`: a token that is stored on this machine.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use time::OffsetDateTime;

use super::error::to_python;
use super::login_token;
use super::token::PyHubToken;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::live_tokens;
use crate::sanitize::redacted;
use crate::source::Source;
use crate::store::Entry;
use crate::token::Token;

/// A token that is stored on this machine under a name.
///
/// Example:
///     >>> import hubtoken
///     >>> [stored.name for stored in hubtoken.stored_tokens() if stored.active]
///     []
#[pyclass(name = "StoredToken", module = "hubtoken", frozen)]
pub struct PyStoredToken {
    name: String,
    token: Token,
    endpoint: Endpoint,
    user: Option<String>,
    role: Option<String>,
    created_at: Option<i64>,
    expires_at: Option<i64>,
    active: bool,
    /// Created on demand: a list has many tokens, and few of them are used.
    credential: OnceLock<Arc<Credential>>,
}

#[pymethods]
impl PyStoredToken {
    /// The name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The token.
    #[getter]
    fn token(&self) -> PyResult<PyHubToken> {
        let credential = if let Some(credential) = self.credential.get() {
            credential
        } else {
            let token = login_token::parse(self.token.expose()).map_err(to_python)?;
            self.credential.get_or_init(|| {
                Arc::new(Credential {
                    token,
                    source: Source::Store(self.name.clone()),
                    endpoint: self.endpoint.clone(),
                    expires_at: self
                        .expires_at
                        .map(Expiry::at_unix_seconds)
                        .unwrap_or_default(),
                })
            })
        };
        // A pickle of it finds it again.
        live_tokens::register(credential);
        Ok(PyHubToken::from(Arc::clone(credential)))
    }

    /// The Hub that the token belongs to.
    #[getter]
    fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }

    /// The account; `None` if `huggingface_hub` stored the token.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The role at login; `None` if it is unknown.
    #[getter]
    fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// When the token was created (UTC); `None` if that is unknown.
    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        self.created_at.and_then(moment)
    }

    /// When the token expires (UTC), which may be in the past; `None` if it does not expire, or
    /// that is unknown.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.expires_at.and_then(moment)
    }

    /// Whether it is the active token, which every library uses if it is given none.
    #[getter]
    fn active(&self) -> bool {
        self.active
    }

    fn __repr__(&self) -> String {
        format!(
            "<StoredToken {} {}{}>",
            redacted(&self.name),
            self.token.mask(),
            if self.active { ", active" } else { "" }
        )
    }
}

impl PyStoredToken {
    /// The Python object for an entry of the list of stored tokens.
    pub fn new(entry: Entry) -> Result<Self, Error> {
        Ok(Self {
            name: entry.name,
            token: entry.token?,
            endpoint: entry.endpoint,
            user: entry.user,
            role: entry.role,
            created_at: entry.created_at,
            expires_at: entry.expires_at,
            active: entry.active,
            credential: OnceLock::new(),
        })
    }
}

fn moment(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}
