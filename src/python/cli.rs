//! The `hubtoken` command's way in.

use std::ffi::OsString;
use std::io::{IsTerminal as _, stderr, stdout};

use pyo3::prelude::*;
use time::OffsetDateTime;

use super::interrupt::Signals;
use crate::cli::{self, Stream, World};
use crate::env::Fixed;

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
            stdout: Stream::new(&mut output, output_is_terminal),
            stderr: Stream::new(&mut errors, errors_are_terminal),
            width,
            now: OffsetDateTime::now_utc(),
            interrupt: &signals,
        };
        cli::run(arguments, &world)
    }))
}
