//! The entry point of the `hubtoken` command.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read as _, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

use pyo3::exceptions::PyEOFError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::browser::SystemBrowser;
use super::descriptors::ProcessDescriptors;
use super::environment::PythonEnvironment;
use super::signals::Signals;
use crate::cli::{self, Context, Exec, Input, Prompt, ReplaceProcess, Stream, Typed};
use crate::env::Environment as _;
use crate::error::Error;
use crate::oauth::SystemPace;
use crate::process_state;
use crate::resolve::Resolver;

/// A text that each encoding writes in its own way, if it can.
const UNICODE: &str = "\u{2026}";

/// Runs the `hubtoken` command with the arguments in `sys.argv`.
///
/// Returns:
///     The exit code: 0 yes or done, 1 no, 2 wrong usage, 3 unknown, 130 interrupted.
#[pyfunction]
#[pyo3(signature = () -> "int")]
pub fn main(py: Python<'_>) -> PyResult<u8> {
    let sys = py.import("sys")?;
    let arguments: Vec<OsString> = sys.getattr("argv")?.extract()?;
    let interpreter: Option<OsString> = sys.getattr("executable")?.extract()?;
    // Read while attached; the command itself runs detached and reads this copy.
    let environment = PythonEnvironment::current(py)?.all();
    let folder = std::env::current_dir().ok();
    let (output_is_ascii, errors_are_ascii) = (is_ascii(&sys, "stdout"), is_ascii(&sys, "stderr"));
    let program = program(arguments.first(), interpreter, folder.as_deref()).or_else(|| {
        // Only this verb needs it, and the search takes longer than many a verb.
        let is_needed = arguments.iter().any(|argument| argument == "setup-git");
        is_needed
            .then(|| installed_program(py, arguments.first()))
            .flatten()
    });
    let signals = Signals::default();
    // The process's client already has a thread and connections, and a logout clears its caches
    // too. The resolver is new, since each command emits its own warnings.
    let process = process_state::current_after_pid_check();
    Ok(py.detach(|| {
        let (mut input, mut output, mut errors) = (stdin(), stdout(), stderr());
        let input_is_terminal = input.is_terminal();
        let (output_is_terminal, errors_are_terminal) =
            (output.is_terminal(), errors.is_terminal());
        let width = (output_is_terminal || errors_are_terminal)
            .then(terminal_size::terminal_size)
            .flatten()
            .map(|(width, _)| usize::from(width.0));
        let context = Context {
            environment: &environment,
            folder,
            program,
            stdin: Input::new(&mut input, input_is_terminal),
            prompt: &StandardInput,
            stdout: Stream::new(&mut output, output_is_terminal).in_ascii(output_is_ascii),
            stderr: Stream::new(&mut errors, errors_are_terminal).in_ascii(errors_are_ascii),
            width,
            now: OffsetDateTime::now_utc(),
            interrupt: &signals,
            launcher: &FromPython,
            browser: &SystemBrowser,
            descriptors: &ProcessDescriptors,
            pace: &SystemPace,
            resolver: Resolver::default(),
            client: Some(&process.client),
        };
        cli::run(arguments, &context)
    }))
}

/// Whether Python writes a stream in an encoding other than UTF-8, in which this command writes.
fn is_ascii(sys: &Bound<'_, PyModule>, stream: &str) -> bool {
    let encoded = || -> PyResult<Option<Vec<u8>>> {
        // There may be no stream, or one without an encoding.
        let stream = sys.getattr(stream)?;
        let Some(encoding) = stream
            .getattr("encoding")
            .ok()
            .filter(|encoding| !encoding.is_none())
        else {
            return Ok(None);
        };
        let encoded = PyString::new(sys.py(), UNICODE).call_method1("encode", (encoding,))?;
        encoded.extract().map(Some)
    };
    match encoded() {
        Ok(None) => false,
        Ok(Some(encoded)) => encoded != UNICODE.as_bytes(),
        Err(_) => true,
    }
}

