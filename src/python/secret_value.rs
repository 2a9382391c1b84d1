//! Takes a token out of an object that hides it, such as pydantic's `SecretStr`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyType};

/// A `token=` argument: the text of an object with `get_secret_value()`, anything else unchanged.
pub fn unwrapped<'py>(token: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // A class has the method too, but no value.
    let is_plain = token.is_none()
        || token.is_instance_of::<PyString>()
        || token.is_instance_of::<PyBool>()
        || token.is_instance_of::<PyType>();
    if is_plain {
        return Ok(token.clone());
    }
    let Some(method) = token.getattr_opt("get_secret_value")? else {
        return Ok(token.clone());
    };
    let value = method.call0()?;
    if value.is_instance_of::<PyString>() {
        return Ok(value);
    }
    // The types' names, never the value.
    Err(PyTypeError::new_err(format!(
        "token= takes a secret that is a str, but get_secret_value() of this {} returned {}",
        token.get_type().name()?,
        value.get_type().name()?
    )))
}
