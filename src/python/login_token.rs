//! Gets the token to log in with, from an argument or a prompt.

use std::sync::Arc;

use pyo3::exceptions::{PyEOFError, PyNotImplementedError};
use pyo3::prelude::*;
use zeroize::Zeroizing;

use super::error::to_python;
use super::identity::needed;
use super::secret_value::unwrapped;
use super::token_argument::argument;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env::ProcessEnvironment;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::process_state::ProcessState;
use crate::resolve::{Argument, ambient_endpoint};
use crate::source::Source;
use crate::token::Token;
use crate::trace::{SourceStatus, Trace};

/// The token to log in with; a `HubToken` keeps its own Hub.
pub fn given(
    py: Python<'_>,
    process: &ProcessState,
    token: Option<&Bound<'_, PyAny>>,
    endpoint: Option<Endpoint>,
) -> PyResult<Arc<Credential>> {
    let token = token.map(unwrapped).transpose()?;
    let typed;
    let text = match argument(py, process, token.as_ref())? {
        Argument::Credential(credential) => {
            credential
                .check_endpoint(endpoint.as_ref())
                .map_err(to_python)?;
            return Ok(credential);
        }
        Argument::Anonymous => return needed(None),
        Argument::Value(text) => text,
        Argument::Ambient | Argument::Required => {
            typed = ask(py)?;
            typed.as_str()
        }
    };
    let source = Source::Argument;
    parse(text)
        .map_err(|error| error.context(&source.describe()))
        .and_then(|token| {
            let endpoint = match endpoint {
                Some(endpoint) => endpoint,
                None => ambient_endpoint(&ProcessEnvironment)?,
            };
            Ok(Arc::new(Credential {
                token,
                source,
                endpoint,
                expires_at: Expiry::default(),
            }))
        })
        .map_err(to_python)
}

/// Prompts for a token through Python's own prompt, which a notebook replaces with its own.
fn ask(py: Python<'_>) -> PyResult<Zeroizing<String>> {
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
        Ok(typed) => Ok(Zeroizing::new(typed.extract()?)),
        // No terminal, one that echoes input, or a notebook that runs unattended.
        Err(error)
            if error.matches(py, &cannot_hide)?
                || error.is_instance_of::<PyEOFError>(py)
                || error.is_instance_of::<PyNotImplementedError>(py) =>
        {
            let mut trace = Trace::default();
            trace.note("argument", SourceStatus::Absent, "not given");
            trace.note("terminal", SourceStatus::Absent, "not interactive");
            Err(to_python(Error::TokenNotFound {
                // Does not suggest an argument: a value that is written into a program stays there.
                message: "there is no terminal to prompt for the token without showing it. Set \
                          HF_TOKEN, which needs no login, or run `hubtoken login --token-stdin` \
                          in a shell, with the token on its standard input"
                    .to_owned(),
                trace: Arc::new(trace),
            }))
        }
        Err(error) => Err(error),
    }
}

/// Parses a token that must not be blank.
pub fn parse(text: &str) -> Result<Token, Error> {
    Token::parse(text)?.ok_or_else(|| Error::TokenFormat("no token was given".to_owned()))
}
