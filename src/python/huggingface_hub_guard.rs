//! Makes `HubToken.__class__` raise for `huggingface_hub`, which would otherwise silently send
//! another token.
//!
//! `huggingface_hub` treats any `token=` that is not a `str` as "none given" and silently sends the
//! ambient token instead. When its code checks the type of a `HubToken` (`isinstance` does, through
//! `__class__`), the result is therefore a `TypeError` that names the fix, and a line on standard
//! error: libraries that call it swallow the error. All other callers get the real class.

use pyo3::prelude::*;

use super::misuse;

/// The library that silently ignores foreign `token=` objects.
const GUARDED: &str = "huggingface_hub";

/// Raises if the caller is code of that library; `shown` is the token in displayable form.
pub fn refuse(py: Python<'_>, shown: impl FnOnce() -> String) -> PyResult<()> {
    let caller = py.import("sys")?.getattr("_getframe")?.call0();
    // If there is no frame or no name, the caller is not that library.
    let name = caller
        .ok()
        .and_then(|frame| misuse::module(&frame))
        .unwrap_or_default();
    if name.split('.').next() == Some(GUARDED) {
        let message = format!(
            "huggingface_hub ignores a token= that is not a str, and would send another token or \
             none. Pass token=token.reveal(), or call token.activate() and leave token= out \
             ({})",
            shown()
        );
        return Err(misuse::error(py, message, Some(GUARDED)));
    }
    Ok(())
}
