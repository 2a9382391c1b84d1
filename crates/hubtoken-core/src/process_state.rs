//! Holds the state that belongs to one process: caches, connections and a thread.
//!
//! A forked child has none of its parent's threads, and a lock that another thread held at the fork
//! stays locked forever. The child therefore uses nothing of its parent's: it starts with new state
//! and *leaks* the old one, because dropping a client or a runtime whose thread is gone hangs or
//! panics. The Python layer reports a fork ([`after_fork`]). A changed process ID is treated the
//! same way, for forks that are not reported.

use std::sync::{Arc, Mutex};

use crate::identity::client::Client;
use crate::resolve::Resolver;
use crate::sync::lock_ignoring_poison;

/// The state of one process.
pub struct ProcessState {
    id: u32,
    forked: bool,
    /// The resolver and its caches.
    pub resolver: Resolver,
    /// Identities and auth checks.
    pub client: Arc<Client>,
}

impl ProcessState {
    /// Whether this process is a fork of one that used hubtoken.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.forked
    }

    /// This state, or a new one if the process ID shows that it is the parent's.
    ///
    /// For code paths that lead to the network, where an extra system call does not matter.
    #[must_use]
    pub fn after_pid_check(self: &Arc<Self>) -> Arc<Self> {
        let id = std::process::id();
        if self.id == id {
            return Arc::clone(self);
        }
        // Another thread may have replaced it already.
        let is_parents = |process: &Arc<Self>| process.id != id;
        if lock_ignoring_poison(&CURRENT)
            .as_ref()
            .is_some_and(is_parents)
        {
            after_fork();
        }
        current()
    }
}

/// Locked only by threads that are attached to the interpreter, and only to clone the value. Python
/// forks while attached, so no child inherits a locked mutex.
static CURRENT: Mutex<Option<Arc<ProcessState>>> = Mutex::new(None);

/// The state of this process. A call takes it once and hands it down.
#[must_use]
pub fn current() -> Arc<ProcessState> {
    let mut current = lock_ignoring_poison(&CURRENT);
    Arc::clone(current.get_or_insert_with(|| Arc::new(new())))
}

/// The state of this process, after checking that the process ID has not changed.
#[must_use]
pub fn current_after_pid_check() -> Arc<ProcessState> {
    current().after_pid_check()
}

/// Abandons the parent's state. Call this in the child, right after a fork.
///
/// Cached secrets from notebooks are carried over, because the child cannot query a notebook
/// itself.
pub fn after_fork() {
    let mut current = lock_ignoring_poison(&CURRENT);
    let resolver = current
        .as_ref()
        .map_or_else(Resolver::default, |parents| parents.resolver.after_fork());
    let parents = current.replace(Arc::new(ProcessState {
        forked: true,
        resolver,
        ..new()
    }));
    std::mem::forget(parents);
}

fn new() -> ProcessState {
    ProcessState {
        id: std::process::id(),
        forked: false,
        resolver: Resolver::default(),
        client: Arc::default(),
    }
}
