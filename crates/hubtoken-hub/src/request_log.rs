//! Counts the requests the Hub received, by path, for tests of clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Paths counted individually. Requests for further paths only count toward the total, so that a
/// Hub that runs for weeks does not grow.
const MOST_PATHS: usize = 10_000;
/// The longest path that is counted individually, in bytes, so that clients cannot fill the memory.
const LONGEST_PATH: usize = 512;

/// Requests received since the Hub started. A known path takes a shared lock and an atomic
/// increment, since every request of a busy Hub passes through here.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    total: AtomicU64,
    by_path: RwLock<HashMap<String, AtomicU64>>,
}

impl RequestLog {
    pub(crate) fn record(&self, path: &str) {
        self.total.fetch_add(1, Ordering::Relaxed);
        {
            let known = self.by_path.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = known.get(path) {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if known.len() >= MOST_PATHS || path.len() > LONGEST_PATH {
                return;
            }
        }
        let mut known = self.by_path.write().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(path.to_owned())
            .or_default()
            .fetch_add(1, Ordering::Relaxed);
    }

    /// The number of requests for exactly this path, or of all requests.
    pub(crate) fn count(&self, path: Option<&str>) -> u64 {
        let Some(path) = path else {
            return self.total.load(Ordering::Relaxed);
        };
        let known = self.by_path.read().unwrap_or_else(PoisonError::into_inner);
        known
            .get(path)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_path_and_in_all() {
        let log = RequestLog::default();
        log.record("/a");
        log.record("/a");
        log.record("/b");
        assert_eq!(
            (
                log.count(Some("/a")),
                log.count(Some("/c")),
                log.count(None)
            ),
            (2, 0, 3)
        );
    }

    #[test]
    fn stays_small() {
        let log = RequestLog::default();
        for number in 0..MOST_PATHS + 5 {
            log.record(&number.to_string());
        }
        assert_eq!(log.by_path.read().unwrap().len(), MOST_PATHS);
        assert_eq!(log.count(None), MOST_PATHS as u64 + 5);
        let log = RequestLog::default();
        log.record(&"a".repeat(LONGEST_PATH + 1));
        assert!(log.by_path.read().unwrap().is_empty());
    }
}
