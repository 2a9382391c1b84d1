//! The Python class for a program's login at an embedded Hub.

use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::super::printable;
use super::super::record::record_methods;
use crate::hub::Login;
use crate::timestamp;

/// A program's login in the name of a user of an embedded Hub.
#[pyclass(name = "Login", module = "hubtoken.hub", frozen, eq, hash)]
#[derive(Clone, PartialEq, Hash, Serialize, Deserialize)]
pub struct PyLogin {
    id: String,
    client_id: String,
    client: String,
    scopes: Vec<String>,
    #[serde(with = "timestamp")]
    created_at: OffsetDateTime,
    #[serde(default, with = "timestamp::optional")]
    last_used_at: Option<OffsetDateTime>,
    #[serde(default, with = "timestamp::optional")]
    expires_at: Option<OffsetDateTime>,
}

impl From<Login> for PyLogin {
    fn from(login: Login) -> Self {
        let names = login.scopes.names();
        Self {
            id: login.id,
            client_id: login.client_id,
            client: login.client,
            scopes: names.into_iter().map(ToOwned::to_owned).collect(),
            created_at: login.created_at,
            last_used_at: login.last_used_at,
            expires_at: login.expires_at,
        }
    }
}

record_methods! {
impl PyLogin {
    /// 24 hexadecimal digits, which stay the same for as long as the login lasts.
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    /// The OAuth client ID of the program.
    #[getter]
    fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The name of the program.
    #[getter]
    fn client(&self) -> &str {
        &self.client
    }

    /// The OAuth scopes that were granted; all of them for a program that asked for none.
    #[getter]
    fn scopes(&self) -> Vec<String> {
        self.scopes.clone()
    }

    /// When the login began.
    #[getter]
    fn created_at(&self) -> OffsetDateTime {
        self.created_at
    }

    /// When one of its access tokens was last used; `None` if never. Recorded at most once a
    /// minute.
    #[getter]
    fn last_used_at(&self) -> Option<OffsetDateTime> {
        self.last_used_at
    }

    /// When it ends, unless it is refreshed before.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.expires_at
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        printable::shown(py, format!("<Login {} of {:?}>", self.id, self.client))
    }
}
}
