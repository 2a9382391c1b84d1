//! Passes the core's debug events, one for each request, to Python's `logging`.
//!
//! The core emits an event on the thread that sends requests. A logging handler is Python code and may
//! call hubtoken, which would then wait for that very thread. So events go into a queue, and each call
//! that waits for an answer passes them to `logging` once it has the answer.
//!
//! `logging` is not imported for this: a program that has not imported it has no handler either.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, TryLockError};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::arguments::is_imported;
use super::greenlets;
use crate::http::log::TARGET;

const LOGGER: &str = "hubtoken.http";
/// `logging.DEBUG`.
const DEBUG: u8 = 10;
/// The size limit of the queue; beyond it the oldest events are dropped.
const MAXIMUM_WAITING: usize = 1_000;
/// How often to try a lock that another thread holds for the length of a push.
const TRIES: usize = 1_000;

static IS_ON: AtomicBool = AtomicBool::new(false);
static WAITING: Mutex<VecDeque<Request>> = Mutex::new(VecDeque::new());

/// Runs work that may send requests, detached from the interpreter, and logs its requests.
///
/// # Errors
///
/// An exception of a logging handler, if `logging` lets one through, or of the wait itself: see
/// [`greenlets::detached`].
pub fn detached<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> PyResult<T> {
    let logger = logger(py)?;
    IS_ON.store(logger.is_some(), Ordering::Relaxed);
    let result = greenlets::detached(py, work)?;
    if let Some(logger) = logger {
        deliver(&logger)?;
    }
    Ok(result)
}

/// The logger, if it is enabled for debug messages.
fn logger(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    static SUBSCRIBED: Once = Once::new();
    if !is_imported(py, "logging")? {
        return Ok(None);
    }
    let logger = py.import("logging")?.call_method1("getLogger", (LOGGER,))?;
    if !logger.call_method1("isEnabledFor", (DEBUG,))?.is_truthy()? {
        return Ok(None);
    }
    // This fails only if it was done before: no other code shares this library's `tracing`.
    SUBSCRIBED.call_once(|| {
        let _ = tracing::subscriber::set_global_default(Queue);
    });
    Ok(Some(logger))
}

fn deliver(logger: &Bound<'_, PyAny>) -> PyResult<()> {
    let waiting = with_waiting(std::mem::take).unwrap_or_default();
    for request in waiting {
        let outcome = match request.status {
            Some(status) => status.to_string(),
            None => request.error,
        };
        let message = "%s %s%s: %s (%.1f ms)";
        let (method, host, path) = (request.method, request.host, request.path);
        let milliseconds = request.duration_ms;
        logger.call_method1(
            "debug",
            (message, method, host, path, outcome, milliseconds),
        )?;
    }
    Ok(())
}

/// Accesses the queue, without waiting forever: at a fork it may have been locked by a thread that
/// the child does not have. The child then logs nothing.
fn with_waiting<T>(run: impl FnOnce(&mut VecDeque<Request>) -> T) -> Option<T> {
    for _ in 0..TRIES {
        match WAITING.try_lock() {
            Ok(mut waiting) => return Some(run(&mut waiting)),
            Err(TryLockError::Poisoned(poisoned)) => return Some(run(&mut poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    None
}

/// The fields of one event.
#[derive(Default)]
struct Request {
    method: String,
    host: String,
    path: String,
    status: Option<u64>,
    duration_ms: f64,
    error: String,
}

impl Visit for Request {
    fn record_str(&mut self, field: &Field, value: &str) {
        let text = match field.name() {
            "method" => &mut self.method,
            "host" => &mut self.host,
            "path" => &mut self.path,
            "error" => &mut self.error,
            _ => return,
        };
        value.clone_into(text);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "status" {
            self.status = Some(value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "duration_ms" {
            self.duration_ms = value;
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// Puts the core's events into the queue, and no events of other crates.
struct Queue;

impl Subscriber for Queue {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Checked again for each event, since a program may enable its logger at any time.
        if metadata.target() == TARGET {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && IS_ON.load(Ordering::Relaxed)
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        // No span has this target, so this is never called.
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut request = Request::default();
        event.record(&mut request);
        with_waiting(|waiting| {
            if waiting.len() >= MAXIMUM_WAITING {
                waiting.pop_front();
            }
            waiting.push_back(request);
        });
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}
