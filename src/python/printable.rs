//! Text that `print` can write, whatever the encoding of standard output.
//!
//! A mask contains U+2026, which no header can carry, and a message may contain a name that people
//! gave. Where `sys.stdout` cannot encode them (`PYTHONIOENCODING=ascii`, a Windows code page), to
//! print a token or an error must not raise another error. There a mask has three dots instead,
//! which no source of tokens accepts either, and other characters become escape sequences.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::token::ELLIPSIS;

/// What a mask has where U+2026 cannot be encoded.
const DOTS: &str = "...";
const ESCAPED: &str = "backslashreplace";

/// Returns a text that `sys.stdout` can encode: the text itself if that is possible.
///
/// Args:
///     text: The text.
///
/// Returns:
///     The same object, or the text with three dots for U+2026 and escape sequences for everything
///     else that standard output cannot encode.
#[pyfunction]
#[pyo3(signature = (text: "str") -> "str")]
pub fn printable<'py>(text: &Bound<'py, PyString>) -> Bound<'py, PyString> {
    let sys = text.py().import("sys");
    let stdout = sys.and_then(|sys| sys.getattr("stdout"));
    stdout.map_or_else(|_| text.clone(), |stdout| encodable(text, &stdout))
}

/// A text in a form that `print` can write.
pub fn shown(py: Python<'_>, text: String) -> String {
    if text.is_ascii() {
        return text;
    }
    match printable(&PyString::new(py, &text)).to_str() {
        Ok(printable) => printable.to_owned(),
        Err(_) => text,
    }
}

/// A text with masks in a form that `print` can write. All else in it stays as it is.
pub fn masks(py: Python<'_>, text: String) -> String {
    if text.contains(ELLIPSIS) && shown(py, ELLIPSIS.to_string()) == DOTS {
        text.replace(ELLIPSIS, DOTS)
    } else {
        text
    }
}

/// The text in a form that a stream can encode.
pub fn encodable<'py>(
    text: &Bound<'py, PyString>,
    stream: &Bound<'py, PyAny>,
) -> Bound<'py, PyString> {
    // A stream without an encoding keeps text as it is; there may be no stream at all.
    let Some(encoding) = stream
        .getattr("encoding")
        .ok()
        .and_then(|encoding| encoding.cast_into::<PyString>().ok())
    else {
        return text.clone();
    };
    if text.call_method1("encode", (&encoding,)).is_ok() {
        return text.clone();
    }
    let escaped = |encoding: &Bound<'py, PyString>| -> PyResult<Bound<'py, PyAny>> {
        text.call_method1("replace", (ELLIPSIS, DOTS))?
            .call_method1("encode", (encoding, ESCAPED))?
            .call_method1("decode", (encoding,))
    };
    escaped(&encoding)
        // An encoding that Python does not know.
        .or_else(|_| escaped(&PyString::new(text.py(), "ascii")))
        .ok()
        .and_then(|escaped| escaped.cast_into().ok())
        .unwrap_or_else(|| text.clone())
}
