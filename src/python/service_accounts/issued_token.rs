//! A token that was just issued, handed to the caller.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::live_tokens;
use crate::manage::IssuedToken;
use crate::python::printable;
use crate::python::service_account::PyServiceAccountToken;
use crate::python::token::PyHubToken;
use crate::sanitize::redacted;

/// A new token, and what the Hub says about it.
///
/// # Errors
///
/// What the handler of a signal raises that came meanwhile: Python would raise it before the caller
/// has the token, and nobody would learn that there is one.
pub(super) fn issued(
    py: Python<'_>,
    issued: IssuedToken,
) -> PyResult<(PyHubToken, PyServiceAccountToken)> {
    py.check_signals().map_err(|error| {
        let note = format!(
            "the token {:?} ({}) has a value now that nobody has: rotate it, or delete it",
            issued.info.name, issued.info.id
        );
        noted(py, error, printable::shown(py, redacted(&note)))
    })?;
    live_tokens::register(&issued.credential);
    Ok((
        PyHubToken::from(issued.credential),
        PyServiceAccountToken(issued.info),
    ))
}

/// An exception with a note; in Python 3.10, which has none, a bare `KeyboardInterrupt` has it as its
/// message.
fn noted(py: Python<'_>, error: PyErr, note: String) -> PyErr {
    if error.value(py).call_method1("add_note", (&note,)).is_ok() {
        error
    } else if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        PyKeyboardInterrupt::new_err(note)
    } else {
        error
    }
}
