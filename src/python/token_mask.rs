//! The mask of a token as text, for formats that have no place for an object.

use pyo3::prelude::*;

use super::printable;
use super::token::PyHubToken;

/// The mask of a token, which stands for it where only text is possible.
///
/// Args:
///     token: The token.
///
/// Returns:
///     The mask, such as `hf_…keXX`, in a form that `print` can write.
#[pyfunction]
#[pyo3(signature = (token: "HubToken") -> "str")]
pub fn token_mask(py: Python<'_>, token: &PyHubToken) -> String {
    printable::shown(py, token.mask())
}
