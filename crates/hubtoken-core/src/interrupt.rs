//! Lets a waiting caller be interrupted.

/// Signals that a waiting caller should stop, as on Ctrl-C in Python.
pub trait Interrupt {
    /// Whether to stop. Called about 20 times per second.
    fn is_set(&self) -> bool;

    /// Whether this thread can be interrupted at all. If not, waits do not wake up to check.
    fn may_be_set(&self) -> bool {
        true
    }
}

/// For callers that cannot be interrupted.
pub struct NeverInterrupted;

impl Interrupt for NeverInterrupted {
    fn is_set(&self) -> bool {
        false
    }

    fn may_be_set(&self) -> bool {
        false
    }
}
