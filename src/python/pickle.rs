//! The functions that a pickle calls to restore its objects: a token, or a record.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::PyType;

use super::environment::PythonEnvironment;
use super::error::to_python;
use super::token::PyHubToken;
use super::token_state::TokenState;
use crate::credential::{Credential, Renewal};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::live_tokens;
use crate::resolve::PlainHttp;
use crate::source::Source;
use crate::token::Token;
use crate::token_reference::TokenReference;

/// Restores a `HubToken` from a pickle. Sends no request and reads no source.
///
/// Args:
///     source: The source's label.
///     name: The name of the stored token, or what the exchange of the token was for.
///     endpoint: The Hub.
///     fingerprint: The fingerprint.
///     mask: The mask.
///     value: The value, only in the pickle for a process that is being started.
///     ends_at: When the value is known to expire, in Unix milliseconds.
///     renewal: The stored token that renews the value, when that is due, and when the value was
///         issued, in Unix seconds.
///
/// Returns:
///     The token if the pickle carries it or it is alive in this process, else one that is looked
///     up on first use.
#[pyfunction]
#[pyo3(signature = (
    source: "str",
    name: "str | None",
    endpoint: "str",
    fingerprint: "str",
    mask: "str",
    value: "str | None" = None,
    ends_at: "int | None" = None,
    renewal: "tuple[str, int, int | None] | None" = None,
) -> "HubToken")]
#[expect(clippy::too_many_arguments, reason = "what a pickle carries")]
pub fn restore(
    source: &str,
    name: Option<&str>,
    endpoint: &str,
    fingerprint: String,
    mask: String,
    value: Option<&str>,
    ends_at: Option<u64>,
    renewal: Option<(String, i64, Option<i64>)>,
) -> PyResult<PyHubToken> {
    let reference = TokenReference {
        // A source of a later version cannot be looked up again: treat it as an argument.
        source: Source::parse(source, name).unwrap_or(Source::Argument),
        endpoint: Endpoint::parse_recorded(endpoint).map_err(|_| damaged())?,
        fingerprint,
        mask,
    };
    if let Some(credential) = live_tokens::find(&reference) {
        return Ok(credential.into());
    }
    let token = value
        .and_then(|value| Token::parse(value).ok().flatten())
        .filter(|token| token.digest().fingerprint() == reference.fingerprint)
        // Its host may no longer be named. Then the lookup on first use says so.
        .filter(|_| {
            Python::attach(PythonEnvironment::current)
                .is_ok_and(|known| PlainHttp::read(&known).check(&reference.endpoint).is_ok())
        });
    Ok(match token {
        Some(token) => {
            let credential = Arc::new(Credential {
                token,
                source: reference.source,
                endpoint: reference.endpoint,
                expires_at: ends_at.map_or(Expiry::UNKNOWN, Expiry::at_unix_milliseconds),
                // The time is that of the renewal, so nothing is left of its life then.
                renewal: renewal.map(|(profile, due_at, issued_at)| {
                    Box::new(Renewal::new(profile, due_at, Some(0)).issued(issued_at, None))
                }),
            });
            live_tokens::register(&credential);
            credential.into()
        }
        None => detached(reference),
    })
}

/// Restores a record, such as an `Identity`, from a pickle.
///
/// Args:
///     record: The class.
///     state: The record's text.
///
/// Returns:
///     An object of the class.
///
/// Raises:
///     ValueError: The pickle was changed.
#[pyfunction]
#[pyo3(signature = (record: "type[Any]", state: "str") -> "Any")]
pub fn restore_record<'py>(
    record: &Bound<'py, PyType>,
    state: &str,
) -> PyResult<Bound<'py, PyAny>> {
    record.call_method1("_restore", (state,))
}

/// The token that a reference identifies: alive in this process, or looked up on first use.
pub fn referenced(reference: TokenReference) -> PyHubToken {
    match live_tokens::find(&reference) {
        Some(credential) => credential.into(),
        None => detached(reference),
    }
}

fn detached(reference: TokenReference) -> PyHubToken {
    TokenState::Detached {
        reference,
        found: OnceLock::new(),
    }
    .into()
}

fn damaged() -> PyErr {
    to_python(Error::InvalidArgument("the pickle is damaged".to_owned()))
}
