//! The file descriptors that the program was started with, besides the standard streams.
//!
//! A value that no log and no list of processes may show is handed to another program through one of
//! them, as in `9>token.txt` or a pipe.

use std::io;

/// What is behind a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Whether it is a terminal.
    pub is_terminal: bool,
    /// Whether it is a file that other users of the machine can read.
    pub is_exposed: bool,
}

/// Writes to descriptors by their number.
pub trait Descriptors {
    /// What is behind a descriptor. Writes nothing to it.
    ///
    /// # Errors
    ///
    /// It is closed, is not for writing, has no reader, or was opened by this program for itself.
    fn inspect(&self, number: i32) -> io::Result<Descriptor>;

    /// Writes all of a text to it.
    ///
    /// # Errors
    ///
    /// It cannot be written; [`io::ErrorKind::Interrupted`] after Ctrl-C.
    fn write(&self, number: i32, text: &str) -> io::Result<()>;
}

/// No descriptors.
pub struct NoDescriptors;

impl Descriptors for NoDescriptors {
    fn inspect(&self, _: i32) -> io::Result<Descriptor> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write(&self, _: i32, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
