//! Counts the inference requests made with each token.
//!
//! Counts are kept in memory and written every few seconds, so that a request does not wait for the
//! disk. A crash loses at most those seconds. Reading the counts writes them first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::HubError;
use crate::registry::Registry;
use hubtoken_core::sync::lock_ignoring_poison;

const WRITE_INTERVAL: Duration = Duration::from_secs(5);

/// Counts that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    counted: Mutex<HashMap<String, u64>>,
    /// Held while counts are written, so that they are not read in between.
    writing: tokio::sync::Mutex<()>,
}

impl Usage {
    /// Counts a request, and schedules writing it to the registry.
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
                    tokio::time::sleep(WRITE_INTERVAL).await;
                    let (Some(usage), Some(registry)) = (usage.upgrade(), registry.upgrade())
                    else {
                        return;
                    };
                    // If writing fails, the counts are kept and written later.
                    if usage.write(&*registry).await.is_ok() {
                        return;
                    }
                }
            });
        }
    }

    /// Writes the counts.
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
        lock_ignoring_poison(&self.counted)
    }
}
