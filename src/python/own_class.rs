//! Assignments to `__class__`, which reloading tools make to every live object of a class.
//!
//! A class of the extension exists once in a process, so the new class is the one that the object
//! has already: there is nothing to do. Any other assignment is refused as Python refuses it.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Raises unless an object's new class is the one that it has, or the same of a reloaded module.
pub fn check(own: &Bound<'_, PyType>, class: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(class) = class.cast::<PyType>() else {
        return Err(PyTypeError::new_err(format!(
            "__class__ must be set to a class, not '{}' object",
            class.get_type().name()?
        )));
    };
    let name = |class: &Bound<'_, PyType>| -> PyResult<String> {
        Ok(class.fully_qualified_name()?.to_string())
    };
    if class.is(own) || name(class)? == name(own)? {
        return Ok(());
    }
    Err(PyTypeError::new_err(format!(
        "__class__ assignment: '{}' object cannot become a '{}'",
        own.name()?,
        class.name()?
    )))
}
