//! Replaces this process with another program, for `hubtoken run`.
//!
//! On Unix the program takes over the process, so its signals, exit code, and process ID are its
//! own, and no parent process stays in between. Python ignores SIGPIPE and blocks or ignores other
//! signals, which the program would inherit; Rust restores SIGPIPE and the signal mask before it
//! executes, and the Python layer restores the rest.

use std::io;
use std::process::Command;

/// Replaces the current process.
pub trait Exec {
    /// Executes a command in place of this process.
    ///
    /// Returns only if that fails, with the reason.
    fn launch(&self, command: &mut Command) -> io::Error;
}

/// The real implementation.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplaceProcess;

impl Exec for ReplaceProcess {
    #[cfg(unix)]
    fn launch(&self, command: &mut Command) -> io::Error {
        use std::os::unix::process::CommandExt as _;
        command.exec()
    }

    /// Where a process cannot be replaced, this one waits and passes on the exit code.
    #[cfg(not(unix))]
    fn launch(&self, command: &mut Command) -> io::Error {
        match command.status() {
            Ok(status) => std::process::exit(status.code().unwrap_or(1)),
            Err(error) => error,
        }
    }
}
