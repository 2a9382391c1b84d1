//! How many requests each token had a model answer.
//!
//! Counted in memory and written every few seconds, so that a request waits for no disk; what a crash loses is those
//! seconds. Whoever asks for the figures has them written first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::HubError;
use crate::registry::Registry;

const EVERY: Duration = Duration::from_secs(5);

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    counted: Mutex<HashMap<String, u64>>,
    /// Held while it is written, so that nobody reads in between.
    writing: tokio::sync::Mutex<()>,
}

impl Usage {
    /// Counts a request, and has it written into the registry.
    pub(super) fn count(self: &Arc<Self>, registry: &Arc<dyn Registry>, token: &str) {
        let is_first = {
            let mut counted = self.lock();
            let is_first = counted.is_empty();
            *counted.entry(token.to_owned()).or_default() += 1;
            is_first
        };
        if is_first {
            let (usage, registry) = (Arc::downgrade(self), Arc::downgrade(registry));
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(EVERY).await;
                    let (Some(usage), Some(registry)) = (usage.upgrade(), registry.upgrade())
                    else {
                        return;
                    };
                    // What cannot be written now is kept, and tried again.
                    if usage.write(&*registry).await.is_ok() {
                        return;
                    }
                }
            });
        }
    }

    /// Writes what was counted.
    pub(crate) async fn write(&self, registry: &dyn Registry) -> Result<(), HubError> {
        let _writing = self.writing.lock().await;
        let counted = std::mem::take(&mut *self.lock());
        if counted.is_empty() {
            return Ok(());
        }
        let written = registry.count_inference(&counted).await;
        if written.is_err() {
            let mut again = self.lock();
            for (token, count) in counted {
                *again.entry(token).or_default() += count;
            }
        }
        written
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
