//! `os.environ` at the moment of a call, as the core's environment.
//!
//! What counts is what `os.environ` is *now*, and not the environment of the process: a test may
//! have put another mapping in its place, and `os.putenv` does not reach it. The Hub's libraries
//! read it as well, so both see the same token.

use std::ffi::{OsStr, OsString};
use std::sync::Mutex;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyModule, PyTuple, PyType};

use crate::env::{Environment, StaticEnvironment};
use crate::sync::lock_ignoring_poison;

/// The environment of one call.
pub enum PythonEnvironment {
    /// The dictionary behind the interpreter's own mapping: as fast as the process's environment,
    /// and read without running any Python code, so that no other thread gets its turn meanwhile.
    Interpreter(Py<PyDict>),
    /// A copy of a mapping that replaces it.
    Copy(StaticEnvironment),
}

impl PythonEnvironment {
    /// What `os.environ` is now.
    ///
    /// # Errors
    ///
    /// Those of a replacement that cannot be read as a mapping.
    pub fn current(py: Python<'_>) -> PyResult<Self> {
        static OS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
        let os = OS
            .get_or_try_init(py, || py.import("os").map(Bound::unbind))?
            .bind(py);
        let mapping = os.getattr(intern!(py, "environ"))?;
        match own_dictionary(&mapping)? {
            Some(dictionary) => Ok(Self::Interpreter(dictionary.unbind())),
            None => copied(&mapping).map(Self::Copy),
        }
    }
}

/// The dictionary of bytes behind the interpreter's own mapping, which POSIX systems have.
fn own_dictionary<'py>(mapping: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if !cfg!(unix) {
        return Ok(None);
    }
    let py = mapping.py();
    if !mapping.get_type().is(CLASS.import(py, "os", "_Environ")?) {
        return Ok(None);
    }
    let dictionary = mapping.getattr_opt(intern!(py, "_data"))?;
    Ok(dictionary.and_then(|known| known.cast_into_exact::<PyDict>().ok()))
}

fn copied(mapping: &Bound<'_, PyAny>) -> PyResult<StaticEnvironment> {
    let copy = mapping.py().get_type::<PyDict>().call1((mapping,))?;
    let mut environment = StaticEnvironment::default();
    for (name, value) in copy.cast_into::<PyDict>()? {
        // What is not text can be no variable, as in a child's environment.
        if let (Ok(name), Ok(value)) = (name.extract::<String>(), value.extract::<OsString>()) {
            environment.set(&name, value);
        }
    }
    Ok(environment)
}

impl Environment for PythonEnvironment {
    fn get(&self, name: &str) -> Option<OsString> {
        match self {
            Self::Interpreter(dictionary) => Python::attach(|py| {
                let value = dictionary
                    .bind(py)
                    .get_item(PyBytes::new(py, name.as_bytes()))
                    .ok()??;
                value.cast::<PyBytes>().ok().map(of_bytes)
            }),
            Self::Copy(environment) => environment.get(name),
        }
    }

    fn all(&self) -> StaticEnvironment {
        match self {
            Self::Interpreter(dictionary) => Python::attach(|py| {
                let mut environment = StaticEnvironment::default();
                for (name, value) in dictionary.bind(py) {
                    if let (Ok(name), Ok(value)) = (name.cast::<PyBytes>(), value.cast::<PyBytes>())
                        && let Ok(name) = std::str::from_utf8(name.as_bytes())
                    {
                        environment.set(name, of_bytes(value));
                    }
                }
                environment
            }),
            Self::Copy(environment) => environment.clone(),
        }
    }

    fn are_accepted(
        &self,
        names: &'static [&'static str],
        accepts: &mut dyn FnMut(usize, Option<&[u8]>) -> bool,
    ) -> bool {
        match self {
            Self::Interpreter(dictionary) => Python::attach(|py| {
                let dictionary = dictionary.bind(py);
                keys(py, names).is_ok_and(|keys| {
                    keys.bind(py)
                        .iter_borrowed()
                        .enumerate()
                        .all(|(position, key)| {
                            let value = dictionary.get_item(key).ok().flatten();
                            let value = value
                                .as_ref()
                                .and_then(|value| value.cast::<PyBytes>().ok());
                            accepts(position, value.map(PyBytesMethods::as_bytes))
                        })
                })
            }),
            Self::Copy(environment) => environment.are_accepted(names, accepts),
        }
    }
}

/// The names as the dictionary has them. They are made once, with their hashes: that takes longer
/// than to look them up.
fn keys(py: Python<'_>, names: &'static [&'static str]) -> PyResult<Py<PyTuple>> {
    static KNOWN: Mutex<Vec<(&'static [&'static str], Py<PyTuple>)>> = Mutex::new(Vec::new());
    let is_same = |known: &&(&[&str], Py<PyTuple>)| std::ptr::eq(known.0, names);
    if let Some((_, keys)) = lock_ignoring_poison(&KNOWN).iter().find(is_same) {
        return Ok(keys.clone_ref(py));
    }
    // Not while locked: a new object may run the garbage collector, and with it another thread.
    let bytes = names.iter().map(|name| PyBytes::new(py, name.as_bytes()));
    let keys = PyTuple::new(py, bytes)?.unbind();
    lock_ignoring_poison(&KNOWN).push((names, keys.clone_ref(py)));
    Ok(keys)
}

#[cfg(unix)]
fn of_bytes(value: &Bound<'_, PyBytes>) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(value.as_bytes()).to_owned()
}

#[cfg(not(unix))]
fn of_bytes(value: &Bound<'_, PyBytes>) -> OsString {
    // Never reached: these systems have no dictionary of bytes.
    OsStr::new(String::from_utf8_lossy(value.as_bytes()).as_ref()).to_owned()
}
