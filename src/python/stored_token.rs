//! `StoredToken`: one of the tokens that are stored on this machine.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use time::OffsetDateTime;

use super::error::to_python;
use super::login_token;
use super::token::PyHubToken;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::known_end::KnownEnd;
use crate::live;
use crate::printable::printable;
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
    /// Made when the token is asked for: a list has many, and few of them are.
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
                        .map(KnownEnd::at_unix_seconds)
                        .unwrap_or_default(),
                })
            })
        };
        // A pickle of it finds it again.
        live::register(credential);
        Ok(PyHubToken::from(Arc::clone(credential)))
    }

    /// The Hub that the token belongs to.
    #[getter]
    fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }

    /// The account; `None` when `huggingface_hub` stored the token.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The role at login; `None` when it is not known.
    #[getter]
    fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// When the token was made (UTC); `None` when that is not known.
    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        self.created_at.and_then(moment)
    }

    /// When the token ends (UTC), which may be past; `None` when it does not end, or that is not
    /// known.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.expires_at.and_then(moment)
    }

    /// Whether it is the active token, which every library uses when it is given none.
    #[getter]
    fn active(&self) -> bool {
        self.active
    }

    fn __repr__(&self) -> String {
        format!(
            "<StoredToken {} {}{}>",
            printable(&self.name),
            self.token.mask(),
            if self.active { ", active" } else { "" }
        )
    }
}

impl PyStoredToken {
    /// A line of the list of stored tokens.
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
