//! Waits for an answer without stopping gevent's other greenlets.
//!
//! Greenlets share one thread, and gevent switches between them where Python code waits. A wait in
//! compiled code is invisible to it, so it would stop every greenlet of the thread until the Hub
//! answers. Where a program has let gevent patch the standard library, such a wait therefore runs
//! on gevent's own thread pool, and only the greenlet that called waits.
//!
//! gevent is never imported for this: a program that uses it has imported it.

use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use super::arguments::is_imported;
use crate::sync::lock_ignoring_poison;

/// The modules that gevent patches for programs whose waits should switch greenlets.
const PATCHED: [&str; 2] = ["threading", "socket"];

/// Runs work that may wait, detached from the interpreter.
///
/// The work owns what it uses: while its greenlet waits, others use this thread's stack.
///
/// # Errors
///
/// What gevent raises in the waiting greenlet, such as its `Timeout`. The work goes on.
pub fn detached<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> PyResult<T> {
    match pool(py)? {
        None => Ok(py.detach(work)),
        Some(pool) => in_pool(py, &pool, work),
    }
}

/// gevent's thread pool, if this thread runs greenlets that a wait would stop.
pub fn pool(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    if !is_imported(py, "gevent.monkey")? {
        return Ok(None);
    }
    let monkey = py.import("gevent.monkey")?;
    let mut is_patched = false;
    for module in PATCHED {
        is_patched |= monkey
            .call_method1("is_module_patched", (module,))?
            .is_truthy()?;
    }
    if !is_patched {
        return Ok(None);
    }
    let Some(hub) = hub(py)? else {
        return Ok(None);
    };
    // The hub itself, which runs callbacks, must not wait for anything.
    let current = py.import("gevent")?.call_method0("getcurrent")?;
    if current.is(&hub) {
        return Ok(None);
    }
    hub.getattr("threadpool").map(Some)
}

/// The event loop of this thread; `None` if it has none, and therefore no other greenlet either.
fn hub(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    // Not part of gevent's documented interface, whose function would create a loop.
    let existing = py
        .import("gevent._hub_local")
        .and_then(|local| local.getattr("get_hub_if_exists"));
    let hub = match existing {
        Ok(existing) => existing.call0()?,
        Err(_) => py.import("gevent")?.call_method0("get_hub")?,
    };
    Ok(Some(hub).filter(|hub| !hub.is_none()))
}

fn in_pool<T: Send + 'static>(
    py: Python<'_>,
    pool: &Bound<'_, PyAny>,
    work: impl FnOnce() -> T + Send + 'static,
) -> PyResult<T> {
    let result = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&result);
    let work = Mutex::new(Some(work));
    let run = move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        if let Some(work) = lock_ignoring_poison(&work).take() {
            let done = arguments.py().detach(work);
            *lock_ignoring_poison(&filled) = Some(done);
        }
        PyResult::Ok(())
    };
    let run = PyCFunction::new_closure(py, None, None, run)?;
    pool.call_method1("apply", (run,))?;
    lock_ignoring_poison(&result)
        .take()
        .ok_or_else(|| PyRuntimeError::new_err("gevent's thread pool did not run the call"))
}
