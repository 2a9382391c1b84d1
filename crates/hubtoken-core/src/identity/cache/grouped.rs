//! A bounded map of answers that are dropped together: everything known about one token.
//!
//! When a token dies, its answers are dropped at once, without scanning those of other tokens.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Instant;

use crate::sync::lock_ignoring_poison;

/// Answers by group and key. When the cache is full, the oldest quarter is evicted.
pub struct GroupedCache<G, K, V> {
    entries: Mutex<Entries<G, K, V>>,
    capacity: usize,
}

struct Entries<G, K, V> {
    groups: HashMap<G, HashMap<K, (Instant, V)>>,
    /// The number of answers in all groups.
    count: usize,
}

impl<G: Eq + Hash, K: Eq + Hash, V: Clone> GroupedCache<G, K, V> {
    /// An empty cache for at most `capacity` answers.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: Mutex::new(Entries {
                groups: HashMap::new(),
                count: 0,
            }),
            capacity,
        }
    }

    /// Returns the answer and the time of its request, unless that is before `not_before`.
    pub fn get<Q>(&self, group: &G, key: &Q, not_before: Option<Instant>) -> Option<(Instant, V)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        lock_ignoring_poison(&self.entries)
            .groups
            .get(group)?
            .get(key)
            .filter(|(asked, _)| not_before.is_none_or(|limit| *asked >= limit))
            .cloned()
    }

    /// Stores the answer to a request sent at `asked`.
    pub fn insert(&self, group: G, key: K, asked: Instant, value: V) {
        let mut entries = lock_ignoring_poison(&self.entries);
        if entries.count >= self.capacity {
            entries.drop_oldest(self.capacity / 4);
        }
        let replaced = entries
            .groups
            .entry(group)
            .or_default()
            .insert(key, (asked, value));
        entries.count += usize::from(replaced.is_none());
    }

    /// Removes one answer.
    pub fn remove_one<Q>(&self, group: &G, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut entries = lock_ignoring_poison(&self.entries);
        let Some(answers) = entries.groups.get_mut(group) else {
            return;
        };
        if answers.remove(key).is_none() {
            return;
        }
        let is_empty = answers.is_empty();
        entries.count -= 1;
        if is_empty {
            entries.groups.remove(group);
        }
    }

    /// Removes a group.
    pub fn remove(&self, group: &G) {
        let mut entries = lock_ignoring_poison(&self.entries);
        if let Some(dropped) = entries.groups.remove(group) {
            entries.count -= dropped.len();
        }
    }

    /// Removes the matching groups.
    pub fn remove_all(&self, fits: impl Fn(&G) -> bool) {
        let mut entries = lock_ignoring_poison(&self.entries);
        entries.groups.retain(|group, _| !fits(group));
        entries.count = entries.groups.values().map(HashMap::len).sum();
    }

    /// The number of answers.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        lock_ignoring_poison(&self.entries).count
    }
}

impl<G: Eq + Hash, K: Eq + Hash, V> Entries<G, K, V> {
    fn drop_oldest(&mut self, number: usize) {
        let mut times: Vec<Instant> = self
            .groups
            .values()
            .flat_map(|answers| answers.values().map(|(asked, _)| *asked))
            .collect();
        if times.is_empty() {
            return;
        }
        let (_, limit, _) = times.select_nth_unstable(number.min(self.count - 1));
        let limit = *limit;
        self.groups.retain(|_, answers| {
            answers.retain(|_, (asked, _)| *asked > limit);
            !answers.is_empty()
        });
        self.count = self.groups.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_group_goes_as_a_whole_and_leaves_the_others() {
        let cache = GroupedCache::new(8);
        let asked = Instant::now();
        for (group, key) in [(1, "a"), (1, "b"), (2, "a")] {
            cache.insert(group, key, asked, group);
        }
        cache.remove(&1);
        assert_eq!(cache.get(&1, "a", None), None);
        assert_eq!(cache.get(&2, "a", Some(asked)), Some((asked, 2)));
        assert_eq!(
            cache.get(&2, "a", Some(asked + Duration::from_secs(1))),
            None
        );
        assert_eq!(cache.count(), 1);
        cache.insert(2, "a", asked, 3);
        assert_eq!(cache.count(), 1);
        cache.insert(2, "b", asked, 4);
        cache.remove_one(&2, "c");
        cache.remove_one(&3, "b");
        assert_eq!(cache.count(), 2);
        cache.remove_one(&2, "b");
        assert_eq!(cache.get(&2, "b", None), None);
        assert_eq!(cache.count(), 1);
        cache.remove_all(|group| *group == 2);
        assert_eq!(cache.count(), 0);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go() {
        let cache = GroupedCache::new(100);
        let start = Instant::now();
        for number in 0..1000_u32 {
            let asked = start + Duration::from_secs(number.into());
            cache.insert(number % 7, number, asked, ());
            assert!(cache.count() <= 100);
        }
        assert!(cache.get(&(999 % 7), &999, None).is_some());
        assert!(cache.get(&1, &1, None).is_none());
        let one = GroupedCache::new(1);
        one.insert(0, 0, start, ());
        one.insert(0, 1, start, ());
        assert_eq!(one.count(), 1);
    }
}
