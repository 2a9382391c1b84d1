//! `HubToken`: a token that cannot leak by accident.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::arguments::parse_endpoint;
use super::auth;
use super::constructor;
use super::environment::PythonEnvironment;
use super::error::to_python;
use super::huggingface_hub_guard;
use super::misuse;
use super::own_class;
use super::printable;
use super::pydantic;
use super::secret_value::unwrapped;
use super::text;
use super::token_state::TokenState;
use crate::credential::Credential;
use crate::env::{self, Environment as _, StaticEnvironment};
use crate::oauth::IdTokenSource;
use crate::process_state::ProcessState;
use crate::resolve::{Inputs, placed};
use crate::source::Placement;
use crate::token::TokenKind;

/// A Hugging Face token that is opaque: it is masked wherever it is shown.
///
/// Get one from `hubtoken.resolve_token()`, `hubtoken.require_role()` or an embedded Hub, or create
/// one from text: as a converter (`type=HubToken` of `argparse`, of a dataclass or of attrs) it
/// never shows the value. It is not a `str`, and whatever a `str` has raises a `TypeError`;
/// `reveal()` returns one for libraries that need it. As
/// `auth=` of `requests` and `httpx` it sets the header for its own Hub only. A pickle carries its
/// source but not the value, except in the pickle that `multiprocessing` passes to a process that
/// it starts. As the type of a field of a pydantic model it takes what this class takes; errors of
/// the field do not show the value, and JSON has the mask.
///
/// A value on a command line is visible to every user of the machine, and the shell keeps it in its
/// history. Prefer the environment variable `HF_TOKEN`, which `hubtoken.resolve_token()` reads.
///
/// Args:
///     token: The value, or an object with `get_secret_value()`, such as pydantic's `SecretStr`. A
///         `HubToken` is returned unchanged.
///     endpoint: The Hub that it belongs to; `None` for `HF_ENDPOINT`, or `https://huggingface.co`.
///
/// Raises:
///     hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder. Not a
///         `ValueError`, whose value argument parsers print; for `argparse` itself it is an
///         `argparse.ArgumentTypeError` with the same message.
///     hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens, or a
///         `HubToken` belongs to another.
///     TypeError: The value is neither text nor a `HubToken`.
///
/// Example:
///     >>> import hubtoken
///     >>> token = hubtoken.HubToken("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
///     >>> token
///     HubToken(hf_…keXX, source=argument)
///     >>> hubtoken.HubToken(token) is token
///     True
#[pyclass(name = "HubToken", module = "hubtoken", frozen, weakref)]
pub struct PyHubToken(TokenState);

impl From<Arc<Credential>> for PyHubToken {
    fn from(credential: Arc<Credential>) -> Self {
        Self(TokenState::Live(credential))
    }
}

impl From<TokenState> for PyHubToken {
    fn from(state: TokenState) -> Self {
        Self(state)
    }
}

impl PyHubToken {
    /// The credential; an unpickled token is looked up here on first use.
    pub fn credential(&self, py: Python<'_>) -> PyResult<Arc<Credential>> {
        self.0.credential(py)
    }

    /// The same, for a call that has the process's state.
    pub fn credential_in(
        &self,
        py: Python<'_>,
        process: &ProcessState,
    ) -> PyResult<Arc<Credential>> {
        self.0.credential_in(py, process)
    }

    /// The live credential, without looking for a detached one.
    pub fn live(&self) -> Option<&Arc<Credential>> {
        self.0.live()
    }

    /// The token in masked form.
    pub fn mask(&self) -> String {
        self.0.mask()
    }

    /// Creates a token from text; a `HubToken` stays the same object.
    fn make<'py>(token: &Bound<'py, PyAny>, endpoint: Option<&str>) -> PyResult<Bound<'py, Self>> {
        let py = token.py();
        let token = unwrapped::<Self>(token)?;
        let Ok(token) = token.cast::<Self>() else {
            return Bound::new(py, Self::from(constructor::credential(&token, endpoint)?));
        };
        if endpoint.is_some() {
            token
                .get()
                .credential(py)?
                .check_endpoint(parse_endpoint(endpoint)?.as_ref())
                .map_err(to_python)?;
        }
        Ok(token.clone())
    }

    /// The error for something that only a `str` can do.
    fn is_no_str(&self, py: Python<'_>, what: &str) -> PyErr {
        misuse::str_error(py, what, &self.__repr__(py))
    }

    /// Rejects a value that must not be sent to its Hub, before another library sends it.
    fn check_sendable(&self, py: Python<'_>) -> PyResult<()> {
        self.credential(py)?.check_sendable().map_err(to_python)
    }
}

