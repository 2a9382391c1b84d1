//! A minimal shared cache in memory, which shows what a networked one must do, and a wrapper around
//! any shared cache that reports what the waiting clients have seen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use hubtoken_core::identity::cache::shared::{
    CacheKey, Heartbeat, Lease, RecordKind, SharedCache, TryLease,
};

use crate::support::time::until;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct State {
    contents: HashMap<(CacheKey, RecordKind), Vec<u8>>,
    leases: HashMap<CacheKey, Heartbeat>,
    /// The last lease ID.
    last: u64,
}

/// A shared cache in memory.
#[derive(Clone, Default)]
pub struct MemoryCache {
    state: Arc<Mutex<State>>,
}

struct MemoryLease {
    state: Arc<Mutex<State>>,
    key: CacheKey,
    lease_id: u64,
}

impl Lease for MemoryLease {
    fn id(&self) -> u64 {
        self.lease_id
    }

    fn renew(&mut self) {
        if let Some(heartbeat) = lock(&self.state).leases.get_mut(&self.key)
            && heartbeat.lease_id == self.lease_id
        {
            heartbeat.count += 1;
        }
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let leases = &mut lock(&self.state).leases;
        if leases
            .get(&self.key)
            .is_some_and(|heartbeat| heartbeat.lease_id == self.lease_id)
        {
            leases.remove(&self.key);
        }
    }
}

impl SharedCache for MemoryCache {
    fn get(&self, key: &CacheKey, kind: RecordKind) -> Option<Vec<u8>> {
        lock(&self.state)
            .contents
            .get(&(key.clone(), kind))
            .cloned()
    }

    fn put(&self, key: &CacheKey, kind: RecordKind, content: &[u8]) {
        lock(&self.state)
            .contents
            .insert((key.clone(), kind), content.to_owned());
    }

    fn remove(&self, key: &CacheKey, kind: RecordKind) {
        lock(&self.state).contents.remove(&(key.clone(), kind));
    }

    fn invalidate(&self, token: Option<&str>, hub: Option<&str>) {
        lock(&self.state).contents.retain(|(key, _), _| {
            token.is_some_and(|token| token != key.token) || hub.is_some_and(|hub| hub != key.hub)
        });
    }

    fn try_lease(&self, key: &CacheKey) -> TryLease {
        let mut state = lock(&self.state);
        if let Some(heartbeat) = state.leases.get(key) {
            return TryLease::HeldBy(*heartbeat);
        }
        state.last += 1;
        let lease_id = state.last;
        state
            .leases
            .insert(key.clone(), Heartbeat { lease_id, count: 0 });
        TryLease::Acquired(Box::new(MemoryLease {
            state: Arc::clone(&self.state),
            key: key.clone(),
            lease_id,
        }))
    }

    fn break_stale(&self, key: &CacheKey, heartbeat: Heartbeat) {
        let leases = &mut lock(&self.state).leases;
        if leases.get(key) == Some(&heartbeat) {
            leases.remove(key);
        }
    }
}

/// What a follower has seen: the leader's last heartbeat, and how often it saw that one.
#[derive(Clone, Copy)]
struct Observation {
    heartbeat: Heartbeat,
    times: usize,
}

/// A shared cache that records what its followers have seen. Each client runs on its own thread.
pub struct ObservedCache {
    inner: Box<dyn SharedCache>,
    seen: Mutex<HashMap<ThreadId, Observation>>,
    held: AtomicUsize,
    failures: AtomicUsize,
    /// How many followers must wait before a failure is stored.
    audience: AtomicUsize,
}

impl ObservedCache {
    pub fn new(inner: impl SharedCache + 'static) -> Arc<Self> {
        Arc::new(Self {
            inner: Box::new(inner),
            seen: Mutex::default(),
            held: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            audience: AtomicUsize::new(0),
        })
    }

    /// How many followers have seen a leader.
    pub fn waiting(&self) -> usize {
        lock(&self.seen).len()
    }

    /// How many followers have seen the same heartbeat twice: they have started to measure the
    /// time.
    pub fn counting(&self) -> usize {
        let seen = lock(&self.seen);
        seen.values()
            .filter(|observation| observation.times > 1)
            .count()
    }

    /// The newest heartbeat that any follower has seen.
    pub fn newest(&self) -> u64 {
        let seen = lock(&self.seen);
        let count = seen.values().map(|observation| observation.heartbeat.count);
        count.max().expect("a follower")
    }

    /// Whether all followers have seen a newer heartbeat.
    pub fn all_have_seen_more_than(&self, count: u64) -> bool {
        let seen = lock(&self.seen);
        seen.values()
            .all(|observation| observation.heartbeat.count > count)
    }

    /// How many leases were acquired.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Delays storing a failure until this many followers wait.
    pub fn tell_failures_to(&self, audience: usize) {
        self.audience.store(audience, Ordering::SeqCst);
    }

    /// How many failures were stored.
    pub fn failures(&self) -> usize {
        self.failures.load(Ordering::SeqCst)
    }
}

impl SharedCache for ObservedCache {
    fn get(&self, key: &CacheKey, kind: RecordKind) -> Option<Vec<u8>> {
        self.inner.get(key, kind)
    }

    fn put(&self, key: &CacheKey, kind: RecordKind, content: &[u8]) {
        if kind == RecordKind::Failure {
            until(|| self.waiting() >= self.audience.load(Ordering::SeqCst));
        }
        self.inner.put(key, kind, content);
        if kind == RecordKind::Failure {
            self.failures.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn remove(&self, key: &CacheKey, kind: RecordKind) {
        self.inner.remove(key, kind);
    }

    fn invalidate(&self, token: Option<&str>, hub: Option<&str>) {
        self.inner.invalidate(token, hub);
    }

    fn try_lease(&self, key: &CacheKey) -> TryLease {
        let attempt = self.inner.try_lease(key);
        match attempt {
            // A heartbeat that is not written yet does not name a lease to wait for.
            TryLease::HeldBy(heartbeat) if heartbeat.lease_id != 0 => {
                let mut seen = lock(&self.seen);
                let observation = seen
                    .entry(std::thread::current().id())
                    .or_insert(Observation {
                        heartbeat,
                        times: 0,
                    });
                if observation.heartbeat != heartbeat {
                    *observation = Observation {
                        heartbeat,
                        times: 0,
                    };
                }
                observation.times += 1;
            }
            TryLease::Acquired(_) => {
                self.held.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        attempt
    }

    fn break_stale(&self, key: &CacheKey, heartbeat: Heartbeat) {
        self.inner.break_stale(key, heartbeat);
    }
}
