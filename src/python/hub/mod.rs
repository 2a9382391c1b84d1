//! `hubtoken.hub.Hub`: the Python class of the embedded Hub, with its signatures and docstrings.
//!
//! PyO3 requires a single block of methods per class, and their docstrings are Python's, so this
//! file grows with the class. The methods are implemented in `running`; their arguments are parsed
//! in `arguments`.

mod arguments;
pub mod login_record;
pub mod records;
mod running;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use time::OffsetDateTime;

use self::arguments::{
    Grants, expiry, gate, kind, organization_role, token_policy, token_role, up_to, within,
};
use self::login_record::PyLogin;
use self::records::{PyApproval, PyAuditEntry, PyPublisher, PyTokenInfo};
use self::running::Embedded;
use super::arguments::{Seconds, warn};
use super::environment::PythonEnvironment;
use super::error::classes;
use super::text;
use super::token::{PyHubToken, revealed};
use crate::env::{self, Environment as _};
use crate::hub::{
    AUDIT_ENTRIES, AuditFilter, Decision, Hub, HubOptions, Limits, NewToken, OAuthOptions,
    PublisherTrust, Secret,
};
use crate::hub_clock::hub_clock;

/// A Hub in this process: users, organizations, tokens and repositories over HTTP.
///
/// Clients of the Hub work against it unchanged. Use it with `with`, or call `start` and `stop`.
///
/// A method that names what the Hub does not have, or would have twice, raises
/// `hubtoken.errors.HubError`, and so do all of them while the Hub is not running. A word or a
/// number that is none of the allowed ones, such as a name with a space or text that is not valid
/// Unicode, is a `ValueError`.
///
/// Every call that changes something, except `create_token`, and `stop` drop the answers about this
/// Hub's tokens that this process has cached, and those that the processes of this machine share on
/// disk: the next call here asks the Hub. Other processes keep what they have in memory for its
/// usual lifetime, and so does this one after a change by other means: a page, the API, or
/// `hubtoken hub`.
///
/// Args:
///     data: The folder for persistent data; `None` for a temporary one that is removed at the
///         end.
///     host: `127.0.0.1`, `localhost` or `::1`; with a certificate, any address of the machine.
///     port: The port; 0 for a free one.
///     whoami_limit: How many whoami requests are answered per window; `None` for no limit.
///     whoami_window: The length of a window, in seconds.
///     audit_days: How many days the audit log is kept.
///     tls_cert: The file with the certificate and its chain, in PEM. It is reloaded when it
///         changes.
///     tls_key: The file with its key, which only owner and group may be able to read.
///     base_url: The public address of the Hub, such as `https://hub.example`. A Hub with a
///         certificate or behind a proxy only accepts requests for that host.
///     behind_proxy: Whether a reverse proxy on this machine terminates TLS. Its
///         `X-Forwarded-For` header is then trusted.
///     local_port: The port on 127.0.0.1 for administration and metrics, if the Hub has a public
///         address; 0 for a free one.
///     connections: The maximum number of concurrent connections.
///     connections_per_address: The maximum number of them per address; 0 for no limit.
///     upstreams: The servers behind the inference API, by model: `{"alice/tiny":
///         "http://127.0.0.1:8000"}`; `"*"` stands for all other models.
///     upstream_keys: The files with the keys for these servers, by model. Only owner and group
///         may be able to read them.
///     upstream_timeout: How long such a server may stay silent, in seconds.
///     inference_limit: How many inference requests a token may send per window; `None` for no
///         limit.
///     inference_window: The length of that window, in seconds.
///     grace: How long requests in progress may continue when the Hub stops, in seconds.
///     log_format: `"text"` or `"json"`: the format of the log, which goes to standard error.
///     log_level: `"off"`, `"error"`, `"warn"` or `"info"`.
///     lfs: Has no effect, and will be removed: large files are stored outside git on every Hub, as
///         the client sends them, by Xet or by Git LFS.
///     access_token_lifetime: How long the access token of a program's login is valid, in seconds;
///         at most 30 days.
///     refresh_token_lifetime: How long a login can be refreshed after it began or was last
///         refreshed, in seconds.
///     device_code_lifetime: How long the code of a program that logs in can be approved, in
///         seconds.
///     device_code_interval: How long such a program waits between two questions, in seconds; with
///         0, the Hub never tells it to slow down.
///
/// Raises:
///     ValueError: An argument has none of its allowed values, or is out of range; one of
///         `tls_cert` and `tls_key` is missing; or `upstream_keys` names a model that `upstreams`
///         does not.
///
/// Example:
///     >>> import hubtoken
///     >>> with hubtoken.hub.Hub() as hub:
///     ...     hub.create_user("alice")
///     ...     token = hub.create_token("alice", name="laptop", role="read")
///     ...     hubtoken.whoami(token).user
///     'alice'
#[pyclass(name = "Hub", module = "hubtoken.hub", frozen, weakref)]
pub struct PyHub(Embedded);

