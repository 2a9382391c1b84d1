//! Exit codes, which are the same for every verb because job prologues act on them.

/// The result of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Yes, or done.
    Success = 0,
    /// No: denied, rejected, not found, no token, not done.
    Refused = 1,
    /// Wrong usage, an invalid configuration, or files that cannot be read or written.
    Usage = 2,
    /// The Hub could not be reached, which says nothing about the token.
    Unknown = 3,
    /// The command to run cannot be executed, as in a shell.
    CommandNotExecutable = 126,
    /// The command to run was not found, as in a shell.
    CommandNotFound = 127,
    /// Stopped by Ctrl-C: 128 plus the number of the signal, as in a shell.
    Interrupted = 130,
}
