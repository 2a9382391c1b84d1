//! A bounded map from keys to answers, each with the time of its request.
//!
//! The caller supplies the time: an answer's age is the difference of two parameters.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Instant;

use crate::sync::lock_ignoring_poison;

/// Answers by key. When the cache is full, the oldest quarter is evicted.
pub struct BoundedCache<K, V> {
    entries: Mutex<Entries<K, V>>,
    capacity: usize,
    /// The limit on the total size of all answers, as measured by `weigh`.
    bytes: usize,
    weigher: fn(&V) -> usize,
}

struct Entries<K, V> {
    answers: HashMap<K, (Instant, V)>,
    bytes: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> BoundedCache<K, V> {
    /// An empty cache for at most `capacity` answers.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_weigher(capacity, usize::MAX, |_| 0)
    }

    /// An empty cache for at most `capacity` answers of at most `bytes` together.
    #[must_use]
    pub fn with_weigher(capacity: usize, bytes: usize, weigher: fn(&V) -> usize) -> Self {
        Self {
            entries: Mutex::new(Entries {
                answers: HashMap::new(),
                bytes: 0,
            }),
            capacity,
            bytes,
            weigher,
        }
    }

    /// Returns the answer and the time of its request, unless that is before `not_before`.
    pub fn get(&self, key: &K, not_before: Option<Instant>) -> Option<(Instant, V)> {
        lock_ignoring_poison(&self.entries)
            .answers
            .get(key)
            .filter(|(asked, _)| not_before.is_none_or(|limit| *asked >= limit))
            .cloned()
    }

    /// Stores the answer to a request sent at `asked`, unless a later one is cached.
    pub fn insert(&self, key: K, asked: Instant, value: V) {
        let mut entries = lock_ignoring_poison(&self.entries);
        let replaced = match entries.answers.get(&key) {
            Some((known, _)) if *known > asked => return,
            Some((_, value)) => Some((self.weigher)(value)),
            None => None,
        };
        entries.bytes -= replaced.unwrap_or_default();
        entries.bytes += (self.weigher)(&value);
        if replaced.is_none() && entries.answers.len() >= self.capacity {
            entries.drop_oldest(self.capacity / 4, self.weigher);
        }
        entries.answers.insert(key, (asked, value));
        while entries.bytes > self.bytes {
            let quarter = entries.answers.len() / 4;
            entries.drop_oldest(quarter, self.weigher);
        }
    }

    /// The number of answers.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        lock_ignoring_poison(&self.entries).answers.len()
    }

    /// Removes an answer, and returns whether there was one.
    pub fn remove(&self, key: &K) -> bool {
        self.remove_if(key, |_| true)
    }

    /// Removes an answer if `goes` accepts the time of its request, and returns whether it did.
    pub fn remove_if(&self, key: &K, goes: impl FnOnce(Instant) -> bool) -> bool {
        let mut entries = lock_ignoring_poison(&self.entries);
        if !entries
            .answers
            .get(key)
            .is_some_and(|(asked, _)| goes(*asked))
        {
            return false;
        }
        let removed = entries.answers.remove(key);
        entries.bytes -= removed
            .as_ref()
            .map_or(0, |(_, value)| (self.weigher)(value));
        true
    }

    /// Removes the answers whose key matches. Scans all of them.
    pub fn remove_all(&self, fits: impl Fn(&K) -> bool) {
        lock_ignoring_poison(&self.entries).retain(self.weigher, |key, _| !fits(key));
    }
}

impl<K: Eq + Hash, V> Entries<K, V> {
    fn drop_oldest(&mut self, number: usize, weigher: fn(&V) -> usize) {
        let mut times: Vec<Instant> = self.answers.values().map(|(asked, _)| *asked).collect();
        if times.is_empty() {
            self.bytes = 0;
            return;
        }
        let last = times.len() - 1;
        let (_, limit, _) = times.select_nth_unstable(number.min(last));
        let limit = *limit;
        self.retain(weigher, |_, asked| asked > limit);
    }

    fn retain(&mut self, weigher: fn(&V) -> usize, keeps: impl Fn(&K, Instant) -> bool) {
        let dropped = &mut self.bytes;
        self.answers.retain(|key, (asked, value)| {
            let keep = keeps(key, *asked);
            if !keep {
                *dropped -= weigher(value);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn age_decides() {
        let cache = BoundedCache::new(8);
        let asked = Instant::now();
        cache.insert("a", asked, 1);
        assert_eq!(cache.get(&"a", Some(asked)), Some((asked, 1)));
        assert_eq!(cache.get(&"a", None), Some((asked, 1)));
        assert_eq!(cache.get(&"a", Some(asked + Duration::from_secs(1))), None);
        assert_eq!(cache.get(&"b", None), None);
    }

    #[test]
    fn a_late_answer_does_not_replace_a_newer_one() {
        let cache = BoundedCache::new(8);
        let asked = Instant::now();
        cache.insert("a", asked + Duration::from_secs(1), 2);
        cache.insert("a", asked, 1);
        assert_eq!(cache.get(&"a", None).map(|(_, value)| value), Some(2));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go() {
        let cache = BoundedCache::new(100);
        let start = Instant::now();
        for number in 0..1000_u32 {
            cache.insert(number, start + Duration::from_secs(number.into()), ());
        }
        assert!(cache.count() <= 100);
        assert!(cache.get(&999, None).is_some());
        assert!(cache.get(&1, None).is_none());
        assert!(cache.remove(&999) && !cache.remove(&999));
        assert!(cache.get(&999, None).is_none());
        assert!(!cache.remove_if(&998, |asked| asked < start));
        assert!(cache.get(&998, None).is_some());
        cache.remove_all(|number| *number == 998);
        assert!(cache.get(&998, None).is_none());
    }

    fn bytes<K, V>(cache: &BoundedCache<K, V>) -> usize {
        lock_ignoring_poison(&cache.entries).bytes
    }

    #[test]
    fn bytes_are_bounded_as_well() {
        let cache = BoundedCache::with_weigher(1_000, 100, |value: &usize| *value);
        let start = Instant::now();
        let later = |number: u64| start + Duration::from_secs(number);
        for number in 0..1_000 {
            cache.insert(number, later(number), 10);
            assert!(bytes(&cache) <= 100);
            assert_eq!(bytes(&cache), cache.count() * 10);
        }
        assert!(cache.count() > 5 && cache.get(&999, None).is_some());
        // A replaced answer counts once, and one that is too large is not stored.
        cache.insert(999, later(1_000), 20);
        assert_eq!(bytes(&cache), cache.count() * 10 + 10);
        assert!(cache.remove(&999));
        assert_eq!(bytes(&cache), cache.count() * 10);
        cache.insert(1_001, later(1_001), 101);
        assert!(cache.get(&1_001, None).is_none());
        cache.insert(1_002, later(1_002), 10);
        cache.remove_all(|_| true);
        assert_eq!((bytes(&cache), cache.count()), (0, 0));
    }
}
