//! The error for a `HubToken` that is used as the text that it is not.
//!
//! Some libraries swallow a `TypeError` and report something else, or use what they have cached. So
//! where the error is raised in a library, a line on standard error says the same, once for each
//! place in the program. It is written there directly: a warning would be subject to filters, of
//! which those very libraries have their own, and a filter that makes it an error would replace the
//! `TypeError`.

use std::collections::HashSet;
use std::sync::Mutex;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::printable::encodable;
use crate::sanitize::redacted;
use crate::sync::lock_ignoring_poison;

/// How many places are remembered; a long-running program must not exhaust memory.
const MAXIMUM_WARNED: usize = 1024;

/// A file and a line of the program.
type Place = (String, u32);

/// The places that were warned about. Held only briefly, by threads that are attached to the
/// interpreter; Python forks while attached, so no child inherits it locked.
static WARNED: Mutex<Option<HashSet<Place>>> = Mutex::new(None);

/// The error for a misuse, which is reported on standard error as well if a library caused it.
///
/// `library` is a module that counts as a library wherever it is.
pub fn error(py: Python<'_>, message: String, library: Option<&str>) -> PyErr {
    // No warning is worth another error.
    let _ = warn_if_in_library(py, &message, library);
    PyTypeError::new_err(message)
}

/// The error for a method, an operator or a function of `str` that a `HubToken` does not have.
pub fn str_error(py: Python<'_>, name: &str, shown: &str) -> PyErr {
    error(py, str_message(name, shown), None)
}

/// The same for what tools try with any object: if they swallow the error, nothing is lost.
pub fn probe_error(name: &str, shown: &str) -> PyErr {
    PyTypeError::new_err(str_message(name, shown))
}

fn str_message(name: &str, shown: &str) -> String {
    format!(
        "a HubToken is not a str, so that it cannot leak, and does not support `{name}`. Use \
         token.reveal() where text is needed ({shown})"
    )
}

/// The error for an attribute that is missing: a name of `str` is a misuse, any other is not.
pub fn attribute_error(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    shown: &str,
) -> PyErr {
    let py = object.py();
    let text = name.to_string_lossy();
    // What begins with an underscore is asked for by tools that look for protocols.
    if !text.starts_with('_') && py.get_type::<PyString>().hasattr(name).unwrap_or_default() {
        return str_error(py, &text, shown);
    }
    let message = format!("'HubToken' object has no attribute '{}'", redacted(&text));
    // With these, Python suggests the attribute that was meant.
    let suggesting = || -> PyResult<PyErr> {
        let details = PyDict::new(py);
        details.set_item("name", name)?;
        details.set_item("obj", object)?;
        let class = py.get_type::<PyAttributeError>();
        class
            .call((&message,), Some(&details))
            .map(PyErr::from_value)
    };
    suggesting().unwrap_or_else(|_| PyAttributeError::new_err(message.clone()))
}

fn warn_if_in_library(py: Python<'_>, message: &str, library: Option<&str>) -> PyResult<()> {
    let sys = py.import("sys")?;
    let first = sys.getattr("_getframe")?.call0()?;
    let folder = standard_library(py)?;
    if !is_library(&first, &folder, library) {
        // The caller sees the error itself.
        return Ok(());
    }
    let mut frame = first.clone();
    while is_library(&frame, &folder, library) {
        frame = frame.getattr("f_back")?;
        if frame.is_none() {
            // A thread of the library's own.
            frame = first;
            break;
        }
    }
    let file: String = frame.getattr("f_code")?.getattr("co_filename")?.extract()?;
    let line = frame.getattr("f_lineno")?.extract().unwrap_or_default();
    if !is_new((file.clone(), line)) {
        return Ok(());
    }
    let text = format!("{}:{line}: HubTokenWarning: {message}\n", redacted(&file));
    let stream = sys.getattr("stderr")?;
    let text = encodable(&PyString::new(py, &text), &stream);
    stream.call_method1("write", (text,))?;
    stream.call_method0("flush")?;
    Ok(())
}

fn is_new(place: Place) -> bool {
    let mut warned = lock_ignoring_poison(&WARNED);
    let warned = warned.get_or_insert_default();
    warned.len() < MAXIMUM_WARNED && warned.insert(place)
}

/// The folder of Python's own modules.
fn standard_library(py: Python<'_>) -> PyResult<String> {
    let file: String = py.import("os")?.getattr("__file__")?.extract()?;
    let end = file.rfind(['/', '\\']).unwrap_or_default();
    Ok(file[..end].to_owned())
}

/// Whether a frame belongs to an installed package or to Python itself.
fn is_library(frame: &Bound<'_, PyAny>, folder: &str, library: Option<&str>) -> bool {
    let name = module(frame);
    if name.is_some() && name.as_deref().and_then(|name| name.split('.').next()) == library {
        return true;
    }
    let file = frame
        .getattr("f_code")
        .and_then(|code| code.getattr("co_filename")?.extract::<String>())
        .unwrap_or_default();
    let is_installed = file
        .split(['/', '\\'])
        .any(|part| part == "site-packages" || part == "dist-packages");
    is_installed
        || file.starts_with("<frozen ")
        || file
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with(['/', '\\']))
}

/// The name of the module that a frame runs.
pub fn module(frame: &Bound<'_, PyAny>) -> Option<String> {
    let name = frame.getattr("f_globals").ok()?.get_item("__name__").ok()?;
    name.extract().ok()
}
