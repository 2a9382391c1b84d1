//! How many requests the Hub received, by path: what a test of a client wants to know.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Paths counted one by one; further ones count in the total only, so that a Hub that runs for weeks stays small.
const MOST_PATHS: usize = 10_000;
/// The longest path that is counted by itself, in bytes: what clients send must not fill the memory.
const LONGEST_PATH: usize = 512;

/// Requests received since the Hub started. A path that is known takes a shared lock and an atomic number, since all
/// requests of a busy Hub come by here.
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

    /// Requests of exactly this path, or all.
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
