//! `whoami` and what it returns.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use time::OffsetDateTime;

use super::error::classes;
use super::interrupt::Signals;
use super::resolve::{resolve, warn};
use super::token::PyHubToken;
use crate::credential::Credential;
use crate::env::ProcessEnvironment;
use crate::error::Error;
use crate::http::Settings;
use crate::identity::Options;
use crate::identity::model::{Identity, Organization, Scope};
use crate::process;
use crate::require::stale_warning;
use crate::resolve::trace::Trace;
use crate::role::TokenRole;

/// Who a token belongs to, and what it may do: the Hub's answer to whoami.
#[pyclass(name = "Identity", module = "hubtoken", frozen)]
pub struct PyIdentity(pub Arc<Identity>);

#[pymethods]
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

    /// `user`, `org` or `app`.
    #[getter]
    fn r#type(&self) -> &str {
        &self.0.kind
    }

    /// The account's name for people.
    #[getter]
    fn full_name(&self) -> Option<&str> {
        self.0.full_name.as_deref()
    }

    /// The e-mail address, when the token may see it.
    #[getter]
    fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Whether the account is a paying one; `None` when the Hub did not say.
    #[getter]
    fn is_pro(&self) -> Option<bool> {
        self.0.is_pro
    }

    /// The organisations that the account belongs to.
    #[getter]
    fn organizations(&self) -> Vec<PyOrganization> {
        self.0
            .organizations
            .iter()
            .cloned()
            .map(PyOrganization)
            .collect()
    }

    /// How the request was authenticated: `access_token`, `oauth`, `app_token`, …
    #[getter]
    fn authentication(&self) -> Option<&str> {
        self.0.authentication.as_deref()
    }

    /// The token's name on the Hub.
    #[getter]
    fn token_name(&self) -> Option<&str> {
        self.0.token_name.as_deref()
    }

    /// `read`, `write`, `fine-grained` or `god`; `None` for OAuth, OIDC and app tokens.
    #[getter]
    fn role(&self) -> Option<&str> {
        self.0.role.as_ref().map(TokenRole::name)
    }

    /// When the token was made.
    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        self.0.created_at
    }

    /// When the token ends.
    #[getter]
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.0.expires_at
    }

    /// What a fine-grained token may do, and on what.
    #[getter]
    fn scopes(&self) -> Vec<PyScope> {
        self.0.scopes.iter().cloned().map(PyScope).collect()
    }

    /// What a fine-grained token may do everywhere.
    #[getter]
    fn global_permissions(&self) -> Vec<String> {
        self.0.global_permissions.clone()
    }

    /// Whether a fine-grained token may read public gated repositories.
    #[getter]
    fn can_read_gated_repos(&self) -> bool {
        self.0.can_read_gated_repos
    }

    fn __repr__(&self) -> String {
        format!(
            "<Identity {} at {}, role {}>",
            self.0.user,
            self.0.endpoint,
            self.role().unwrap_or("none")
        )
    }
}

/// A membership in an organisation.
#[pyclass(name = "Organization", module = "hubtoken", frozen)]
pub struct PyOrganization(Organization);

#[pymethods]
impl PyOrganization {
    /// The organisation's name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The organisation's name for people.
    #[getter]
    fn full_name(&self) -> Option<&str> {
        self.0.full_name.as_deref()
    }

    /// `admin`, `write`, `contributor`, `read` or `no_access`; `None` when the Hub did not say.
    #[getter]
    fn role_in_org(&self) -> Option<&str> {
        self.0.role_in_org.as_deref()
    }

    /// What keeps this token out: `token-policy`, `token-revoked`, `mfa`, `sso`, `ip`.
    #[getter]
    fn security_restrictions(&self) -> Vec<String> {
        self.0.security_restrictions.clone()
    }

    fn __repr__(&self) -> String {
        format!(
            "<Organization {}, role {}>",
            self.0.name,
            self.role_in_org().unwrap_or("unknown")
        )
    }
}

/// What a fine-grained token may do on one thing.
#[pyclass(name = "Scope", module = "hubtoken", frozen)]
pub struct PyScope(Scope);

#[pymethods]
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

    fn __repr__(&self) -> String {
        format!(
            "<Scope {}: {}>",
            self.entity_name().unwrap_or("?"),
            self.0.permissions.join(", ")
        )
    }
}

