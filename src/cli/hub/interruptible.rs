//! Runs a future while checking for Ctrl-C.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::error::Error;
use crate::interrupt::Interrupt;

/// How often to check for Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a future on this thread.
///
/// # Errors
///
/// [`Error::Interrupted`], and [`Error::Hub`] if the async runtime cannot be created.
pub fn wait<T>(future: impl Future<Output = T>, interrupt: &dyn Interrupt) -> Result<T, Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::hub(format!("the async runtime cannot be created: {error}")))?;
    runtime.block_on(async {
        tokio::select! {
            value = future => Ok(value),
            () = interrupted(interrupt) => Err(Error::Interrupted),
        }
    })
}

async fn interrupted(interrupt: &dyn Interrupt) {
    while !interrupt.is_set() {
        tokio::time::sleep(LOOK).await;
    }
}
