//! The `hubtoken` command's way in.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Read as _, stderr, stdin, stdout};

use pyo3::prelude::*;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::interrupt::Signals;
use crate::cli::{self, Input, Stream, World};
use crate::env::Fixed;
use crate::error::Error;

/// Runs the `hubtoken` command with the arguments in `sys.argv`.
///
/// Returns:
///     The exit code: 0 yes or done, 1 no, 2 wrong usage, 3 could not be known, 130 interrupted.
#[pyfunction]
#[pyo3(signature = () -> "int")]
pub fn main(py: Python<'_>) -> PyResult<u8> {
    let arguments: Vec<OsString> = py.import("sys")?.getattr("argv")?.extract()?;
    // Read while attached; the command itself runs detached and reads this copy.
    let environment = Fixed::of_process();
    let folder = std::env::current_dir().ok();
    let signals = Signals::default();
    Ok(py.detach(|| {
        let (mut output, mut errors) = (stdout(), stderr());
        let (output_is_terminal, errors_are_terminal) =
            (output.is_terminal(), errors.is_terminal());
        let width = output_is_terminal
            .then(terminal_size::terminal_size)
            .flatten()
            .map(|(width, _)| usize::from(width.0));
        let world = World {
            environment: &environment,
            folder,
            stdin: &StandardInput,
            stdout: Stream::new(&mut output, output_is_terminal),
            stderr: Stream::new(&mut errors, errors_are_terminal),
            width,
            now: OffsetDateTime::now_utc(),
            interrupt: &signals,
        };
        cli::run(arguments, &world)
    }))
}

/// The process's standard input.
struct StandardInput;

impl Input for StandardInput {
    fn read(&self, limit: u64) -> Result<Zeroizing<String>, Error> {
        // A pipe of any length: what is read is bounded, and never grows out of its buffer.
        let capacity = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        stdin()
            .lock()
            .take(limit)
            .read_to_string(&mut text)
            .map_err(|_| {
                Error::InvalidArgument("standard input cannot be read as text".to_owned())
            })?;
        Ok(text)
    }

    fn ask_hidden(&self, prompt: &str) -> Result<Option<Zeroizing<String>>, Error> {
        if !stdin().is_terminal() {
            return Ok(None);
        }
        // Python's own prompt: it turns the echo off and on again, also when Ctrl-C ends it.
        Python::attach(|py| {
            let getpass = py.import("getpass")?.getattr("getpass")?;
            getpass.call1((prompt,))?.extract::<String>()
        })
        .map(|typed| Some(Zeroizing::new(typed)))
        .map_err(|_| Error::Interrupted)
    }
}