/// A `str` whose `repr` is masked.
pub fn revealed<'py>(py: Python<'py>, value: &str) -> PyResult<Bound<'py, PyString>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS
        .import(py, "hubtoken.revealed", "RevealedToken")?
        .call1((value,))?
        .cast_into()
        .map_err(PyErr::from)
}

#[pymethods]
impl PyHubToken {
    #[new]
    #[pyo3(signature = (token: "str | HubToken | SecretValue", *, endpoint: "str | None" = None))]
    fn new<'py>(
        token: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = text::address)] endpoint: Option<&str>,
    ) -> PyResult<Bound<'py, Self>> {
        Self::make(token, endpoint).map_err(|error| constructor::for_caller(token.py(), error))
    }

    /// The value, as a `str` whose `repr` is masked. Printing or formatting it shows the value.
    ///
    /// A token of an OIDC exchange has the current value: the exchange is repeated before it ends.
    ///
    /// Returns:
    ///     The value.
    ///
    /// Raises:
    ///     hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    ///     hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
    ///         Hub refuses to renew it.
    ///     hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
    ///         exchange was refused when it was repeated.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    ///     >>> token.reveal()
    ///     <revealed token>
    ///     >>> len(token.reveal())
    ///     37
    #[pyo3(signature = () -> "str")]
    fn reveal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        revealed(py, self.credential(py)?.token.expose())
    }

    /// Where the token came from.
    ///
    /// This is `argument`, `oidc`, `env:HF_TOKEN`, `config:<file>`, `file:<path>`, `store:<name>`,
    /// `command:<program>`, `colab` or `kaggle`. An active token keeps its source.
    #[getter]
    fn source(&self) -> String {
        self.0.reference().source.to_string()
    }

    /// The name of the stored token; `None` if it came from elsewhere.
    #[getter]
    fn profile(&self) -> Option<String> {
        self.0.reference().source.profile().map(str::to_owned)
    }

    /// The kind of the token, which is `user-access`, `organization`, `oauth`, `jwt`, `app`, `s3` or
    /// `opaque`.
    #[getter]
    fn kind(&self) -> &'static str {
        // A mask keeps the prefix, which determines the kind.
        TokenKind::of(&self.0.mask()).name()
    }

    /// The Hub that the token belongs to, without a trailing slash.
    #[getter]
    fn endpoint(&self) -> String {
        self.0.reference().endpoint.to_string()
    }

    /// The first eight bytes of the value's SHA-256, in hexadecimal, which distinguish tokens in a log.
    #[getter]
    fn fingerprint(&self) -> String {
        self.0.latest_reference().fingerprint
    }

    /// The value of a bearer `Authorization` header (RFC 6750), as a `str` whose `repr` is masked.
    ///
    /// Returns:
    ///     The word `Bearer`, a space, and the value.
    ///
    /// Raises:
    ///     hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
    ///         of another service.
    ///     hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    ///     hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
    ///         Hub refuses to renew it.
    ///     hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
    ///         exchange was refused when it was repeated.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    ///     >>> len(token.bearer())
    ///     44
    #[pyo3(signature = () -> "str")]
    fn bearer<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        revealed(py, &self.credential(py)?.bearer().map_err(to_python)?)
    }

    /// The headers that carry the token.
    ///
    /// A token of huggingface.co is also sent to those of its other hosts that run no user code,
    /// such as `router.huggingface.co`.
    ///
    /// Args:
    ///     url: Where they will be sent. Rejected if that is not the token's own Hub, or if some
    ///         parser could read it as another address.
    ///
    /// Returns:
    ///     A dictionary with `Authorization`.
    ///
    /// Raises:
    ///     hubtoken.errors.UntrustedEndpointError: The URL belongs to another server, or contains a
    ///         user name, a backslash, white space, an encoded host, an odd port or an odd IP
    ///         address.
    ///     hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
    ///         of another service.
    ///     hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    ///     hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
    ///         Hub refuses to renew it.
    ///     hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
    ///         exchange was refused when it was repeated.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    ///     >>> token.headers("https://huggingface.co/api/models")
    ///     {'Authorization': <revealed token>}
    #[pyo3(signature = (url: "str | None" = None) -> "dict[str, str]")]
    fn headers<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = text::address)] url: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        if let Some(url) = url {
            self.credential(py)?.check_url(url).map_err(to_python)?;
        }
        let headers = PyDict::new(py);
        headers.set_item("Authorization", self.bearer(py)?)?;
        Ok(headers)
    }

    /// The user name and password of basic authentication (RFC 7617), for `auth=` or git.
    ///
    /// A pair of strings is sent to any server: prefer `auth=token`.
    ///
    /// Args:
    ///     username: Any name; the Hub ignores it.
    ///
    /// Returns:
    ///     The name, and the value as a `str` whose `repr` is masked.
    ///
    /// Raises:
    ///     ValueError: The name is not valid Unicode.
    ///     hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
    ///         of another service.
    ///     hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    ///     hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
    ///         Hub refuses to renew it.
    ///     hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
    ///         exchange was refused when it was repeated.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    ///     >>> token.basic_auth()
    ///     ('hf_user', <revealed token>)
    #[pyo3(signature = (username: "str" = "hf_user") -> "tuple[str, str]")]
    fn basic_auth<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = text::words)] username: &str,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.check_sendable(py)?;
        (username, self.reveal(py)?).into_pyobject(py)
    }

    /// An environment for a child process, in which the Hub's libraries send this token.
    ///
    /// Args:
    ///     base: The variables to start from; `None` for `os.environ`.
    ///
    /// Returns:
    ///     A new dictionary with `HF_TOKEN`, `HF_ENDPOINT` and `HUBTOKEN_TOKEN_ORIGIN`, which
    ///     contains the token's source for the child. It has none of the variables that would take
    ///     precedence or keep the libraries from sending the token: `HF_OIDC_RESOURCE`,
    ///     `HF_HUB_DISABLE_IMPLICIT_TOKEN` and `HUGGINGFACE_CO_STAGING`. Where the token itself is
    ///     from an OIDC exchange that the child can repeat, `HF_OIDC_RESOURCE` stays: the child's
    ///     token is then renewed in time.
    ///
    /// Raises:
    ///     hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
    ///         of another service.
    ///     hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    ///     hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
    ///         Hub refuses to renew it.
    ///     hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
    ///         exchange was refused when it was repeated.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    ///     >>> sorted(token.environ({}))
    ///     ['HF_ENDPOINT', 'HF_TOKEN', 'HUBTOKEN_TOKEN_ORIGIN']
    #[pyo3(signature = (base: "Mapping[str, str] | None" = None) -> "dict[str, str]")]
    fn environ<'py>(
        &self,
        py: Python<'py>,
        base: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        self.check_sendable(py)?;
        let credential = self.credential(py)?;
        let environment = PyDict::new(py);
        let base = match base {
            Some(base) => base.clone(),
            None => py.import("os")?.getattr("environ")?,
        };
        environment.update(base.cast_into::<pyo3::types::PyAny>()?.as_any().cast()?)?;
        credential
            .endpoint
            .check_other_programs()
            .map_err(to_python)?;
        environment.set_item(env::HF_TOKEN, self.reveal(py)?)?;
        environment.set_item(env::HF_ENDPOINT, credential.endpoint.as_str())?;
        environment.set_item(
            env::HUBTOKEN_TOKEN_ORIGIN,
            placed::origin(&credential, Placement::Environ),
        )?;
        // Before they are removed.
        let mut known = StaticEnvironment::default();
        for name in [env::HF_OIDC_RESOURCE]
            .iter()
            .chain(&IdTokenSource::VARIABLES)
        {
            if let Some(value) = environment.get_item(name)? {
                known.set(name, value.extract::<OsString>()?);
            }
        }
        for name in placed::overriding(&credential, &known) {
            environment.call_method1("pop", (name, py.None()))?;
        }
        Ok(environment)
    }

    /// Makes the Hub's libraries in this process send this token on their own.
    ///
    /// Takes effect at once, and replaces what the same thread activated before without `with`.
    /// `hubtoken.deactivate()`, or `.deactivate()` of the returned object, restores the state
    /// before any activation. With `with` it lasts for the block, and afterwards the previous
    /// activation applies again; inside a block only another `with` may follow. Pushes that run in
    /// the background outlive a `with`. Activate before worker processes are started: a
    /// `HubTokenWarning` names those that keep the token that they were started with.
    ///
    /// Returns:
    ///     The activation.
    ///
    /// Raises:
    ///     hubtoken.errors.ConfigurationError: `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set, or was when
    ///         `huggingface_hub` was imported, which would not send the token; a different token is
    ///         active in another thread, or in a `with` block of another thread or task; or the
    ///         call is inside a `with` block of the same thread, and its result is dropped, tested
    ///         or assigned. A result that is passed on has no effect before it is entered.
    ///     hubtoken.errors.UntrustedEndpointError: The libraries are bound to another Hub, or
    ///         `HF_ENDPOINT` must not receive tokens.
    ///     hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
    ///         of another service.
    ///     hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    ///     hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
    ///         Hub refuses to renew it.
    ///     hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
    ///         exchange was refused when it was repeated.
    ///
    /// Example:
    ///     >>> import hubtoken
    ///     >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    ///     >>> with token.activate() as active:
    ///     ...     active is token
    ///     True
    #[pyo3(signature = () -> "Activation")]
    fn activate<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().check_sendable(slf.py())?;
        // Not kept: a reload makes another one.
        slf.py()
            .import("hubtoken.activation")?
            .call_method1("activate", (slf,))
    }

    /// Sets the header of a request, for `auth=` of `requests` and `httpx`.
    ///
    /// A token of huggingface.co is also sent to those of its other hosts that run no user code,
    /// such as `router.huggingface.co`. A request to any other server is not changed, with one
    /// warning for each server.
    ///
    /// Args:
    ///     request: The request.
    ///
    /// Returns:
    ///     The same request.
    ///
    /// Raises:
    ///     hubtoken.errors.UntrustedEndpointError: Some parser could read the request's URL as
    ///         another address.
    ///     hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
    ///         of another service.
    ///     hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    ///     hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
    ///         Hub refuses to renew it.
    ///     hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
    ///         exchange was refused when it was repeated.
    ///     TypeError: It is called without a request, by a library that takes it for a function
    ///         which returns the key: pass `token.reveal` there.
    #[pyo3(signature = (request: "object" = None) -> "Any")]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        request: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let address = |request: &Bound<'py, PyAny>| {
            request.getattr("headers").ok()?;
            request.getattr("url").ok()
        };
        let Some((url, request)) = request.and_then(|request| Some((address(&request)?, request)))
        else {
            let message = format!(
                "a HubToken is auth= of requests and httpx, not a function that returns the key. \
                 Pass api_key=token.reveal, or token.reveal() where text is needed ({})",
                self.__repr__(py)
            );
            return Err(misuse::error(py, message, None));
        };
        let url = url.str()?.into_any();
        if auth::may_see(py, &*self.credential(py)?, text::address(&url)?)? {
            request
                .getattr("headers")?
                .set_item("Authorization", self.bearer(py)?)?;
        }
        Ok(request)
    }

    /// The real class, except for code of `huggingface_hub`, which would silently ignore the token.
    #[getter]
    fn __class__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyType>> {
        let py = slf.py();
        huggingface_hub_guard::refuse(py, || slf.get().__repr__(py))?;
        Ok(py.get_type::<Self>())
    }

    /// Takes its own class, as `%autoreload` assigns it, and no other.
    #[setter(__class__)]
    fn set_class(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        own_class::check(&slf.py().get_type::<Self>(), value)
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(py.NotImplemented());
        };
        let equal = match (self.live(), other.get().live()) {
            (Some(own), Some(other)) => own.token == other.token,
            // A detached token has no value to compare.
            _ => self.0.reference().fingerprint == other.get().0.reference().fingerprint,
        };
        Ok(equal.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        self.0.reference().fingerprint.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!("HubToken({}, source={})", self.0.mask(), self.source());
        printable::shown(py, text)
    }

    fn __str__(&self, py: Python<'_>) -> String {
        self.__repr__(py)
    }

    #[pyo3(signature = (format_spec: "str", /) -> "str")]
    fn __format__(&self, py: Python<'_>, format_spec: &Bound<'_, PyAny>) -> String {
        let _ = format_spec;
        self.__repr__(py)
    }

    // What follows is asked of a `str`, which this is not: each raises a `TypeError` that says so.

    fn __getattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
        let shown = slf.get().__repr__(slf.py());
        Err(misuse::attribute_error(slf.as_any(), name, &shown))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Err(misuse::probe_error("len()", &self.__repr__(py)))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Err(misuse::probe_error("iteration", &self.__repr__(py)))
    }

    fn __contains__(&self, py: Python<'_>, part: &Bound<'_, PyAny>) -> PyResult<bool> {
        let _ = part;
        Err(self.is_no_str(py, "in"))
    }

    fn __getitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = index;
        Err(self.is_no_str(py, "[]"))
    }

    fn __add__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = other;
        Err(self.is_no_str(py, "+"))
    }

    fn __radd__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__add__(py, other)
    }

    fn __mul__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = other;
        Err(self.is_no_str(py, "*"))
    }

    fn __rmul__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__mul__(py, other)
    }

    fn __mod__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = other;
        Err(self.is_no_str(py, "%"))
    }

    fn __lt__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let _ = other;
        Err(misuse::probe_error("<", &self.__repr__(py)))
    }

    fn __le__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let _ = other;
        Err(misuse::probe_error("<=", &self.__repr__(py)))
    }

    fn __gt__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let _ = other;
        Err(misuse::probe_error(">", &self.__repr__(py)))
    }

    fn __ge__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let _ = other;
        Err(misuse::probe_error(">=", &self.__repr__(py)))
    }

    fn __reversed__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Err(misuse::probe_error("reversed()", &self.__repr__(py)))
    }

    /// True, since `len()` would decide otherwise.
    #[expect(clippy::unused_self, reason = "Python's own signature")]
    fn __bool__(&self) -> bool {
        true
    }

    #[pyo3(signature = () -> "HubToken")]
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (memo: "object", /) -> "HubToken")]
    fn __deepcopy__(slf: Py<Self>, memo: &Bound<'_, PyAny>) -> Py<Self> {
        let _ = memo;
        slf
    }

    /// The schema for pydantic.
    #[classmethod]
    #[pyo3(signature = (source: "object", handler: "Any", /) -> "Any")]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        source: &Bound<'py, PyAny>,
        handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = source;
        pydantic::token_schema(class.py(), handler)
    }

    /// The pickled form: a reference, and the value only while `multiprocessing` pickles what it
    /// passes to a process that it is starting.
    #[pyo3(signature = () -> "tuple[Any, ...]")]
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        static SPAWNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        // Not kept: a pickle names a function, which must be the module's own.
        let restore = py.import("hubtoken._core")?.getattr("restore")?;
        let reference = self.0.latest_reference();
        let mut arguments = (
            reference.source.to_string(),
            reference.source.name(),
            reference.endpoint.as_str(),
            &reference.fingerprint,
            &reference.mask,
        )
            .into_pyobject(py)?
            .into_sequence();
        if let Some(credential) = self.0.latest()
            && SPAWNING
                .import(py, "hubtoken.spawning", "is_pickled_for_new_process")?
                .call0()?
                .is_truthy()?
        {
            arguments = arguments.concat(
                (
                    credential.token.expose(),
                    credential.expires_at.unix_milliseconds(),
                    credential
                        .renewal
                        .as_ref()
                        .map(|renewal| (renewal.profile(), renewal.due_at(), renewal.issued_at())),
                )
                    .into_pyobject(py)?
                    .as_sequence(),
            )?;
        }
        (restore, arguments.to_tuple()?).into_pyobject(py)
    }
}

