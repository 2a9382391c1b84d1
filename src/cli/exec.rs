//! Giving this process up for another program.
//!
//! On Unix the program takes the process over, so its signals, its exit code and its process id
//! are its own, and nobody is left in between. Python ignores SIGPIPE and blocks or ignores other
//! signals, which a program would inherit; Rust gives SIGPIPE and the signal mask back before it
//! executes, and the Python layer gives back the rest.

use std::io;
use std::process::Command;

/// Somebody who gives the process up.
pub trait Exec {
    /// Executes a command in place of this process.
    ///
    /// Comes back only with the reason why it could not.
    fn launch(&self, command: &mut Command) -> io::Error;
}

/// Really does it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplaceProcess;

impl Exec for ReplaceProcess {
    #[cfg(unix)]
    fn launch(&self, command: &mut Command) -> io::Error {
        use std::os::unix::process::CommandExt as _;
        command.exec()
    }

    /// Where a process cannot be taken over, this one waits and passes the exit code on.
    #[cfg(not(unix))]
    fn launch(&self, command: &mut Command) -> io::Error {
        match command.status() {
            Ok(status) => std::process::exit(status.code().unwrap_or(1)),
            Err(error) => error,
        }
    }
}
