//! Words why the git program was not run, or failed.

use std::io::{Error, ErrorKind};
use std::process::Output;

use crate::sanitize::redacted;

/// Why the program cannot be run, as a sentence.
pub(super) fn not_run(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "there is no git program on PATH. Install git, and try again".to_owned()
        }
        kind => format!("the git program cannot be run: {kind}"),
    }
}

/// `what` failed, and what git says about it.
pub(super) fn refusal(what: &str, output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim();
    if words.is_empty() {
        format!("{what}: git does not say why")
    } else {
        format!("{what}: {}", redacted(words))
    }
}
