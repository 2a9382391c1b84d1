//! The schemas that pydantic asks a class for. They are built in Python, by a module that is imported
//! here: only a program that uses pydantic gets this far.

use pyo3::prelude::*;
use pyo3::types::PyType;

const MODULE: &str = "hubtoken.pydantic_schema";

/// The schema of `HubToken`.
pub fn token_schema<'py>(
    py: Python<'py>,
    handler: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    py.import(MODULE)?.call_method1("token_schema", (handler,))
}

/// The schema of a record.
pub fn record_schema<'py>(
    class: &Bound<'py, PyType>,
    handler: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    class
        .py()
        .import(MODULE)?
        .call_method1("record_schema", (class, handler))
}
