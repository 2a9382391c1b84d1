//! How a caller that waits is interrupted.

/// Tells a waiting caller to stop: Python's Ctrl-C.
pub trait Interrupt {
    /// Whether to stop. Called about twenty times a second.
    fn is_set(&self) -> bool;

    /// Whether this thread can be interrupted at all. If not, a wait does not wake up to check.
    fn may_be_set(&self) -> bool {
        true
    }
}

/// For callers that nothing interrupts.
pub struct Never;

impl Interrupt for Never {
    fn is_set(&self) -> bool {
        false
    }

    fn may_be_set(&self) -> bool {
        false
    }
}
