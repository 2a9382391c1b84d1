//! Gets the token to log in with: from an argument, a prompt, or the browser.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::{PyEOFError, PyException, PyNotImplementedError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::arguments::warn;
use super::browser::SystemBrowser;
use super::environment::PythonEnvironment;
use super::error::classes::HubTokenWarning;
use super::error::to_python;
use super::host::PythonHost;
use super::identity::needed;
use super::log;
use super::secret_value::unwrapped;
use super::signals::Signals;
use super::text;
use super::token::PyHubToken;
use super::token_argument::argument;
use crate::cli::{Browser as _, qr_code};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::login;
use crate::login::browser::{BrowserLogin, BrowserLoginFailure, BrowserSettings, issued_fields};
use crate::oauth::SystemPace;
use crate::process_state::ProcessState;
use crate::requested_access::{RequestedAccess, is_known_user};
use crate::resolve::in_effect::InEffect;
use crate::resolve::{Argument, Inputs, ambient_endpoint};
use crate::source::Source;
use crate::store::IssuedFields;
use crate::store::token_store::TokenStore;
use crate::token::Token;
use crate::trace::{SourceStatus, Trace};

/// The token to log in with.
pub struct Given {
    /// The token, which keeps its own Hub if it is a `HubToken`.
    pub credential: Arc<Credential>,
    /// Whether the user typed it or approved it, and is to be told what became of it.
    pub is_interactive: bool,
    /// What came with it, if it was issued for this login.
    pub issued: Option<IssuedFields>,
}

impl Given {
    fn by_program(credential: Arc<Credential>) -> Self {
        Self {
            credential,
            is_interactive: false,
            issued: None,
        }
    }
}

/// The access that the token is to be created with, and the tokens that are stored already.
pub type Requested<'a> = (&'a RequestedAccess, &'a TokenStore<'a>);

/// Takes the token from the argument, or asks for it: at the prompt, or in the browser.
pub fn given(
    py: Python<'_>,
    process: &Arc<ProcessState>,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<Endpoint>,
    requested: Option<Requested<'_>>,
    in_keyring: bool,
    signals: &Arc<Signals>,
) -> PyResult<Given> {
    let token = token.map(unwrapped::<PyHubToken>).transpose()?;
    let given = argument(py, process, token.as_ref())?;
    let endpoint = match (&given, endpoint) {
        (Argument::Credential(credential), endpoint) => {
            credential
                .check_endpoint(endpoint.as_ref())
                .map_err(to_python)?;
            credential.endpoint.clone()
        }
        (_, Some(endpoint)) => endpoint,
        (_, None) => ambient_endpoint(&PythonEnvironment::current(py)?).map_err(to_python)?,
    };
    match given {
        Argument::Credential(credential) => Ok(Given::by_program(credential)),
        Argument::Anonymous => needed(None).map(Given::by_program),
        Argument::Value(text) => {
            credential(py, text, Source::Argument, endpoint).map(Given::by_program)
        }
        Argument::Ambient | Argument::Required => {
            if let Some(requested) = requested {
                return created(py, process, endpoint, requested);
            }
            let line = format!(
                "Create a token at {} and paste it, or press Enter to log in with the browser",
                login::tokens_page(&endpoint)
            );
            match ask(py, &line)? {
                Some(typed) if !typed.trim().is_empty() => pasted(py, &typed, endpoint),
                _ if in_keyring => Err(PyValueError::new_err(login::no_browser_login_in_keyring(
                    &endpoint,
                    "paste it, or hand it over as token=",
                ))),
                typed => in_browser(py, process, endpoint, signals, typed.is_some()),
            }
        }
    }
}

/// Has the user create a token with the access that was asked for, and paste it.
fn created(
    py: Python<'_>,
    process: &ProcessState,
    endpoint: Endpoint,
    (access, token_store): Requested<'_>,
) -> PyResult<Given> {
    let is_user = |name: &str| is_known_user(token_store, &endpoint, name);
    let page = access.page(&endpoint, is_user);
    // Not from the kernel of a notebook, whose user may be elsewhere.
    if std::io::stdin().is_terminal()
        && BrowserSettings::read(&PythonEnvironment::current(py)?).can_open()
    {
        // The address is shown as well.
        let _ = SystemBrowser.open(&page);
    }
    match ask(py, &access.instruction(&page))? {
        Some(typed) => pasted(py, &typed, endpoint),
        None => Err(nobody(
            py,
            process,
            &endpoint,
            &format!(". Create it at {page}"),
        )),
    }
}

