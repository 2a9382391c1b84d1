//! The Hub's own threads, independent of any runtime of the program that embeds it.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::blocking;
use crate::error::HubError;

const WORKER_THREADS: usize = 2;
/// How long the threads may take to end once the connections have ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The Hub's own threads. They are shut down from a separate thread: dropping a runtime on a thread
/// of another runtime panics, and the embedding program may hold a Hub in async code.
#[derive(Debug)]
pub(super) struct HubRuntime(Option<Runtime>);

impl HubRuntime {
    pub(super) fn start() -> Result<Self, HubError> {
        Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .max_blocking_threads(blocking::MAX_BLOCKING_THREADS)
            .thread_name("hubtoken-hub")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(HubError::Runtime)
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<JoinHandle<T>, HubError> {
        self.0
            .as_ref()
            .map(|runtime| runtime.spawn(future))
            .ok_or(HubError::Stopped)
    }

    /// Runs a future on these threads and waits for it. `block_on` is not used because it panics
    /// when called on a thread of another runtime.
    pub(super) fn block_on<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, HubError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.spawn(async move {
            let _ = sender.send(future.await);
        })?;
        // The sender is dropped unsent only when the runtime is shut down.
        receiver.recv().map_err(|_| HubError::Stopped)
    }
}

impl Drop for HubRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            let ending = std::thread::spawn(move || runtime.shutdown_timeout(SHUTDOWN_TIMEOUT));
            let _ = ending.join();
        }
    }
}
