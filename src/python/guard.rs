//! The one piece of cunning: what `HubToken.__class__` answers.
//!
//! `huggingface_hub` takes any `token=` that is no `str` for "none given" and sends the ambient token
//! instead, in silence. So when code of `huggingface_hub` asks what a `HubToken` is (`isinstance`
//! does, through `__class__`), the answer is a `TypeError` that names the fix. Everybody else gets
//! the truth.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// The library whose silence about foreign `token=` objects the guard breaks.
const GUARDED: &str = "huggingface_hub";

/// Refuses code of that library an answer; `shown` is the token as it may be shown.
pub fn refuse(py: Python<'_>, shown: impl FnOnce() -> String) -> PyResult<()> {
    let caller = py
        .import("sys")?
        .getattr("_getframe")?
        .call0()
        .and_then(|frame| frame.getattr("f_globals")?.get_item("__name__"));
    // No frame or no name: nobody's code, so not theirs.
    let name = caller
        .and_then(|name| name.extract::<String>())
        .unwrap_or_default();
    if name.split('.').next() == Some(GUARDED) {
        return Err(PyTypeError::new_err(format!(
            "huggingface_hub ignores a token= that is not a str, and would send another token or \
             none. Hand over token=token.reveal(), or call token.activate() and leave token= out \
             ({})",
            shown()
        )));
    }
    Ok(())
}
