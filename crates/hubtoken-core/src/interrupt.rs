//! Who may want to stop waiting.

/// Somebody who may want to stop waiting: Python's Ctrl-C.
pub trait Interrupt {
    /// Whether to stop. Called about twenty times a second.
    fn is_set(&self) -> bool;

    /// Whether it can be set at all where it is asked; if not, a wait is not broken to ask.
    fn may_be_set(&self) -> bool {
        true
    }
}

/// Nobody who interrupts.
pub struct Never;

impl Interrupt for Never {
    fn is_set(&self) -> bool {
        false
    }

    fn may_be_set(&self) -> bool {
        false
    }
}
