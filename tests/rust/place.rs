//! A shared place in memory, as small as one can be: what a networked one has to do, and no more.
//! And a wrapper around any place that tells who has seen that somebody else asks.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use hubtoken::identity::shared::{Claim, Kind, Lease, Mark, Place, SharedCache};

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct State {
    contents: HashMap<(Place, Kind), Vec<u8>>,
    claims: HashMap<Place, Mark>,
    /// The number of the last claim.
    last: u64,
}

/// A place in memory.
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

/// A place, and the threads that have waited there for somebody else. Each client asks from a
/// thread of its own.
pub struct Watched {
    inner: Box<dyn SharedCache>,
    waiting: Mutex<HashSet<ThreadId>>,
}

impl Watched {
    pub fn new(inner: impl SharedCache + 'static) -> Arc<Self> {
        Arc::new(Self {
            inner: Box::new(inner),
            waiting: Mutex::default(),
        })
    }

    /// How many have seen that somebody else asks.
    pub fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }
}

impl SharedCache for Watched {
    fn get(&self, place: &Place, kind: Kind) -> Option<Vec<u8>> {
        self.inner.get(place, kind)
    }

    fn put(&self, place: &Place, kind: Kind, content: &[u8]) {
        self.inner.put(place, kind, content);
    }

    fn remove(&self, place: &Place, kind: Kind) {
        self.inner.remove(place, kind);
    }

    fn forget(&self, token: Option<&str>, hub: Option<&str>) {
        self.inner.forget(token, hub);
    }

    fn try_claim(&self, place: &Place) -> Claim {
        let claim = self.inner.try_claim(place);
        // A mark that is not written yet tells nobody for whom to wait.
        if matches!(claim, Claim::Busy(mark) if mark.claim != 0) {
            lock(&self.waiting).insert(std::thread::current().id());
        }
        claim
    }

    fn take_over(&self, place: &Place, mark: Mark) {
        self.inner.take_over(place, mark);
    }
}
