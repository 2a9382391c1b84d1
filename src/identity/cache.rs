//! A bounded map of answers with the time at which each was asked for.
//!
//! The clock is the caller's: an answer's age is the difference of two parameters.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Instant;

use crate::sync::lock;

/// Answers by key; when it is full, the oldest quarter goes.
pub struct Cache<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
    capacity: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    /// An empty cache for at most `capacity` answers.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: Mutex::default(),
            capacity,
        }
    }

    /// The answer and when it was asked for, if that was not before `not_before`.
    pub fn get(&self, key: &K, not_before: Option<Instant>) -> Option<(Instant, V)> {
        lock(&self.entries)
            .get(key)
            .filter(|(asked, _)| not_before.is_none_or(|limit| *asked >= limit))
            .cloned()
    }

    /// Keeps an answer that was asked for at `asked`, unless a later one is known.
    pub fn insert(&self, key: K, asked: Instant, value: V) {
        let mut entries = lock(&self.entries);
        if entries.get(&key).is_some_and(|(known, _)| *known > asked) {
            return;
        }
        if entries.len() >= self.capacity && !entries.contains_key(&key) {
            let mut times: Vec<Instant> = entries.values().map(|(asked, _)| *asked).collect();
            let (_, limit, _) = times.select_nth_unstable(self.capacity / 4);
            let limit = *limit;
            entries.retain(|_, (asked, _)| *asked > limit);
        }
        entries.insert(key, (asked, value));
    }

    /// How many answers there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        lock(&self.entries).len()
    }

    /// Drops an answer.
    pub fn remove(&self, key: &K) -> bool {
        lock(&self.entries).remove(key).is_some()
    }

    /// Drops the answers whose key fits. Looks at all of them.
    pub fn remove_all(&self, fits: impl Fn(&K) -> bool) {
        lock(&self.entries).retain(|key, _| !fits(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn age_decides() {
        let cache = Cache::new(8);
        let asked = Instant::now();
        cache.insert("a", asked, 1);
        assert_eq!(cache.get(&"a", Some(asked)), Some((asked, 1)));
        assert_eq!(cache.get(&"a", None), Some((asked, 1)));
        assert_eq!(cache.get(&"a", Some(asked + Duration::from_secs(1))), None);
        assert_eq!(cache.get(&"b", None), None);
    }

    #[test]
    fn a_late_answer_does_not_replace_a_newer_one() {
        let cache = Cache::new(8);
        let asked = Instant::now();
        cache.insert("a", asked + Duration::from_secs(1), 2);
        cache.insert("a", asked, 1);
        assert_eq!(cache.get(&"a", None).map(|(_, value)| value), Some(2));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go() {
        let cache = Cache::new(100);
        let start = Instant::now();
        for number in 0..1000_u32 {
            cache.insert(number, start + Duration::from_secs(number.into()), ());
        }
        assert!(lock(&cache.entries).len() <= 100);
        assert!(cache.get(&999, None).is_some());
        assert!(cache.get(&1, None).is_none());
        assert!(cache.remove(&999) && !cache.remove(&999));
        assert!(cache.get(&999, None).is_none());
        cache.remove_all(|number| *number == 998);
        assert!(cache.get(&998, None).is_none());
    }
}
