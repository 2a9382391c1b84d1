//! Gets the token to log in with, from an argument or a prompt.

use std::sync::Arc;

use pyo3::exceptions::{PyEOFError, PyNotImplementedError};
use pyo3::prelude::*;
use zeroize::Zeroizing;

use super::arguments::warn;
use super::environment::PythonEnvironment;
use super::error::classes::HubTokenWarning;
use super::error::to_python;
use super::host::PythonHost;
use super::identity::needed;
use super::secret_value::unwrapped;
use super::text;
use super::token::PyHubToken;
use super::token_argument::argument;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::login;
use crate::process_state::ProcessState;
use crate::resolve::in_effect::InEffect;
use crate::resolve::{Argument, Inputs, ambient_endpoint};
use crate::source::Source;
use crate::token::Token;
use crate::trace::{SourceStatus, Trace};

/// The token to log in with; a `HubToken` keeps its own Hub. Also returns whether it was typed.
pub fn given(
    py: Python<'_>,
    process: &ProcessState,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<Endpoint>,
) -> PyResult<(Arc<Credential>, bool)> {
    let token = token.map(unwrapped::<PyHubToken>).transpose()?;
    let typed;
    let mut is_typed = false;
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
    let text = match given {
        Argument::Credential(credential) => {
            return Ok((credential, false));
        }
        Argument::Anonymous => return needed(None).map(|credential| (credential, false)),
        Argument::Value(text) => text,
        Argument::Ambient | Argument::Required => {
            is_typed = true;
            typed = ask(py, process, &endpoint)?;
            typed.as_str()
        }
    };
    let source = if is_typed {
        Source::Typed
    } else {
        Source::Argument
    };
    let credential = parse(text)
        .map_err(|error| error.context(&source.describe()))
        .map(|token| Credential {
            token,
            source,
            endpoint,
            expires_at: Expiry::default(),
        })
        .map_err(to_python)?;
    if let Some(warning) = credential.pasted_line_warning() {
        warn(py, &py.get_type::<HubTokenWarning>(), &warning)?;
    }
    Ok((Arc::new(credential), is_typed))
}

/// Prompts for a token through Python's own prompt, which a notebook replaces with its own.
fn ask(py: Python<'_>, process: &ProcessState, endpoint: &Endpoint) -> PyResult<Zeroizing<String>> {
    print(
        py,
        &format!("Create a token at {}", login::tokens_page(endpoint)),
    )?;
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
            Ok(Zeroizing::new(typed.to_owned()))
        }
        // No terminal, one that echoes input, or a notebook that runs unattended.
        Err(error)
            if error.matches(py, &cannot_hide)?
                || error.is_instance_of::<PyEOFError>(py)
                || error.is_instance_of::<PyNotImplementedError>(py) =>
        {
            let mut trace = Trace::default();
            trace.note("argument", SourceStatus::Absent, "not given");
            trace.note("terminal", SourceStatus::Absent, "not interactive");
            let present = in_effect(py, process).and_then(|found| login::already(&found, endpoint));
            Err(to_python(Error::TokenNotFound {
                // Does not suggest an argument: a value that is written into a program stays there.
                message: format!(
                    "there is no terminal to prompt for the token without showing it. Set \
                     HF_TOKEN, which needs no login, or run `hubtoken login --token-stdin` in a \
                     shell, with the token on its standard input{}",
                    present.unwrap_or_default()
                ),
                trace: Arc::new(trace),
            }))
        }
        Err(error) => Err(error),
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
