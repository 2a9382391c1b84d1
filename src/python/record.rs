//! What the records have in common, such as `Identity`: a value without behavior of its own, which
//! is compared, copied, pickled, and written to JSON by its attributes.
//!
//! A record serializes to its public attributes, and to nothing else. That text is the content of
//! its pickle and of `to_dict()`. It may be read by a later or an earlier version, so unknown
//! fields are ignored, and lists and flags may be missing. It holds no token: where a record has
//! one, the text has its mask, and a token that was put where a name belongs is masked.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::printable;
use crate::sanitize::mask_secrets;

/// Adds the methods of a record to the `impl` of a class.
///
/// The class implements `Serialize` and `Deserialize`; its `#[pyclass]` has `eq` and `hash`. It
/// takes the whole `impl`, because `PyO3` allows only one with `#[pymethods]`.
macro_rules! record_methods {
    (impl $class:ident { $($methods:tt)* }) => {
        #[pyo3::pymethods]
        impl $class {
            $($methods)*

            /// The attributes, ready for JSON.
            ///
            /// Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
            /// that looks like a token.
            ///
            /// Returns:
            ///     A new dictionary, with the names of the attributes.
            ///
            /// Example:
            ///     >>> import hubtoken
            ///     >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            ///     >>> trace.to_dict()["endpoint"]
            ///     'https://huggingface.co'
            #[pyo3(signature = () -> "dict[str, Any]")]
            fn to_dict<'py>(
                &self,
                py: pyo3::Python<'py>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::types::PyDict>> {
                $crate::python::record::to_dict(py, self)
            }

            /// The same for `vars()`, which encoders such as FastAPI's use.
            #[getter]
            fn __dict__<'py>(
                &self,
                py: pyo3::Python<'py>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::types::PyDict>> {
                $crate::python::record::to_dict(py, self)
            }

            /// The same object, which cannot change.
            #[pyo3(signature = () -> "Self")]
            fn __copy__(slf: pyo3::Py<Self>) -> pyo3::Py<Self> {
                slf
            }

            /// The same object.
            #[pyo3(signature = (memo: "object", /) -> "Self")]
            fn __deepcopy__(
                slf: pyo3::Py<Self>,
                memo: &pyo3::Bound<'_, pyo3::PyAny>,
            ) -> pyo3::Py<Self> {
                let _ = memo;
                slf
            }

            /// The pickled form, without any token.
            #[pyo3(signature = () -> "tuple[Any, ...]")]
            fn __reduce__<'py>(
                &self,
                py: pyo3::Python<'py>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::types::PyTuple>> {
                $crate::python::record::reduce(&py.get_type::<Self>(), self)
            }

            /// Restores what was pickled.
            #[classmethod]
            #[pyo3(signature = (state: "str", /) -> "Self")]
            fn _restore(
                class: &pyo3::Bound<'_, pyo3::types::PyType>,
                state: &str,
            ) -> pyo3::PyResult<Self> {
                let _ = class;
                $crate::python::record::restore(state)
            }

            /// The schema for pydantic.
            #[classmethod]
            #[pyo3(signature = (source: "object", handler: "Any", /) -> "Any")]
            fn __get_pydantic_core_schema__<'py>(
                class: &pyo3::Bound<'py, pyo3::types::PyType>,
                source: &pyo3::Bound<'py, pyo3::PyAny>,
                handler: &pyo3::Bound<'py, pyo3::PyAny>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                let _ = source;
                $crate::python::pydantic::record_schema(class, handler)
            }
        }
    };
}
pub(super) use record_methods;

/// The text of a record.
fn serialized(record: &impl Serialize) -> PyResult<String> {
    let text = serde_json::to_string(record)
        .map_err(|error| PyValueError::new_err(format!("a time cannot be written: {error}")))?;
    Ok(mask_secrets(&text).into_owned())
}

/// A record as a dictionary. Names are what they are; a mask is one that `print` can write.
pub fn to_dict<'py>(py: Python<'py>, record: &impl Serialize) -> PyResult<Bound<'py, PyDict>> {
    let text = printable::masks(py, serialized(record)?);
    Ok(py
        .import("json")?
        .call_method1("loads", (text,))?
        .cast_into()?)
}

/// What `__reduce__` returns.
pub fn reduce<'py>(
    class: &Bound<'py, PyType>,
    record: &impl Serialize,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = class.py();
    // Not kept: a pickle names a function, which must be the module's own.
    let restore = py.import("hubtoken._core")?.getattr("restore_record")?;
    (restore, (class, serialized(record)?)).into_pyobject(py)
}

/// A record from its text.
pub fn restore<T: DeserializeOwned>(state: &str) -> PyResult<T> {
    // The reason could quote the text.
    serde_json::from_str(state).map_err(|_| PyValueError::new_err("the pickle is damaged"))
}