/// Asks the Hub who a token belongs to.
///
/// An answer is believed for 300 seconds. However many threads or processes of this machine ask at
/// once, the Hub is asked once. For the tokens of others, see `identify`.
///
/// Args:
///     token: As for `resolve_token`.
///     endpoint: As for `resolve_token`.
///     profile: As for `resolve_token`.
///     max_age: How old an answer may be, in seconds; 0 asks again.
///     max_stale: How old an answer may be when the Hub is away, in seconds; 24 hours by default.
///     timeout: How long to wait for the Hub, in seconds; 10 by default.
///
/// Returns:
///     The identity.
///
/// Raises:
///     hubtoken.errors.InvalidTokenError: The Hub does not know the token.
///     hubtoken.errors.VerdictUnknownError: The Hub could not be asked, or made no sense.
///     hubtoken.errors.TokenNotFoundError: There is no token.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="write")
///     ...     hubtoken.whoami(token).role
///     'write'
#[pyfunction]
#[pyo3(signature = (
    token: "str | HubToken | bool | None" = None,
    *,
    endpoint: "str | None" = None,
    profile: "str | None" = None,
    max_age: "float | None" = None,
    max_stale: "float | None" = None,
    timeout: "float | None" = None,
) -> "Identity")]
pub fn whoami(
    py: Python<'_>,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
    profile: Option<&str>,
    max_age: Option<f64>,
    max_stale: Option<f64>,
    timeout: Option<f64>,
) -> PyResult<PyIdentity> {
    let options = options(Options::default(), max_age, max_stale, timeout)?;
    let credential = match handed_over(token, endpoint, profile) {
        Some(token) => token.get().credential(py)?,
        None => needed(resolve(py, token, endpoint, profile)?)?,
    };
    if let Some(identity) = process::current()
        .client
        .recall(&credential, options.max_age)
    {
        return Ok(PyIdentity(identity));
    }
    ask(
        py,
        &credential,
        &Settings::read(&ProcessEnvironment),
        &options,
    )
    .map(PyIdentity)
}

/// Asks the Hub, and warns of an identity that is only the last that is known.
pub fn ask(
    py: Python<'_>,
    credential: &Arc<Credential>,
    settings: &Settings,
    options: &Options,
) -> PyResult<Arc<Identity>> {
    let process = process::current_checked();
    let line = process.client.line(&credential.endpoint, settings);
    let signals = Signals::default();
    let known = py
        .detach(|| {
            process
                .client
                .identify(credential, &line, options, &signals)
        })
        .map_err(|failure| signals.to_python(failure.into_error(credential)))?;
    if let Some(text) = stale_warning(credential, &known) {
        warn(py, &py.get_type::<classes::StaleIdentityWarning>(), &text)?;
    }
    Ok(known.identity)
}

/// A `HubToken` that is meant as it is, and needs no chain.
pub fn handed_over<'a, 'py>(
    token: Option<&'a Bound<'py, PyAny>>,
    endpoint: Option<&str>,
    profile: Option<&str>,
) -> Option<&'a Bound<'py, PyHubToken>> {
    token
        .filter(|_| endpoint.is_none() && profile.is_none())
        .and_then(|token| token.cast::<PyHubToken>().ok())
}

/// The token that a question is about: `token=False` asks about nobody.
pub fn needed(credential: Option<Arc<Credential>>) -> PyResult<Arc<Credential>> {
    credential.ok_or_else(|| {
        super::error::to_python(Error::TokenNotFound {
            message: "token=False asks for no token, and this needs one".to_owned(),
            trace: Arc::new(Trace::default()),
        })
    })
}

/// Lifetimes in seconds, as Python gives them; `defaults` for what it does not give.
pub fn options(
    defaults: Options,
    max_age: Option<f64>,
    max_stale: Option<f64>,
    timeout: Option<f64>,
) -> PyResult<Options> {
    let seconds = |name: &str, value: Option<f64>| {
        value
            .map(|value| {
                Duration::try_from_secs_f64(value).map_err(|_| {
                    PyValueError::new_err(format!("{name} is a number of seconds, zero or more"))
                })
            })
            .transpose()
    };
    if timeout == Some(0.0) {
        return Err(PyValueError::new_err(
            "timeout is a positive number of seconds",
        ));
    }
    Ok(Options {
        max_age: seconds("max_age", max_age)?.or(defaults.max_age),
        max_stale: seconds("max_stale", max_stale)?.unwrap_or(defaults.max_stale),
        timeout: seconds("timeout", timeout)?.unwrap_or(defaults.timeout),
    })
}