/// Whether `huggingface_hub` sends this very token if it is given none, or makes the same exchange.
///
/// Args:
///     token: The token.
///     instead: Variables that are assumed to have these values; `None` for one that is not set.
///
/// Returns:
///     Whether activation would change nothing.
#[pyfunction]
#[pyo3(signature = (
    token: "HubToken",
    instead: "dict[str, str | None] | None" = None,
) -> "bool")]
pub fn is_sent_anyway(
    py: Python<'_>,
    token: &PyHubToken,
    instead: Option<BTreeMap<String, Option<String>>>,
) -> PyResult<bool> {
    let credential = token.credential(py)?;
    let environment = PythonEnvironment::current(py)?;
    let inputs = match instead {
        None => Inputs::read(&environment, None),
        Some(variables) => {
            let mut environment = environment.all();
            for (name, value) in variables {
                match value {
                    Some(value) => environment.set(&name, value),
                    None => environment.unset(&name),
                }
            }
            Inputs::read(&environment, None)
        }
    };
    Ok(py.detach(|| {
        inputs.huggingface_hub_sends(&credential.token)
            || inputs.huggingface_hub_exchanges(&credential)
    }))
}

/// The description of a token's source that `activate()` passes to child processes.
///
/// Args:
///     token: The token.
///
/// Returns:
///     The text for `HUBTOKEN_TOKEN_ORIGIN`, which contains a fingerprint and not the value.
#[pyfunction]
#[pyo3(signature = (token: "HubToken") -> "str")]
pub fn activation_origin(py: Python<'_>, token: &PyHubToken) -> PyResult<String> {
    let credential = token.credential(py)?;
    Ok(placed::origin(&credential, Placement::Activation))
}
