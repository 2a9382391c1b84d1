//! Runs blocking work on a dedicated thread pool, with limits on how much runs at once.
//!
//! All blocking work shares one pool. Work that holds a thread for long has its own limit, lower
//! than the number of threads, so that short work never waits for it: a commit holds a thread for
//! as long as its client takes to send it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::HubError;

/// Commits received at once.
pub(super) const MAX_UPLOADS: usize = 64;
/// Uploads by Xet verified at once. Each hashes and unpacks as fast as it can read.
pub(super) const MAX_VERIFICATIONS: usize = 4;
/// All threads. Those beyond the upload limit remain for short work.
pub(super) const MAX_BLOCKING_THREADS: usize = MAX_UPLOADS + 16;
/// How long a request waits for a permit.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs blocking work.
pub(super) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HubError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| HubError::Stopped)
}

/// Runs blocking work that can fail with an I/O error.
pub(super) async fn spawn_io<T: Send + 'static, E: From<io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the work was cut off").into()))
}

/// The limit was reached, and no permit became free in time.
#[derive(Debug, thiserror::Error)]
#[error("{0}; try again in a moment")]
pub(crate) struct Busy(pub &'static str);

/// Limits how many requests of one kind run at once.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    timeout: Duration,
    /// The message for requests that get no permit.
    busy_message: &'static str,
}

impl ConcurrencyLimit {
    pub(crate) fn new(count: usize, busy_message: &'static str) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(count)),
            timeout: ACQUIRE_TIMEOUT,
            busy_message,
        }
    }

    /// Waits for a permit, which is released when dropped.
    pub(crate) async fn acquire(&self) -> Result<OwnedSemaphorePermit, Busy> {
        let permits = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(self.timeout, permits).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Busy(self.busy_message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_is_sent_away_for_a_while() {
        let mut limit = ConcurrencyLimit::new(2, "Too many are here");
        limit.timeout = Duration::ZERO;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut kept = vec![
                limit.acquire().await.unwrap(),
                limit.acquire().await.unwrap(),
            ];
            let refused = limit.acquire().await.unwrap_err();
            assert_eq!(
                refused.to_string(),
                "Too many are here; try again in a moment"
            );
            drop(kept.pop());
            assert!(limit.acquire().await.is_ok());
        });
    }
}