#[pymethods]
impl PyHub {
    #[new]
    #[pyo3(signature = (
        data: "str | PathLike[str] | None" = None,
        *,
        host: "str" = "127.0.0.1",
        port: "int" = 0,
        whoami_limit: "int | None" = None,
        whoami_window: "int" = 300,
        audit_days: "int" = 365,
        tls_cert: "str | PathLike[str] | None" = None,
        tls_key: "str | PathLike[str] | None" = None,
        base_url: "str | None" = None,
        behind_proxy: "bool" = false,
        local_port: "int" = 0,
        connections: "int" = 512,
        connections_per_address: "int" = 64,
        upstreams: "Mapping[str, str] | None" = None,
        upstream_keys: "Mapping[str, str | PathLike[str]] | None" = None,
        upstream_timeout: "int" = 300,
        inference_limit: "int | None" = None,
        inference_window: "int" = 300,
        grace: "int" = 3,
        log_format: "Literal['text', 'json']" = "text",
        log_level: "Literal['off', 'error', 'warn', 'info']" = "off",
        lfs: "bool | None" = None,
        access_token_lifetime: "int" = 2_592_000,
        refresh_token_lifetime: "int" = 7_776_000,
        device_code_lifetime: "int" = 900,
        device_code_interval: "int" = 5,
    ))]
    #[expect(clippy::too_many_arguments, reason = "the Python signature")]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] data: Option<PathBuf>,
        #[pyo3(from_py_with = text::words)] host: &str,
        #[pyo3(from_py_with = arguments::integer)] port: i64,
        #[pyo3(from_py_with = arguments::optional_integer)] whoami_limit: Option<i64>,
        #[pyo3(from_py_with = arguments::integer)] whoami_window: i64,
        #[pyo3(from_py_with = arguments::integer)] audit_days: i64,
        #[pyo3(from_py_with = text::words)] tls_cert: Option<PathBuf>,
        #[pyo3(from_py_with = text::words)] tls_key: Option<PathBuf>,
        #[pyo3(from_py_with = text::words)] base_url: Option<String>,
        behind_proxy: bool,
        #[pyo3(from_py_with = arguments::integer)] local_port: i64,
        #[pyo3(from_py_with = arguments::integer)] connections: i64,
        #[pyo3(from_py_with = arguments::integer)] connections_per_address: i64,
        #[pyo3(from_py_with = text::words)] upstreams: Option<HashMap<String, String>>,
        #[pyo3(from_py_with = text::words)] upstream_keys: Option<HashMap<String, PathBuf>>,
        #[pyo3(from_py_with = arguments::integer)] upstream_timeout: i64,
        #[pyo3(from_py_with = arguments::optional_integer)] inference_limit: Option<i64>,
        #[pyo3(from_py_with = arguments::integer)] inference_window: i64,
        #[pyo3(from_py_with = arguments::integer)] grace: i64,
        #[pyo3(from_py_with = text::words)] log_format: &str,
        #[pyo3(from_py_with = text::words)] log_level: &str,
        lfs: Option<bool>,
        #[pyo3(from_py_with = arguments::integer)] access_token_lifetime: i64,
        #[pyo3(from_py_with = arguments::integer)] refresh_token_lifetime: i64,
        #[pyo3(from_py_with = arguments::integer)] device_code_lifetime: i64,
        #[pyo3(from_py_with = arguments::integer)] device_code_interval: i64,
    ) -> PyResult<Self> {
        let environment = PythonEnvironment::current(py)?;
        if lfs.is_some() {
            let text = "lfs= has no effect: large files are stored outside git on every Hub";
            warn(py, &py.get_type::<classes::HubTokenWarning>(), text)?;
        }
        Ok(Self(Embedded::new(HubOptions {
            data,
            host: host.to_owned(),
            port: within("port", port)?,
            whoami_limit: arguments::quota("whoami", whoami_limit, whoami_window)?,
            audit_days: within("audit_days", audit_days)?,
            tls: arguments::tls(tls_cert, tls_key)?,
            base_url,
            behind_proxy,
            local_port: within("local_port", local_port)?,
            limits: Limits {
                connections: within("connections", connections)?,
                connections_per_address: within(
                    "connections_per_address",
                    connections_per_address,
                )?,
                ..Limits::default()
            },
            inference: arguments::inference(
                py,
                arguments::upstreams(upstreams, upstream_keys)?,
                arguments::quota("inference", inference_limit, inference_window)?,
                within("upstream_timeout", upstream_timeout)?,
            )?,
            grace_seconds: within("grace", grace)?,
            log_format: arguments::log_format(log_format)?,
            log_level: arguments::log_level(log_level)?,
            search_path: environment.get(env::PATH),
            oauth: OAuthOptions {
                access_token_seconds: within("access_token_lifetime", access_token_lifetime)?,
                refresh_token_seconds: within("refresh_token_lifetime", refresh_token_lifetime)?,
                device_code_seconds: within("device_code_lifetime", device_code_lifetime)?,
                device_interval_seconds: within("device_code_interval", device_code_interval)?,
            },
            clock: hub_clock(),
        })))
    }

    /// Starts the Hub and returns once it accepts connections. Does nothing if it is running.
    ///
    /// Returns:
    ///     The Hub itself.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: It cannot start; the message has the reason and the fix.
    ///     ValueError: An argument of the constructor is not valid, or does not go with another.
    #[pyo3(signature = () -> "Hub")]
    fn start<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        if slf.get().0.start(py)? {
            // A temporary folder is removed even if the program ends without stopping the Hub.
            py.import("hubtoken.hub")?
                .call_method1("_stop_at_exit", (&slf,))?;
        }
        Ok(slf)
    }

    /// Stops the Hub and removes a temporary data folder. Does nothing if it is not running.
    #[pyo3(signature = () -> "None")]
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.0.stop(py)
    }

    #[pyo3(signature = () -> "Hub")]
    fn __enter__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        Self::start(slf)
    }

    #[pyo3(signature = (*args: "object") -> "None")]
    fn __exit__(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        let _ = args;
        self.stop(py)
    }

    /// The address that clients use.
    ///
    /// For instance `http://127.0.0.1:8080`.
    #[getter]
    fn endpoint(&self) -> PyResult<String> {
        Ok(self.0.hub()?.endpoint().to_owned())
    }

    /// The address for administration and metrics.
    ///
    /// This is the endpoint, or for a Hub with a public address, a separate one on loopback.
    #[getter]
    fn local_endpoint(&self) -> PyResult<String> {
        Ok(self.0.hub()?.local_endpoint().to_owned())
    }

    /// Reloads the certificate's files; new connections use the new one.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: They cannot be used; the old certificate stays in use.
    #[pyo3(signature = () -> "None")]
    fn reload_certificate(&self, py: Python<'_>) -> PyResult<()> {
        self.0.ask(py, Hub::reload_certificate)
    }

    /// The data folder.
    #[getter]
    fn data(&self) -> PyResult<String> {
        Ok(self.0.hub()?.data().display().to_string())
    }

    /// The key of the administration API, as a `str` whose `repr` is masked.
    #[getter]
    fn admin_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        revealed(py, self.0.hub()?.admin_key().reveal())
    }

    /// The variables that make the Hub's libraries use this Hub.
    ///
    /// Returns:
    ///     A dictionary with `HF_ENDPOINT`.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The Hub is not running.
    #[pyo3(signature = () -> "dict[str, str]")]
    fn environ<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let variables = PyDict::new(py);
        variables.set_item(env::HF_ENDPOINT, self.0.hub()?.endpoint())?;
        Ok(variables)
    }

    /// How many requests have been received.
    ///
    /// Args:
    ///     path: Only count requests to this path, such as `/api/whoami-v2`.
    ///
    /// Returns:
    ///     The number.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The Hub is not running.
    #[pyo3(signature = (path: "str | None" = None) -> "int")]
    fn request_count(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] path: Option<&str>,
    ) -> PyResult<u64> {
        self.0.ask(py, |hub| hub.request_count(path))
    }

    /// Creates a user.
    ///
    /// Args:
    ///     name: The name; users and organizations share one namespace.
    ///     fullname: The display name.
    ///     email: The e-mail address.
    ///     password: A password, of which only an argon2 hash is stored.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The name is taken, or the Hub is not running.
    ///     ValueError: The name is not valid.
    #[pyo3(signature = (
        name: "str",
        *,
        fullname: "str | None" = None,
        email: "str | None" = None,
        password: "str | None" = None,
    ) -> "None")]
    fn create_user(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] name: &str,
        #[pyo3(from_py_with = text::words)] fullname: Option<&str>,
        #[pyo3(from_py_with = text::words)] email: Option<&str>,
        #[pyo3(from_py_with = text::words)] password: Option<String>,
    ) -> PyResult<()> {
        let password = password.map(Secret::new);
        self.0.change(py, |hub| {
            hub.create_user(name, fullname.unwrap_or(name), email, password)
        })?;
        Ok(())
    }

    /// Creates an organization.
    ///
    /// Args:
    ///     name: The name; users and organizations share one namespace.
    ///     fullname: The display name.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The name is taken, or the Hub is not running.
    ///     ValueError: The name is not valid.
    #[pyo3(signature = (name: "str", *, fullname: "str | None" = None) -> "None")]
    fn create_organization(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] name: &str,
        #[pyo3(from_py_with = text::words)] fullname: Option<&str>,
    ) -> PyResult<()> {
        self.0.change(py, |hub| {
            hub.create_organization(name, fullname.unwrap_or(name))
        })?;
        Ok(())
    }

    /// Adds a user to an organization, or changes the user's role.
    ///
    /// Args:
    ///     organization: The organization.
    ///     user: The user.
    ///     role: `"admin"`, `"write"`, `"contributor"`, `"read"` or `"no_access"`.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The organization or the user does not exist, or the Hub is not
    ///         running.
    ///     ValueError: The role is none of these.
    #[pyo3(signature = (
        organization: "str",
        user: "str",
        role: "Literal['admin', 'write', 'contributor', 'read', 'no_access']",
    ) -> "None")]
    fn set_member(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] role: &str,
    ) -> PyResult<()> {
        let role = organization_role(role)?;
        self.0
            .change(py, |hub| hub.set_member(organization, user, role))
    }

    /// Removes a user from an organization.
    ///
    /// Args:
    ///     organization: The organization.
    ///     user: The user.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The organization or the user does not exist, or the Hub is not
    ///         running.
    #[pyo3(signature = (organization: "str", user: "str") -> "None")]
    fn remove_member(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
        #[pyo3(from_py_with = text::words)] user: &str,
    ) -> PyResult<()> {
        self.0
            .change(py, |hub| hub.remove_member(organization, user))
    }

    /// Creates a token. The Hub only stores a digest, so the value is available only here.
    ///
    /// Args:
    ///     user: The owner of the token.
    ///     name: The token's name.
    ///     role: `"read"`, `"write"` or `"fine-grained"`.
    ///     scopes: For a fine-grained token, permissions by entity: `"alice"` (a user or an
    ///         organization), `"alice/tiny"` (a model), `"datasets/alice/x"`, `"spaces/alice/x"`. A
    ///         repository must exist.
    ///     global_permissions: For a fine-grained token, permissions that apply everywhere.
    ///     can_read_gated_repos: For a fine-grained token, whether it can read the public gated
    ///         repositories that its user may read.
    ///     expires_in: The lifetime in seconds; `None` for a token that does not expire.
    ///
    /// Returns:
    ///     The token, for this Hub.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The user or the entity of a scope does not exist, or the Hub is
    ///         not running.
    ///     ValueError: The name is not valid; the role is none of these; a permission is misspelled;
    ///         `scopes`, `global_permissions` or `can_read_gated_repos` is given for another role
    ///         than `"fine-grained"`; `expires_in` is not a positive number.
    ///     TypeError: An argument has another type, such as a `str` for a sequence.
    #[pyo3(signature = (
        user: "str",
        *,
        name: "str",
        role: "Literal['read', 'write', 'fine-grained']",
        scopes: "Mapping[str, Sequence[str]] | None" = None,
        global_permissions: "Sequence[str] | None" = None,
        can_read_gated_repos: "bool" = false,
        expires_in: "float | None" = None,
    ) -> "HubToken")]
    #[expect(clippy::too_many_arguments, reason = "the Python signature")]
    fn create_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] name: &str,
        #[pyo3(from_py_with = text::words)] role: &str,
        #[pyo3(from_py_with = text::words)] scopes: Option<HashMap<String, Vec<String>>>,
        #[pyo3(from_py_with = text::words)] global_permissions: Option<Vec<String>>,
        can_read_gated_repos: bool,
        expires_in: Option<Seconds>,
    ) -> PyResult<PyHubToken> {
        let grants = Grants {
            scopes,
            global_permissions,
            can_read_gated_repos,
        };
        let new = NewToken {
            name: name.to_owned(),
            role: token_role(role, grants)?,
            expires_at: expires_in.map(expiry).transpose()?,
        };
        let created = self.0.ask(py, |hub| hub.create_token(user, new))?;
        self.0.token(&created)
    }

    /// Lists a user's tokens, without their values.
    ///
    /// Args:
    ///     user: The owner of the tokens.
    ///
    /// Returns:
    ///     The tokens, oldest first.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The user does not exist, or the Hub is not running.
    #[pyo3(signature = (user: "str") -> "list[TokenInfo]")]
    fn list_tokens(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
    ) -> PyResult<Vec<PyTokenInfo>> {
        let tokens = self.0.ask(py, |hub| hub.list_tokens(user))?;
        Ok(tokens.into_iter().map(PyTokenInfo::from).collect())
    }

    /// Renames a token.
    ///
    /// Args:
    ///     user: The owner of the token.
    ///     token: The token's name or ID.
    ///     name: The new name.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The user has no such token, or several of that name, or the Hub
    ///         is not running.
    ///     ValueError: The new name is not valid.
    #[pyo3(signature = (user: "str", token: "str", name: "str") -> "None")]
    fn rename_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] token: &str,
        #[pyo3(from_py_with = text::words)] name: &str,
    ) -> PyResult<()> {
        self.0
            .change(py, |hub| hub.rename_token(user, token, name))?;
        Ok(())
    }

    /// Changes a token's permissions. Organizations that approved it must approve it again.
    ///
    /// Args:
    ///     user: The owner of the token.
    ///     token: The token's name or ID.
    ///     role: `"read"`, `"write"` or `"fine-grained"`.
    ///     scopes: For a fine-grained token, permissions by entity, as in `create_token`.
    ///     global_permissions: For a fine-grained token, permissions that apply everywhere.
    ///     can_read_gated_repos: For a fine-grained token, whether it can read the public gated
    ///         repositories that its user may read.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The user has no such token, or several of that name; the
    ///         entity of a scope does not exist; or the Hub is not running.
    ///     ValueError: As for `create_token`.
    #[pyo3(signature = (
        user: "str",
        token: "str",
        *,
        role: "Literal['read', 'write', 'fine-grained']",
        scopes: "Mapping[str, Sequence[str]] | None" = None,
        global_permissions: "Sequence[str] | None" = None,
        can_read_gated_repos: "bool" = false,
    ) -> "None")]
    #[expect(clippy::too_many_arguments, reason = "the Python signature")]
    fn change_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] token: &str,
        #[pyo3(from_py_with = text::words)] role: &str,
        #[pyo3(from_py_with = text::words)] scopes: Option<HashMap<String, Vec<String>>>,
        #[pyo3(from_py_with = text::words)] global_permissions: Option<Vec<String>>,
        can_read_gated_repos: bool,
    ) -> PyResult<()> {
        let grants = Grants {
            scopes,
            global_permissions,
            can_read_gated_repos,
        };
        let role = token_role(role, grants)?;
        self.0
            .change(py, |hub| hub.change_token(user, token, role))?;
        Ok(())
    }

    /// Gives a token a new value. The old one is invalid at once.
    ///
    /// Args:
    ///     user: The owner of the token.
    ///     token: The token's name or ID.
    ///
    /// Returns:
    ///     The token with its new value.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The user has no such token, or several of that name; or the
    ///         Hub is not running.
    #[pyo3(signature = (user: "str", token: "str") -> "HubToken")]
    fn refresh_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] token: &str,
    ) -> PyResult<PyHubToken> {
        let created = self.0.change(py, |hub| hub.refresh_token(user, token))?;
        self.0.token(&created)
    }

    /// Deletes a token, which is invalid at once.
    ///
    /// Args:
    ///     user: The owner of the token.
    ///     token: The token's name or ID.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The user has no such token, or several of that name; or the
    ///         Hub is not running.
    #[pyo3(signature = (user: "str", token: "str") -> "None")]
    fn delete_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] token: &str,
    ) -> PyResult<()> {
        self.0.change(py, |hub| hub.delete_token(user, token))
    }

    /// Approves the login of the program that shows a code, as its user would on the page.
    ///
    /// Args:
    ///     user_code: The code, such as `"BCDF-GHJK"`; case and dashes make no difference.
    ///     user: The user in whose name the program then acts.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: No login waits for this code, there is no such user, or the
    ///         Hub is not running.
    ///
    /// Example:
    ///     >>> import json, urllib.request
    ///     >>> from hubtoken.hub import Hub
    ///     >>> with Hub() as hub:
    ///     ...     hub.create_user("alice")
    ///     ...     client = b"client_id=26be6b09-91c5-47da-9861-d2d2bb7a7e36"
    ///     ...     with urllib.request.urlopen(f"{hub.endpoint}/oauth/device", client) as answer:
    ///     ...         user_code = json.load(answer)["user_code"]
    ///     ...     hub.approve_login(user_code, "alice")
    #[pyo3(signature = (user_code: "str", user: "str") -> "None")]
    fn approve_login(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user_code: &str,
        #[pyo3(from_py_with = text::words)] user: &str,
    ) -> PyResult<()> {
        self.0.change(py, |hub| hub.approve_login(user_code, user))
    }

    /// Denies the login of the program that shows a code.
    ///
    /// Args:
    ///     user_code: The code, such as `"BCDF-GHJK"`.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: No login waits for this code, or the Hub is not running.
    #[pyo3(signature = (user_code: "str") -> "None")]
    fn deny_login(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user_code: &str,
    ) -> PyResult<()> {
        self.0.change(py, |hub| hub.deny_login(user_code))
    }

    /// Lists the logins of programs in the name of a user.
    ///
    /// Args:
    ///     user: The user.
    ///
    /// Returns:
    ///     The logins, newest first.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: There is no such user, or the Hub is not running.
    #[pyo3(signature = (user: "str") -> "list[Login]")]
    fn list_logins(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
    ) -> PyResult<Vec<PyLogin>> {
        let logins = self.0.ask(py, |hub| hub.list_logins(user))?;
        Ok(logins.into_iter().map(PyLogin::from).collect())
    }

    /// Ends a login: its access and refresh tokens stop working at once.
    ///
    /// Args:
    ///     user: The user.
    ///     login: The login's ID.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The user has no such login, or the Hub is not running.
    #[pyo3(signature = (user: "str", login: "str") -> "None")]
    fn end_login(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] login: &str,
    ) -> PyResult<()> {
        self.0.change(py, |hub| hub.end_login(user, login))
    }

    /// Creates a repository.
    ///
    /// Args:
    ///     repo: `namespace/name`.
    ///     type: `"model"`, `"dataset"` or `"space"`.
    ///     private: Whether it is only visible to users with access to its namespace.
    ///     gated: `"auto"` or `"manual"` for a gate; `None` for none.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The namespace does not exist, the repository exists already, or
    ///         the Hub is not running.
    ///     ValueError: The name is not valid; `type` or `gated` is none of these.
    #[pyo3(signature = (
        repo: "str",
        *,
        r#type: "Literal['model', 'dataset', 'space']" = "model",
        private: "bool" = false,
        gated: "Literal['auto', 'manual'] | None" = None,
    ) -> "None")]
    fn create_repository(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] repo: &str,
        #[pyo3(from_py_with = text::words)] r#type: &str,
        private: bool,
        #[pyo3(from_py_with = text::words)] gated: Option<&str>,
    ) -> PyResult<()> {
        let (kind, gated) = (kind(r#type)?, gate(gated)?);
        self.0
            .change(py, |hub| hub.create_repository(kind, repo, private, gated))?;
        Ok(())
    }

    /// Sets or removes a repository's gate.
    ///
    /// Args:
    ///     repo: `namespace/name`.
    ///     gated: `"auto"`, `"manual"`, or `None` for no gate.
    ///     type: `"model"`, `"dataset"` or `"space"`.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The repository does not exist, or the Hub is not running.
    ///     ValueError: `type` or `gated` is none of these.
    #[pyo3(signature = (repo: "str", gated: "Literal['auto', 'manual'] | None", *, r#type: "Literal['model', 'dataset', 'space']" = "model") -> "None")]
    fn set_gated(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] repo: &str,
        #[pyo3(from_py_with = text::words)] gated: Option<&str>,
        #[pyo3(from_py_with = text::words)] r#type: &str,
    ) -> PyResult<()> {
        let (kind, gated) = (kind(r#type)?, gate(gated)?);
        self.0.change(py, |hub| hub.set_gated(kind, repo, gated))?;
        Ok(())
    }

    /// Grants a user access to a gated repository.
    ///
    /// Args:
    ///     repo: `namespace/name`.
    ///     user: The user.
    ///     type: `"model"`, `"dataset"` or `"space"`.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The repository or the user does not exist, or the Hub is not
    ///         running.
    ///     ValueError: `type` is none of these.
    #[pyo3(signature = (repo: "str", user: "str", *, r#type: "Literal['model', 'dataset', 'space']" = "model") -> "None")]
    fn grant_access(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] repo: &str,
        #[pyo3(from_py_with = text::words)] user: &str,
        #[pyo3(from_py_with = text::words)] r#type: &str,
    ) -> PyResult<()> {
        let kind = kind(r#type)?;
        self.0.change(py, |hub| hub.grant_access(kind, repo, user))
    }

    /// Disables a repository, or enables it again.
    ///
    /// Args:
    ///     repo: `namespace/name`.
    ///     disabled: Whether all access to it is denied.
    ///     type: `"model"`, `"dataset"` or `"space"`.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The repository does not exist, or the Hub is not running.
    ///     ValueError: `type` is none of these.
    #[pyo3(signature = (repo: "str", disabled: "bool", *, r#type: "Literal['model', 'dataset', 'space']" = "model") -> "None")]
    fn set_disabled(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] repo: &str,
        disabled: bool,
        #[pyo3(from_py_with = text::words)] r#type: &str,
    ) -> PyResult<()> {
        let kind = kind(r#type)?;
        self.0
            .change(py, |hub| hub.set_disabled(kind, repo, disabled))?;
        Ok(())
    }

    /// Returns which of its members' tokens an organization accepts.
    ///
    /// Args:
    ///     organization: The organization.
    ///
    /// Returns:
    ///     `"allow-all"`, `"fine-grained-only"` or `"require-approval"`.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The organization does not exist, or the Hub is not running.
    #[pyo3(signature = (
        organization: "str",
    ) -> "Literal['allow-all', 'fine-grained-only', 'require-approval']")]
    fn token_policy(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
    ) -> PyResult<&'static str> {
        let policy = self.0.ask(py, |hub| hub.token_policy(organization))?;
        Ok(policy.as_str())
    }

    /// Sets which of its members' tokens an organization accepts. It takes effect at once.
    ///
    /// Args:
    ///     organization: The organization.
    ///     policy: `"allow-all"`; `"fine-grained-only"`; or `"require-approval"`, which accepts
    ///         fine-grained tokens that an administrator approved or owns.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The organization does not exist, or the Hub is not running.
    ///     ValueError: The policy is none of these.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> with hubtoken.hub.Hub() as hub:
    ///     ...     hub.create_organization("acme")
    ///     ...     hub.set_token_policy("acme", "fine-grained-only")
    ///     ...     hub.token_policy("acme")
    ///     'fine-grained-only'
    #[pyo3(signature = (
        organization: "str",
        policy: "Literal['allow-all', 'fine-grained-only', 'require-approval']",
    ) -> "None")]
    fn set_token_policy(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
        #[pyo3(from_py_with = text::words)] policy: &str,
    ) -> PyResult<()> {
        let policy = token_policy(policy)?;
        self.0
            .change(py, |hub| hub.set_token_policy(organization, policy))
    }

    /// Lists the members' tokens that requested access to an organization, or were revoked there.
    ///
    /// Args:
    ///     organization: The organization.
    ///
    /// Returns:
    ///     The approvals, pending ones first.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The organization does not exist, or the Hub is not running.
    #[pyo3(signature = (organization: "str") -> "list[Approval]")]
    fn list_approvals(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
    ) -> PyResult<Vec<PyApproval>> {
        let approvals = self.0.ask(py, |hub| hub.list_approvals(organization))?;
        Ok(approvals.into_iter().map(PyApproval::from).collect())
    }

    /// Approves a token for an organization. Also reverts a revocation.
    ///
    /// Args:
    ///     organization: The organization.
    ///     token: The token's ID, or its name if only one listed token has it.
    ///
    /// Returns:
    ///     The new status of the token.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The organization does not exist, no member of it has such a
    ///         token, or several have one of that name; or the Hub is not running.
    #[pyo3(signature = (organization: "str", token: "str") -> "Approval")]
    fn approve_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
        #[pyo3(from_py_with = text::words)] token: &str,
    ) -> PyResult<PyApproval> {
        self.0.decide(py, organization, token, Decision::Approve)
    }

    /// Denies a token that an organization never approved.
    ///
    /// Args:
    ///     organization: The organization.
    ///     token: The token's ID, or its name if only one listed token has it.
    ///
    /// Returns:
    ///     The new status of the token.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: As for `approve_token`.
    #[pyo3(signature = (organization: "str", token: "str") -> "Approval")]
    fn deny_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
        #[pyo3(from_py_with = text::words)] token: &str,
    ) -> PyResult<PyApproval> {
        self.0.decide(py, organization, token, Decision::Deny)
    }

    /// Blocks a token from an organization, whatever its policy says. It still works elsewhere.
    ///
    /// Args:
    ///     organization: The organization.
    ///     token: The token's ID, or its name if only one listed token has it.
    ///
    /// Returns:
    ///     The new status of the token.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: As for `approve_token`.
    #[pyo3(signature = (organization: "str", token: "str") -> "Approval")]
    fn revoke_token(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] organization: &str,
        #[pyo3(from_py_with = text::words)] token: &str,
    ) -> PyResult<PyApproval> {
        self.0.decide(py, organization, token, Decision::Revoke)
    }

    /// Lets jobs of a CI provider exchange their ID tokens for tokens of the Hub, so that the CI
    /// stores no secret.
    ///
    /// A job sends its ID token to `/oauth/token`, as `huggingface_hub` does with
    /// `HF_OIDC_RESOURCE`, and gets a token that is valid for an hour.
    ///
    /// Args:
    ///     resource: A repository to write to, and to no other: `namespace/name`, prefixed with
    ///         `datasets/` or `spaces/` where applicable. Or a user, to read the gated repositories
    ///         that this user may read.
    ///     issuer: The issuer of the ID tokens, exactly as their `iss` has it; `"github"` and
    ///         `"gitlab"` stand for those of GitHub Actions and gitlab.com.
    ///     claims: The claims that an ID token must have, and their values, compared exactly.
    ///     user: The user in whose name the tokens act, who may write to the repository; `None` for
    ///         the one whose repository it is.
    ///     keys: The issuer's public keys, a JWK set in JSON; with `None` the Hub fetches them from
    ///         the issuer.
    ///
    /// Returns:
    ///     The publisher.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The repository or the user does not exist, the user may not
    ///         write to the repository, or the Hub is not running.
    ///     ValueError: The resource is neither the name of a repository nor that of a user; or the
    ///         issuer, the claims or the keys cannot be used.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> with hubtoken.hub.Hub() as hub:
    ///     ...     hub.create_user("alice")
    ///     ...     hub.create_repository("alice/model")
    ///     ...     claims = {"repository": "alice/train", "ref": "refs/heads/main"}
    ///     ...     hub.create_publisher("alice/model", issuer="github", claims=claims)
    ///     <Publisher alice/model, from https://token.actions.githubusercontent.com>
    #[pyo3(signature = (
        resource: "str",
        *,
        issuer: "str",
        claims: "Mapping[str, str]",
        user: "str | None" = None,
        keys: "str | None" = None,
    ) -> "Publisher")]
    fn create_publisher(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] resource: &str,
        #[pyo3(from_py_with = text::words)] issuer: String,
        #[pyo3(from_py_with = text::words)] claims: BTreeMap<String, String>,
        #[pyo3(from_py_with = text::words)] user: Option<&str>,
        #[pyo3(from_py_with = text::words)] keys: Option<String>,
    ) -> PyResult<PyPublisher> {
        let trust = PublisherTrust {
            issuer,
            claims,
            keys,
        };
        let publisher = self
            .0
            .ask(py, |hub| hub.create_publisher(resource, user, trust))?;
        Ok(publisher.into())
    }

    /// Returns the trusted publishers.
    ///
    /// Args:
    ///     resource: Only those of this repository, or of this user; `None` for all.
    ///
    /// Returns:
    ///     The publishers, oldest first.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The repository or the user does not exist, or the Hub is not
    ///         running.
    ///     ValueError: The resource is neither the name of a repository nor that of a user.
    #[pyo3(signature = (resource: "str | None" = None) -> "list[Publisher]")]
    fn list_publishers(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] resource: Option<&str>,
    ) -> PyResult<Vec<PyPublisher>> {
        let publishers = self.0.ask(py, |hub| hub.list_publishers(resource))?;
        Ok(publishers.into_iter().map(PyPublisher::from).collect())
    }

    /// Deletes a trusted publisher. Tokens that were issued for it are invalid at once.
    ///
    /// Args:
    ///     id: The publisher's ID.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: There is no such publisher, or the Hub is not running.
    #[pyo3(signature = (id: "str") -> "None")]
    fn delete_publisher(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] id: &str,
    ) -> PyResult<()> {
        self.0.change(py, |hub| hub.delete_publisher(id))
    }

    /// Reads the audit log: who did what to what, when, and from where.
    ///
    /// Args:
    ///     user: Only actions by this user, or on this user.
    ///     organization: Only actions in this organization.
    ///     act: Only this action, such as `"token.refresh"`, or `"token"` for all actions on
    ///         tokens.
    ///     since: Only entries from this time on; a `datetime` with a time zone.
    ///     before: Only entries with a smaller ID than this, for the next page.
    ///     limit: The maximum number of entries; at most 1000.
    ///
    /// Returns:
    ///     The entries, newest first.
    ///
    /// Raises:
    ///     hubtoken.errors.HubError: The Hub is not running.
    ///     ValueError: `limit` is not a number from 0 to 1000.
    ///     TypeError: `since` has no time zone, or an argument has another type.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> with hubtoken.hub.Hub() as hub:
    ///     ...     hub.create_user("alice")
    ///     ...     [(entry.act, entry.user) for entry in hub.audit()]
    ///     [('user.create', 'alice')]
    #[pyo3(signature = (
        *,
        user: "str | None" = None,
        organization: "str | None" = None,
        act: "str | None" = None,
        since: "datetime | None" = None,
        before: "int | None" = None,
        limit: "int" = 100,
    ) -> "list[AuditEntry]")]
    #[expect(clippy::too_many_arguments, reason = "the Python signature")]
    fn audit(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = text::words)] user: Option<String>,
        #[pyo3(from_py_with = text::words)] organization: Option<String>,
        #[pyo3(from_py_with = text::words)] act: Option<String>,
        since: Option<OffsetDateTime>,
        #[pyo3(from_py_with = arguments::optional_integer)] before: Option<i64>,
        #[pyo3(from_py_with = arguments::integer)] limit: i64,
    ) -> PyResult<Vec<PyAuditEntry>> {
        let filter = AuditFilter {
            user,
            organization,
            act,
            since,
            before,
            limit: Some(up_to("limit", limit, AUDIT_ENTRIES)?),
            ..AuditFilter::default()
        };
        let entries = self.0.ask(py, |hub| hub.audit(&filter))?;
        Ok(entries.into_iter().map(PyAuditEntry::from).collect())
    }

    fn __repr__(&self) -> String {
        match self.0.address() {
            Some(address) => format!("<Hub at {address}>"),
            None => "<Hub, not running>".to_owned(),
        }
    }
}