/// A token that the user typed.
fn pasted(py: Python<'_>, typed: &str, endpoint: Endpoint) -> PyResult<Given> {
    Ok(Given {
        is_interactive: true,
        ..Given::by_program(credential(py, typed, Source::Typed, endpoint)?)
    })
}

/// A token as text, which may be a pasted line.
fn credential(
    py: Python<'_>,
    text: &str,
    source: Source,
    endpoint: Endpoint,
) -> PyResult<Arc<Credential>> {
    let credential = parse(text)
        .map_err(|error| error.context(&source.describe()))
        .map(|token| Credential {
            token,
            source,
            endpoint,
            expires_at: Expiry::default(),
            renewal: None,
        })
        .map_err(to_python)?;
    if let Some(warning) = credential.pasted_line_warning() {
        warn(py, &py.get_type::<HubTokenWarning>(), &warning)?;
    }
    Ok(Arc::new(credential))
}

/// Prints a line, and prompts for a token through Python's own prompt, which a notebook replaces with
/// its own. `None` if there is nobody to answer.
fn ask(py: Python<'_>, line: &str) -> PyResult<Option<Zeroizing<String>>> {
    print(py, line)?;
    let getpass = py.import("getpass")?;
    let cannot_hide = getpass.getattr("GetPassWarning")?;
    let warnings = py.import("warnings")?;
    let kept = warnings.call_method0("catch_warnings")?;
    kept.call_method0("__enter__")?;
    let typed = warnings
        .call_method1("simplefilter", ("error", &cannot_hide))
        .and_then(|_| getpass.call_method1("getpass", ("Token (it is not shown): ",)));
    kept.call_method1("__exit__", (py.None(), py.None(), py.None()))?;
    match typed {
        Ok(typed) => {
            let typed = text::token(typed.cast()?, "what was typed")?;
            Ok(Some(Zeroizing::new(typed.to_owned())))
        }
        // Ctrl-D: the user gives up.
        Err(error) if error.is_instance_of::<PyEOFError>(py) && std::io::stdin().is_terminal() => {
            let what = Source::Typed.describe();
            let error = Error::TokenFormat(format!("{what}: no token was given"));
            Err(to_python(error))
        }
        // No terminal, one that echoes input, or a notebook that runs unattended.
        Err(error)
            if error.matches(py, &cannot_hide)?
                || error.is_instance_of::<PyEOFError>(py)
                || error.is_instance_of::<PyNotImplementedError>(py) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Logs in with the browser. A Hub that has no such login leaves things as they are without one.
fn in_browser(
    py: Python<'_>,
    process: &Arc<ProcessState>,
    endpoint: Endpoint,
    signals: &Arc<Signals>,
    has_prompt: bool,
) -> PyResult<Given> {
    let process = process.after_pid_check();
    let settings = BrowserSettings::read(&PythonEnvironment::current(py)?);
    let can_open = settings.can_open();
    let begun = {
        let (process, endpoint) = (Arc::clone(&process), endpoint.clone());
        let interrupt = Arc::clone(signals);
        log::detached(py, move || {
            BrowserLogin::begin(&process.client, &endpoint, &settings, &*interrupt)
        })?
    };
    let login = match begun {
        Ok(login) => Arc::new(login),
        Err(BrowserLoginFailure::Failed(error)) => return Err(signals.to_python(error)),
        Err(BrowserLoginFailure::Unsupported(_)) if has_prompt => {
            return Err(to_python(Error::TokenFormat(format!(
                "no token was given, and {endpoint} has no login by browser"
            ))));
        }
        Err(BrowserLoginFailure::Unsupported(_)) => {
            let why = format!(", and {endpoint} has no login by browser");
            return Err(nobody(py, &process, &endpoint, &why));
        }
    };
    let display = Display::show(py, &login, &endpoint)?;
    if has_prompt && can_open {
        // The address is shown already.
        let _ = SystemBrowser.open(login.address());
    }
    let answer = {
        let (login, display) = (Arc::clone(&login), display.clone_ref(py));
        let interrupt = Arc::clone(signals);
        log::detached(py, move || {
            login.wait(&SystemPace, &*interrupt, &mut |left| {
                Python::attach(|py| display.waiting(py, left, &interrupt))
            })
        })?
    };
    match answer {
        Ok(answer) => {
            display.ended(py, "The login was approved.");
            Ok(Given {
                issued: Some(issued_fields(
                    &answer,
                    OffsetDateTime::now_utc().unix_timestamp(),
                )),
                credential: Arc::new(Credential {
                    token: answer.access_token,
                    source: Source::Browser,
                    endpoint,
                    expires_at: Expiry::default(),
                    renewal: None,
                }),
                is_interactive: true,
            })
        }
        Err(error) => {
            let text = match &error {
                Error::Interrupted => "The login was given up.".to_owned(),
                error => error.to_string(),
            };
            display.ended(py, &text);
            Err(signals.to_python(error))
        }
    }
}

/// Nobody can type a token, and `why` nothing else takes the place of that.
fn nobody(py: Python<'_>, process: &ProcessState, endpoint: &Endpoint, why: &str) -> PyErr {
    let mut trace = Trace::default();
    trace.note("argument", SourceStatus::Absent, "not given");
    trace.note("terminal", SourceStatus::Absent, "not interactive");
    let present = in_effect(py, process).and_then(|found| login::already(&found, endpoint));
    to_python(Error::TokenNotFound {
        // Does not suggest an argument: a value that is written into a program stays there.
        message: format!(
            "there is no terminal to prompt for the token without showing it{why}. Set HF_TOKEN, which needs no login, or run `hubtoken login \
             --token-stdin` in a shell, with the token on its standard input{}",
            present.unwrap_or_default()
        ),
        trace: Arc::new(trace),
    })
}

/// What shows a waiting login: `hubtoken.login_display`.
struct Display(Py<PyAny>);

impl Display {
    fn show(py: Python<'_>, login: &Arc<BrowserLogin>, endpoint: &Endpoint) -> PyResult<Self> {
        let (drawn, endpoint) = (Arc::clone(login), endpoint.clone());
        let picture = PyCFunction::new_closure(
            py,
            None,
            None,
            move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                let width: usize = arguments.get_item(0)?.extract()?;
                PyResult::Ok(qr_code(&drawn, &endpoint, width))
            },
        )?;
        let arguments = (
            login.address(),
            login.user_code(),
            login.instructions(),
            picture,
        );
        let module = py.import("hubtoken.login_display")?;
        module
            .call_method1("show", arguments)
            .map(|shown| Self(shown.unbind()))
    }

    fn clone_ref(&self, py: Python<'_>) -> Self {
        Self(self.0.clone_ref(py))
    }

    /// What a signal handler raises meanwhile, as on Ctrl-C, ends the login.
    fn waiting(&self, py: Python<'_>, left: Duration, signals: &Signals) -> Result<(), Error> {
        match self.call(py, "waiting", left.as_secs()) {
            Err(error) if !error.is_instance_of::<PyException>(py) => {
                signals.keep(error);
                Err(Error::Interrupted)
            }
            shown => {
                report(py, shown);
                Ok(())
            }
        }
    }

    fn ended(&self, py: Python<'_>, outcome: &str) {
        report(py, self.call(py, "ended", outcome));
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        argument: impl IntoPyObject<'py>,
    ) -> PyResult<()> {
        let argument = argument.into_bound_py_any(py)?;
        self.0.bind(py).call_method1(name, (argument,)).map(drop)
    }
}

/// Reports a display that fails. It does not end the login, which may be approved already.
fn report(py: Python<'_>, shown: PyResult<()>) {
    if let Err(error) = shown {
        error.write_unraisable(py, None);
    }
}

/// Prints a line where a program's own `print` would.
pub fn print(py: Python<'_>, text: &str) -> PyResult<()> {
    py.import("builtins")?.call_method1("print", (text,))?;
    Ok(())
}

/// The token that is used here when none is given. No command is run for that, and no vault read.
/// `None` if it cannot be told.
pub fn in_effect(py: Python<'_>, process: &ProcessState) -> Option<InEffect> {
    let host = PythonHost::new(process);
    let environment = PythonEnvironment::current(py).ok()?;
    let folder = std::env::current_dir().ok();
    let inputs = Inputs::read_for_token(&environment, folder).with_host(&host);
    py.detach(|| process.resolver.in_effect(&inputs)).ok()
}

/// Parses a token that must not be blank.
pub fn parse(text: &str) -> Result<Token, Error> {
    Token::parse(text)?.ok_or_else(|| Error::TokenFormat("no token was given".to_owned()))
}