/// The `hubtoken` script: the first item of `sys.argv`, or for `python -m hubtoken`, where that is
/// a module, the script beside the interpreter. `None` if it is not a file.
fn program(
    first: Option<&OsString>,
    interpreter: Option<OsString>,
    folder: Option<&Path>,
) -> Option<PathBuf> {
    let first = Path::new(first?);
    let program = if first.ends_with("hubtoken/__main__.py") {
        PathBuf::from(interpreter?).with_file_name("hubtoken")
    } else {
        first.to_owned()
    };
    // As typed, with its symbolic links: a link outlives the versions that it points to.
    let program: PathBuf = match folder {
        // Without `.`, which says nothing in an absolute path.
        Some(folder) => folder.join(program).components().collect(),
        None => program,
    };
    existing(&program)
}

fn existing(program: &Path) -> Option<PathBuf> {
    [program.with_added_extension("exe"), program.to_owned()]
        .into_iter()
        .find(|program| program.is_absolute() && program.is_file())
}

/// The `hubtoken` script that was installed with the package that `python -m hubtoken` runs. With
/// `pip install --user` or `--target`, it is not beside the interpreter.
fn installed_program(py: Python<'_>, first: Option<&OsString>) -> Option<PathBuf> {
    let package = Path::new(first?)
        .parent()
        .filter(|package| package.ends_with("hubtoken"))?;
    let recorded: PyResult<Option<PathBuf>> = (|| {
        let metadata = py.import("importlib.metadata")?;
        let files = metadata.call_method1("files", ("hubtoken",))?;
        if files.is_none() {
            return Ok(None);
        }
        for file in files.try_iter()? {
            let file = file?;
            let name: String = file.getattr("name")?.extract()?;
            if name == "hubtoken" || name == "hubtoken.exe" {
                let path: PathBuf = file.call_method0("locate")?.extract()?;
                // Relative to the packages' folder: `../../../bin/hubtoken`.
                let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
                return Ok(folder.and_then(|folder| existing(&folder.join("hubtoken"))));
            }
        }
        Ok(None)
    })();
    // A package that was not installed, such as a checkout, has no record: setup-git says that it
    // found no program.
    recorded
        .ok()
        .flatten()
        .or_else(|| existing(&package.with_file_name("bin").join("hubtoken")))
}

/// Restores the signals that Python changed, and then replaces the process.
struct FromPython;

impl Exec for FromPython {
    fn launch(&self, command: &mut Command) -> io::Error {
        // Python ignores these at startup, and its own `subprocess` restores them as well. A system
        // without these signals has nothing to restore. Rust restores SIGPIPE.
        Python::attach(|py| {
            for name in ["SIGXFZ", "SIGXFSZ"] {
                let restored: PyResult<()> = (|| {
                    let signal = py.import("_signal")?;
                    let default = signal.getattr("SIG_DFL")?;
                    signal.call_method1("signal", (signal.getattr(name)?, default))?;
                    Ok(())
                })();
                // Not the main thread, or no such signal: the command runs anyway.
                drop(restored);
            }
        });
        ReplaceProcess.launch(command)
    }
}

/// The process's standard input.
struct StandardInput;

impl Prompt for StandardInput {
    fn read(&self, limit: u64) -> Result<Zeroizing<String>, Error> {
        // A pipe may have any length: what is read is bounded, and never outgrows its buffer.
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

    fn ask_hidden(&self, prompt: &str) -> Result<Typed, Error> {
        if !stdin().is_terminal() {
            return Ok(Typed::NoTerminal);
        }
        // Python's own prompt: it turns echo off and on again, even if Ctrl-C ends it.
        Python::attach(|py| {
            let getpass = py.import("getpass")?.getattr("getpass")?;
            let line = getpass.call1((prompt,))?.extract::<String>()?;
            Ok(Typed::Line(Zeroizing::new(line)))
        })
        .or_else(|error: PyErr| {
            // Ctrl-D ends an empty line; everything else is Ctrl-C.
            let is_end = Python::attach(|py| error.is_instance_of::<PyEOFError>(py));
            is_end.then_some(Typed::End).ok_or(Error::Interrupted)
        })
    }
}
