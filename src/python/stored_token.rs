//! `StoredToken`: a token that is stored on this machine.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;

use super::chain;
use super::error::to_python;
use super::login_token;
use super::pickle::referenced;
use super::printable;
use super::record::record_methods;
use super::token::PyHubToken;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::live_tokens;
use crate::process_state;
use crate::resolve::in_effect::InEffect;
use crate::resolve::{Argument, Request};
use crate::sanitize::redacted;
use crate::source::Source;
use crate::store::Entry;
use crate::timestamp;
use crate::token::{Digest, Token};
use crate::token_reference::TokenReference;

/// A token that is stored on this machine under a name.
///
/// Example:
///     >>> import hubtoken
///     >>> [stored.name for stored in hubtoken.stored_tokens() if stored.active]
///     []
#[pyclass(name = "StoredToken", module = "hubtoken", frozen, eq, hash)]
#[derive(Deserialize)]
#[serde(from = "Fields")]
pub struct PyStoredToken {
    name: String,
    value: Value,
    endpoint: Endpoint,
    user: Option<String>,
    role: Option<String>,
    created_at: Option<i64>,
    expires_at: Option<i64>,
    active: bool,
    selected: bool,
    verified: Option<bool>,
    keyring: bool,
}

/// What is known of the token's value.
enum Value {
    /// It was read from the file.
    Read {
        token: Token,
        /// Created on demand: a list has many tokens, and few of them are used.
        credential: OnceLock<Arc<Credential>>,
    },
    /// It is in the system's keyring.
    InKeyring(Digest),
    /// A pickle carried only these.
    Unpickled { fingerprint: String, mask: String },
}

/// The public attributes, and the content of a pickle.
#[derive(PartialEq, Hash, Serialize, Deserialize)]
struct Fields {
    name: String,
    /// The mask.
    token: String,
    fingerprint: String,
    endpoint: Endpoint,
    user: Option<String>,
    role: Option<String>,
    #[serde(default, with = "timestamp::optional")]
    created_at: Option<OffsetDateTime>,
    #[serde(default, with = "timestamp::optional")]
    expires_at: Option<OffsetDateTime>,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    selected: bool,
    #[serde(default)]
    verified: Option<bool>,
    #[serde(default)]
    keyring: bool,
}

