//! Writes to the descriptors that the process was started with, through Python's `os`: a number alone
//! is no safe handle in Rust.

use std::io;

use pyo3::exceptions::{PyBlockingIOError, PyKeyboardInterrupt};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::cli::{Descriptor, Descriptors};

/// The type of a file in its mode, and that of a regular one.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
/// The group and everybody else may read it.
const READABLE: u32 = 0o044;
/// The last of the standard streams, which are the process's whoever opened them.
const STANDARD_ERROR: i32 = 2;

/// The process's descriptors.
pub struct ProcessDescriptors;

impl Descriptors for ProcessDescriptors {
    fn inspect(&self, number: i32) -> io::Result<Descriptor> {
        Python::attach(|py| inspect(py, number).map_err(|error| io_error(py, &error)))?
    }

    fn write(&self, number: i32, text: &str) -> io::Result<()> {
        Python::attach(|py| write(py, number, text).map_err(|error| io_error(py, &error)))
    }
}

fn inspect(py: Python<'_>, number: i32) -> PyResult<io::Result<Descriptor>> {
    let os = py.import("os")?;
    let mode: u32 = os
        .call_method1("fstat", (number,))?
        .getattr("st_mode")?
        .extract()?;
    // What the parent process handed over is inheritable; a connection or a file of this process is
    // not.
    if number > STANDARD_ERROR
        && !os
            .call_method1("get_inheritable", (number,))?
            .extract::<bool>()?
    {
        let text = "it was not handed to this program";
        return Ok(Err(io::Error::new(io::ErrorKind::PermissionDenied, text)));
    }
    // Fails for what is not for writing.
    os.call_method1("write", (number, PyBytes::new(py, b"")))?;
    let select = py.import("select")?;
    if select.hasattr("poll")? {
        let poll = select.call_method0("poll")?;
        poll.call_method1("register", (number, 0))?;
        let events: Vec<(i32, u32)> = poll.call_method1("poll", (0,))?.extract()?;
        if !events.is_empty() {
            // The only events that nobody needs to ask for are errors.
            return Ok(Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "nobody reads from it",
            )));
        }
    }
    Ok(Ok(Descriptor {
        is_terminal: os.call_method1("isatty", (number,))?.extract()?,
        is_exposed: cfg!(unix) && mode & TYPE == REGULAR && mode & READABLE != 0,
    }))
}

fn write(py: Python<'_>, number: i32, text: &str) -> PyResult<()> {
    let os = py.import("os")?;
    let mut left = text.as_bytes();
    while !left.is_empty() {
        // A Ctrl-C that came before would not end the wait.
        py.check_signals()?;
        match os.call_method1("write", (number, PyBytes::new(py, left))) {
            Ok(written) => left = left.get(written.extract::<usize>()?..).unwrap_or_default(),
            Err(error) if error.is_instance_of::<PyBlockingIOError>(py) => wait(py, number)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until a descriptor that does not block can be written.
fn wait(py: Python<'_>, number: i32) -> PyResult<()> {
    let select = py.import("select")?;
    let poll = select.call_method0("poll")?;
    poll.call_method1("register", (number, select.getattr("POLLOUT")?))?;
    poll.call_method0("poll").map(drop)
}

/// The system's words alone: an exception of Python would also say its class and number.
fn io_error(py: Python<'_>, error: &PyErr) -> io::Error {
    if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        return io::ErrorKind::Interrupted.into();
    }
    let words = error.value(py).getattr("strerror");
    let words = words.and_then(|words| words.extract::<String>());
    io::Error::other(words.unwrap_or_else(|_| "the system does not allow it".to_owned()))
}
