//! The thread that runs requests.
//!
//! Callers wait on a condition variable and may stop waiting, so the request needs a thread that
//! outlives the call. One thread with a small runtime serves the whole process. It is started by
//! the first request and belongs to the process that started it: see [`crate::process_state`].

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};

use crate::error::Error;

/// A thread with a runtime, started at first use.
#[derive(Default)]
pub struct Runtime {
    handle: OnceLock<Result<Handle, String>>,
}

impl Runtime {
    /// The runtime's handle.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if the system cannot start a thread.
    pub fn handle(&self) -> Result<&Handle, Error> {
        self.handle
            .get_or_init(start)
            .as_ref()
            .map_err(|problem| Error::unknown(format!("no thread for requests: {problem}")))
    }
}

fn start() -> Result<Handle, String> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("hubtoken".to_owned())
        // Ends with the process, like a Python daemon thread.
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(|error| error.to_string())?;
    Ok(handle)
}
