//! Counts the requests the Hub received, by path, for tests of clients.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hubtoken_core::sync::{read_ignoring_poison, write_ignoring_poison};

/// Paths counted individually. Requests for further paths only count toward the total, so that a
/// Hub that runs for weeks does not grow.
const MAX_PATHS: usize = 10_000;
/// The longest path that is counted individually, in bytes, so that clients cannot fill the memory.
const MAX_PATH_BYTES: usize = 512;

/// Requests received since the Hub started. A known path takes a shared lock and an atomic
/// increment, since every request of a busy Hub passes through here.
#[derive(Debug, Default)]
pub(crate) struct RequestCounter {
    total: AtomicU64,
    by_path: RwLock<HashMap<String, AtomicU64>>,
}

impl RequestCounter {
    pub(crate) fn record(&self, path: &str) {
        self.total.fetch_add(1, Ordering::Relaxed);
        {
            let known = read_ignoring_poison(&self.by_path);
            if let Some(count) = known.get(path) {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if known.len() >= MAX_PATHS || path.len() > MAX_PATH_BYTES {
                return;
            }
        }
        let mut known = write_ignoring_poison(&self.by_path);
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
        let known = read_ignoring_poison(&self.by_path);
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
        let counter = RequestCounter::default();
        counter.record("/a");
        counter.record("/a");
        counter.record("/b");
        assert_eq!(
            (
                counter.count(Some("/a")),
                counter.count(Some("/c")),
                counter.count(None)
            ),
            (2, 0, 3)
        );
    }

    #[test]
    fn stays_small() {
        let counter = RequestCounter::default();
        for number in 0..MAX_PATHS + 5 {
            counter.record(&number.to_string());
        }
        assert_eq!(counter.by_path.read().unwrap().len(), MAX_PATHS);
        assert_eq!(counter.count(None), MAX_PATHS as u64 + 5);
        let counter = RequestCounter::default();
        counter.record(&"a".repeat(MAX_PATH_BYTES + 1));
        assert!(counter.by_path.read().unwrap().is_empty());
    }
}
