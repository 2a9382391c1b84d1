//! The thread that runs requests.
//!
//! Callers wait on a condition variable and may stop waiting, so the request needs a thread that
//! outlives the call. One thread with a small runtime serves the whole process. It is started by
//! the first request and belongs to the process that started it: see [`crate::process_state`].

use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use crate::error::Error;
use crate::interrupt::Interrupt;

/// How often a waiting caller checks whether it was interrupted.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

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

    /// Runs a request on the thread, and waits for it. An interrupted request is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`]; [`Error::Unknown`] if the system cannot start a thread.
    pub fn run<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
        interrupt: &dyn Interrupt,
    ) -> Result<T, Error> {
        let (sender, receiver) = sync_channel(1);
        let task = self.handle()?.spawn(async move {
            // The receiver is gone if the caller was interrupted.
            let _ = sender.send(request.await);
        });
        loop {
            match receiver.recv_timeout(POLL_INTERVAL) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if interrupt.is_set() => {
                    task.abort();
                    return Err(Error::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::unknown("the request was dropped"));
                }
            }
        }
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
