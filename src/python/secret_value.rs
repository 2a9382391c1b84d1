//! Takes a token out of an object that hides it, such as pydantic's `SecretStr`.
//!
//! The class of tokens is a parameter, since that class itself takes such objects.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeCheck;
use pyo3::types::{PyBool, PyString, PyType};

/// A `token=` argument: the text or the `T` in an object with `get_secret_value()`, anything else
/// unchanged.
pub fn unwrapped<'py, T: PyTypeCheck>(token: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // A class has the method too, but no value.
    let is_plain = token.is_none()
        || token.is_instance_of::<PyString>()
        || token.cast::<T>().is_ok()
        || token.is_instance_of::<PyBool>()
        || token.is_instance_of::<PyType>();
    if is_plain {
        return Ok(token.clone());
    }
    let Some(method) = token.getattr_opt("get_secret_value")? else {
        return Ok(token.clone());
    };
    let value = method.call0()?;
    if value.is_instance_of::<PyString>() || value.cast::<T>().is_ok() {
        return Ok(value);
    }
    // The types' names, never the value.
    Err(PyTypeError::new_err(format!(
        "token= takes a secret that is a str or a HubToken, but get_secret_value() of this {} \
         returned {}",
        token.get_type().name()?,
        value.get_type().name()?
    )))
}
