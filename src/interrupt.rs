//! Who may want to stop waiting.

/// Somebody who may want to stop waiting: Python's Ctrl-C.
pub trait Interrupt {
    /// Whether to stop. Called about twenty times a second.
    fn is_set(&self) -> bool;
}

/// Nobody who interrupts.
pub struct Never;

impl Interrupt for Never {
    fn is_set(&self) -> bool {
        false
    }
}
