//! The interpreter that the extension belongs to, and what it keeps for as long as that lives.
//!
//! Classes, caches and connections exist once in a process. A second interpreter of it (mod_wsgi,
//! `concurrent.interpreters`) would share them, and its `except` clauses would know none of the
//! errors. It is refused as a whole, and the first one goes on working.

use std::sync::OnceLock;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// Makes the calling interpreter the owner, or refuses it if another one is.
pub fn claim(py: Python<'_>) -> PyResult<()> {
    // The module `sys` lives exactly as long as its interpreter.
    static OWNER: OnceLock<usize> = OnceLock::new();
    let caller = py.import("sys")?.as_ptr().addr();
    if *OWNER.get_or_init(|| caller) == caller {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "hubtoken is in use in another interpreter of this process, and works in one only",
    ))
}

/// The objects that must exist once in a process, by name. They outlive a reload of the Python
/// modules. For `hubtoken.reloading`.
///
/// Returns:
///     The same dictionary each time.
#[pyfunction]
#[pyo3(signature = () -> "dict[str, Any]")]
pub fn process_objects(py: Python<'_>) -> Bound<'_, PyDict> {
    static OBJECTS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    OBJECTS
        .get_or_init(py, || PyDict::new(py).unbind())
        .bind(py)
        .clone()
}
