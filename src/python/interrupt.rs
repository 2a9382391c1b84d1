//! Ctrl-C while a call waits.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::error::Error;
use crate::identity::Interrupt;

/// Lets Python's signal handlers run, and keeps what they raised.
#[derive(Default)]
pub struct Signals {
    raised: Mutex<Option<PyErr>>,
}

impl Interrupt for Signals {
    fn is_set(&self) -> bool {
        Python::attach(|py| match py.check_signals() {
            Ok(()) => false,
            Err(error) => {
                *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                true
            }
        })
    }
}

impl Signals {
    /// The exception for a core error; an interruption is what the signal handler raised.
    pub fn to_python(&self, error: Error) -> PyErr {
        let raised = self
            .raised
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (error, raised) {
            (Error::Interrupted, Some(raised)) => raised,
            (error, _) => super::error::to_python(error),
        }
    }
}
