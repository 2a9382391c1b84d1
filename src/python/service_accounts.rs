//! `service_accounts`: the service accounts of an organization, which `ServiceAccounts` manages.

mod class;
mod issued_token;

use pyo3::prelude::*;

pub use self::class::PyServiceAccounts;
use super::arguments::{Seconds, options, warn_of_insecure};
use super::error::to_python;
use super::identity::needed;
use super::resolve::resolve;
use super::text;
use super::token::PyHubToken;
use super::token_argument::TokenArgument;
use crate::identity::Options;
use crate::process_state;
use crate::target::Target;

/// Returns the service accounts of an organization, to read and to change them. Sends no request.
///
/// A service account belongs to an organization and to no person, so its tokens do not end when
/// somebody leaves. Its tokens work in the organization alone.
///
/// Args:
///     organization: The organization.
///     token: As for `resolve_token`: a token of one of the organization's administrators, with the
///         role `write`, or fine-grained with `org.serviceAccounts.write` (to read:
///         `org.serviceAccounts.read`).
///     endpoint: As for `resolve_token`.
///     profile: As for `resolve_token`.
///     timeout: How long to wait for each answer of the Hub, in seconds; 10 by default.
///
/// Returns:
///     An object with the methods that read and change them.
///
/// Raises:
///     hubtoken.errors.TokenNotFoundError: As for `whoami`.
///     hubtoken.errors.TokenFormatError: As for `whoami`.
///     hubtoken.errors.UntrustedEndpointError: As for `whoami`.
///     hubtoken.errors.ConfigurationError: As for `whoami`.
///     hubtoken.errors.StoreError: As for `whoami`.
///     ValueError: No organization can have the name; `timeout` is not a number of seconds in
///         range; a token and a profile are both given.
///     TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     hub.create_organization("acme")
///     ...     hub.set_member("acme", "alice", "admin")
///     ...     token = hub.create_token("alice", name="laptop", role="write")
///     ...     accounts = hubtoken.service_accounts("acme", token)
///     ...     nightly = accounts.create("Nightly build")
///     ...     runner, _ = accounts.create_token(nightly, "runner", permissions=["repo.write"])
///     ...     runner.kind, hubtoken.whoami(runner).type
///     ('app', 'app')
#[pyfunction]
#[pyo3(signature = (
    organization: "str",
    token: "str | HubToken | SecretValue | bool | None" = None,
    *,
    endpoint: "str | None" = None,
    profile: "str | None" = None,
    timeout: "float | None" = None,
) -> "ServiceAccounts")]
pub fn service_accounts(
    py: Python<'_>,
    #[pyo3(from_py_with = text::words)] organization: &str,
    token: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    #[pyo3(from_py_with = text::words)] profile: Option<&str>,
    timeout: Option<Seconds>,
) -> PyResult<PyServiceAccounts> {
    let timeout = options(Options::default(), None, None, timeout)?.timeout;
    Target::namespace_named(organization).map_err(to_python)?;
    let which = TokenArgument {
        token,
        endpoint,
        profile,
    };
    let process = process_state::current();
    let token = match which.handed_over() {
        Some(token) => token.clone().unbind(),
        None => Py::new(py, PyHubToken::from(needed(resolve(py, &process, which)?)?))?,
    };
    let endpoint = token.get().credential_in(py, &process)?.endpoint.clone();
    warn_of_insecure(py, &process, &endpoint)?;
    Ok(PyServiceAccounts {
        organization: organization.to_owned(),
        token,
        endpoint,
        timeout,
    })
}
