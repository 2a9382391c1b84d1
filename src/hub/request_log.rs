//! How many requests the Hub received, by path: what a test of a client wants to know.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Paths counted one by one; further ones count in the total only, so that a Hub that runs for weeks stays small.
const MOST_PATHS: usize = 10_000;

/// Requests received since the Hub started.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: u64,
    by_path: HashMap<String, u64>,
}

impl RequestLog {
    pub(crate) fn record(&self, path: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total += 1;
        if let Some(count) = counts.by_path.get_mut(path) {
            *count += 1;
        } else if counts.by_path.len() < MOST_PATHS {
            counts.by_path.insert(path.to_owned(), 1);
        }
    }

    /// Requests of exactly this path, or all.
    pub(crate) fn count(&self, path: Option<&str>) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        path.map_or(counts.total, |path| {
            counts.by_path.get(path).copied().unwrap_or(0)
        })
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
        assert_eq!(log.0.lock().unwrap().by_path.len(), MOST_PATHS);
        assert_eq!(log.count(None), MOST_PATHS as u64 + 5);
    }
}
