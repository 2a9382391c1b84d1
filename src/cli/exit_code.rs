//! Exit codes, which are the same for every verb, since job prologues act on them.

/// What a verb's end amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Yes, or done.
    Success = 0,
    /// No: denied, rejected, not found, no token, not done.
    Refused = 1,
    /// The question makes no sense, or the configuration does not.
    Usage = 2,
    /// Nothing could be learned. It says nothing about the token.
    Unknown = 3,
    /// The command that was to run cannot be executed, as shells have it.
    CommandNotExecutable = 126,
    /// The command that was to run was not found, as shells have it.
    CommandNotFound = 127,
    /// Stopped by Ctrl-C: 128 and the number of the signal, as shells have it.
    Interrupted = 130,
}