record_methods! {
impl PyStoredToken {
    /// The name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The token. If its value is in the system's keyring, this asks the keyring, which may ask the
    /// user.
    #[getter]
    fn token(&self, py: Python<'_>) -> PyResult<PyHubToken> {
        let (token, credential) = match &self.value {
            Value::Read { token, credential } => (token, credential),
            Value::InKeyring(_) => {
                let request = Request {
                    argument: Argument::Ambient,
                    endpoint: None,
                    profile: Some(&self.name),
                };
                let found = chain::resolve(py, &process_state::current(), &request)?;
                return found.map(PyHubToken::from).ok_or_else(|| {
                    to_python(Error::not_stored("no token was requested".to_owned()))
                });
            }
            Value::Unpickled { fingerprint, mask } => {
                return Ok(referenced(TokenReference {
                    source: if self.keyring {
                        Source::Keyring(self.name.clone())
                    } else {
                        Source::Store(self.name.clone())
                    },
                    endpoint: self.endpoint.clone(),
                    fingerprint: fingerprint.clone(),
                    mask: mask.clone(),
                }));
            }
        };
        let credential = if let Some(credential) = credential.get() {
            credential
        } else {
            let token = login_token::parse(token.expose()).map_err(to_python)?;
            credential.get_or_init(|| {
                Arc::new(Credential {
                    token,
                    source: Source::Store(self.name.clone()),
                    endpoint: self.endpoint.clone(),
                    expires_at: self
                        .expires_at
                        .map(Expiry::at_unix_seconds)
                        .unwrap_or_default(),
                    renewal: None,
                })
            })
        };
        // A pickle of it finds it again.
        live_tokens::register(credential);
        Ok(PyHubToken::from(Arc::clone(credential)))
    }

    /// The first eight bytes of the value's SHA-256, in hexadecimal.
    ///
    /// It distinguishes tokens in a log.
    #[getter]
    fn fingerprint(&self) -> String {
        match &self.value {
            Value::Read { token, .. } => token.digest().fingerprint(),
            Value::InKeyring(digest) => digest.fingerprint(),
            Value::Unpickled { fingerprint, .. } => fingerprint.clone(),
        }
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

    /// Whether it is the token that is used here when none is given. It is not if `HF_TOKEN`, the
    /// folder's configuration, a command, or a notebook's vault takes precedence with another one.
    #[getter]
    fn active(&self) -> bool {
        self.active
    }

    /// Whether `login` or `switch_token` selected it, here or in `huggingface_hub`.
    ///
    /// It is active unless something takes precedence.
    #[getter]
    fn selected(&self) -> bool {
        self.selected
    }

    /// Whether the Hub has identified it. `False` after `login(..., verify=False)`, until hubtoken
    /// has learned on this machine whose it is; `None` if `huggingface_hub` stored the token.
    #[getter]
    fn verified(&self) -> Option<bool> {
        self.verified
    }

    /// Whether its value is in the system's keyring, and not in the file.
    #[getter]
    fn keyring(&self) -> bool {
        self.keyring
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let whose = match (&self.user, &self.role) {
            (Some(user), Some(role)) => format!(", {} ({})", redacted(user), redacted(role)),
            (Some(user), None) => format!(", {}", redacted(user)),
            (None, _) if self.verified == Some(false) => ", unverified".to_owned(),
            (None, _) => String::new(),
        };
        let text = format!(
            "<StoredToken {} {}{whose}, {}{}>",
            redacted(&self.name),
            self.mask(),
            self.endpoint,
            if self.active { ", active" } else { "" }
        );
        printable::shown(py, text)
    }
}
}

impl PyStoredToken {
    /// The Python object for an entry of the list of stored tokens.
    pub fn new(entry: Entry, in_effect: Option<&InEffect>) -> Result<Self, Error> {
        let is_active = in_effect.is_some_and(|in_effect| match &entry.token {
            Ok(token) => in_effect.is(token),
            Err(_) => in_effect.is_in_keyring(&entry),
        });
        let value = match (entry.keyring, entry.token) {
            (Some(digest), _) => Value::InKeyring(digest),
            (None, token) => Value::Read {
                token: token?,
                credential: OnceLock::new(),
            },
        };
        Ok(Self {
            active: is_active,
            name: entry.name,
            value,
            keyring: entry.keyring.is_some(),
            endpoint: entry.endpoint,
            user: entry.user,
            role: entry.role,
            created_at: entry.created_at,
            expires_at: entry.expires_at,
            selected: entry.active,
            verified: entry.verified,
        })
    }

    fn mask(&self) -> String {
        match &self.value {
            Value::Read { token, .. } => token.mask(),
            Value::InKeyring(_) => "in the keyring".to_owned(),
            Value::Unpickled { mask, .. } => mask.clone(),
        }
    }

    fn fields(&self) -> Fields {
        Fields {
            name: self.name.clone(),
            token: self.mask(),
            fingerprint: self.fingerprint(),
            endpoint: self.endpoint.clone(),
            user: self.user.clone(),
            role: self.role.clone(),
            created_at: self.created_at(),
            expires_at: self.expires_at(),
            active: self.active,
            selected: self.selected,
            verified: self.verified,
            keyring: self.keyring,
        }
    }
}

impl Serialize for PyStoredToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields().serialize(serializer)
    }
}

impl From<Fields> for PyStoredToken {
    fn from(fields: Fields) -> Self {
        Self {
            name: fields.name,
            value: Value::Unpickled {
                fingerprint: fields.fingerprint,
                mask: fields.token,
            },
            endpoint: fields.endpoint,
            user: fields.user,
            role: fields.role,
            created_at: fields.created_at.map(OffsetDateTime::unix_timestamp),
            expires_at: fields.expires_at.map(OffsetDateTime::unix_timestamp),
            active: fields.active,
            selected: fields.selected,
            verified: fields.verified,
            keyring: fields.keyring,
        }
    }
}

impl PartialEq for PyStoredToken {
    fn eq(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }
}

impl Hash for PyStoredToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fields().hash(state);
    }
}

fn moment(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}
