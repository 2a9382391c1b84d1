//! A minimal shared cache in memory, which shows what a networked one must do, and a wrapper around
//! any shared cache that reports what the waiting clients have seen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use hubtoken_core::identity::shared::{Claim, Kind, Lease, Mark, Place, SharedCache};

use crate::time::until;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct State {
    contents: HashMap<(Place, Kind), Vec<u8>>,
    claims: HashMap<Place, Mark>,
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
    place: Place,
    claim: u64,
}

impl Lease for MemoryLease {
    fn claim(&self) -> u64 {
        self.claim
    }

    fn renew(&mut self) {
        if let Some(mark) = lock(&self.state).claims.get_mut(&self.place)
            && mark.claim == self.claim
        {
            mark.beats += 1;
        }
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let claims = &mut lock(&self.state).claims;
        if claims
            .get(&self.place)
            .is_some_and(|mark| mark.claim == self.claim)
        {
            claims.remove(&self.place);
        }
    }
}

impl SharedCache for MemoryCache {
    fn get(&self, place: &Place, kind: Kind) -> Option<Vec<u8>> {
        lock(&self.state)
            .contents
            .get(&(place.clone(), kind))
            .cloned()
    }

    fn put(&self, place: &Place, kind: Kind, content: &[u8]) {
        lock(&self.state)
            .contents
            .insert((place.clone(), kind), content.to_owned());
    }

    fn remove(&self, place: &Place, kind: Kind) {
        lock(&self.state).contents.remove(&(place.clone(), kind));
    }

    fn forget(&self, token: Option<&str>, hub: Option<&str>) {
        lock(&self.state).contents.retain(|(place, _), _| {
            token.is_some_and(|token| token != place.token)
                || hub.is_some_and(|hub| hub != place.hub)
        });
    }

    fn try_claim(&self, place: &Place) -> Claim {
        let mut state = lock(&self.state);
        if let Some(mark) = state.claims.get(place) {
            return Claim::Busy(*mark);
        }
        state.last += 1;
        let claim = state.last;
        state.claims.insert(place.clone(), Mark { claim, beats: 0 });
        Claim::Held(Box::new(MemoryLease {
            state: Arc::clone(&self.state),
            place: place.clone(),
            claim,
        }))
    }

    fn take_over(&self, place: &Place, mark: Mark) {
        let claims = &mut lock(&self.state).claims;
        if claims.get(place) == Some(&mark) {
            claims.remove(place);
        }
    }
}

/// What a follower has seen: the leader's last heartbeat, and how often it saw that one.
#[derive(Clone, Copy)]
struct Sight {
    mark: Mark,
    times: usize,
}

/// A shared cache that records what its followers have seen. Each client runs on its own thread.
pub struct Watched {
    inner: Box<dyn SharedCache>,
    seen: Mutex<HashMap<ThreadId, Sight>>,
    held: AtomicUsize,
    failures: AtomicUsize,
    /// How many followers must wait before a failure is stored.
    audience: AtomicUsize,
}

impl Watched {
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
        seen.values().filter(|sight| sight.times > 1).count()
    }

    /// The newest heartbeat that any follower has seen.
    pub fn newest(&self) -> u64 {
        let seen = lock(&self.seen);
        let beats = seen.values().map(|sight| sight.mark.beats);
        beats.max().expect("a follower")
    }

    /// Whether all followers have seen a newer heartbeat.
    pub fn all_have_seen_more_than(&self, beats: u64) -> bool {
        let seen = lock(&self.seen);
        seen.values().all(|sight| sight.mark.beats > beats)
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

impl SharedCache for Watched {
    fn get(&self, place: &Place, kind: Kind) -> Option<Vec<u8>> {
        self.inner.get(place, kind)
    }

    fn put(&self, place: &Place, kind: Kind, content: &[u8]) {
        if kind == Kind::Failure {
            until(|| self.waiting() >= self.audience.load(Ordering::SeqCst));
        }
        self.inner.put(place, kind, content);
        if kind == Kind::Failure {
            self.failures.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn remove(&self, place: &Place, kind: Kind) {
        self.inner.remove(place, kind);
    }

    fn forget(&self, token: Option<&str>, hub: Option<&str>) {
        self.inner.forget(token, hub);
    }

    fn try_claim(&self, place: &Place) -> Claim {
        let claim = self.inner.try_claim(place);
        match claim {
            // A heartbeat that is not written yet does not name a lease to wait for.
            Claim::Busy(mark) if mark.claim != 0 => {
                let mut seen = lock(&self.seen);
                let sight = seen
                    .entry(std::thread::current().id())
                    .or_insert(Sight { mark, times: 0 });
                if sight.mark != mark {
                    *sight = Sight { mark, times: 0 };
                }
                sight.times += 1;
            }
            Claim::Held(_) => {
                self.held.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        claim
    }

    fn take_over(&self, place: &Place, mark: Mark) {
        self.inner.take_over(place, mark);
    }
}
