//! Checks for Ctrl-C while a call waits.
//!
//! Python runs signal handlers only in its main thread. A thread that is known not to be the main
//! one therefore does not check while it waits: otherwise 63 threads that wait for one answer would
//! queue for the interpreter twenty times a second, and delay the thread that brings the answer.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use super::arguments::is_imported;
use crate::error::Error;
use crate::interrupt::Interrupt;

thread_local! {
    static IS_MAIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether some thread was identified as the main one. Not behind a lock, which a fork could
/// copy while a waiting thread holds it.
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

/// Records whether the thread that imports hubtoken is the main one, as it nearly always is.
pub fn imported(py: Python<'_>) {
    if is_main(py).unwrap_or_default() {
        this_is_main();
    }
}

/// Records that this thread is the main one: after a fork it is the only one.
pub fn this_is_main() {
    IS_MAIN.set(true);
    IS_KNOWN.store(true, Ordering::Relaxed);
}

fn is_main(py: Python<'_>) -> PyResult<bool> {
    if !is_imported(py, "threading")? {
        // No thread was started through Python. The system's first thread is the main one, if the
        // system reports it; elsewhere this stays unknown.
        return Ok(is_first_thread());
    }
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    main.eq(threading.call_method0("get_ident")?)
}

/// Whether the system gives this thread the process's own ID, as Linux does.
fn is_first_thread() -> bool {
    std::fs::read_link("/proc/thread-self").is_ok_and(|link| {
        let mut names = link.iter();
        let process = names.next();
        process.is_some() && process == names.next_back()
    })
}

fn may_be_main() -> bool {
    IS_MAIN.get() || !IS_KNOWN.load(Ordering::Relaxed)
}

/// Lets Python's signal handlers run, and stores the exception they raised.
#[derive(Default)]
pub struct Signals {
    raised: Mutex<Option<PyErr>>,
}

impl Interrupt for Signals {
    fn is_set(&self) -> bool {
        may_be_main()
            && Python::attach(|py| match py.check_signals() {
                Ok(()) => false,
                Err(error) => {
                    self.keep(error);
                    true
                }
            })
    }

    fn may_be_set(&self) -> bool {
        may_be_main()
    }
}

impl Signals {
    /// Stores what a signal handler raised in Python code that this call runs.
    pub fn keep(&self, error: PyErr) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// The exception for a core error; for an interruption, the one that the signal handler raised.
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
