//! What belongs to one process: caches, connections, a thread.
//!
//! A forked child has none of its parent's threads, and a lock that another thread held at the
//! fork is held for ever. So nothing of the parent's is used after a fork: the child starts with
//! a state of its own and *leaks* the parent's, since dropping a client or a runtime whose thread
//! is gone hangs or panics. The Python layer announces a fork ([`forked`]); a process id that has
//! changed does the same for whoever forks without telling.

use std::sync::{Arc, Mutex};

use crate::identity::client::Client;
use crate::resolve::Resolver;
use crate::sync::lock;

/// The state of one process.
pub struct Process {
    id: u32,
    forked: bool,
    /// The chain and what it remembers.
    pub resolver: Resolver,
    /// Identities and auth-checks.
    pub client: Arc<Client>,
}

/// Taken by threads that are attached to the interpreter, and for the length of a clone: Python
/// forks while attached, so no child inherits it locked.
static CURRENT: Mutex<Option<Arc<Process>>> = Mutex::new(None);

/// This process's state.
#[must_use]
pub fn current() -> Arc<Process> {
    let mut current = lock(&CURRENT);
    Arc::clone(current.get_or_insert_with(|| Arc::new(new())))
}

/// This process's state, after a look whether it still is the same process.
///
/// For the way to the network, which is slow enough for a system call.
#[must_use]
pub fn current_checked() -> Arc<Process> {
    if lock(&CURRENT)
        .as_ref()
        .is_some_and(|process| process.id != std::process::id())
    {
        forked();
    }
    current()
}

/// Leaves the parent's state behind. For the child, right after a fork.
///
/// What notebooks have told is taken over: the child cannot ask them itself.
pub fn forked() {
    let mut current = lock(&CURRENT);
    let resolver = current
        .as_ref()
        .map_or_else(Resolver::default, |parents| parents.resolver.inherited());
    let parents = current.replace(Arc::new(Process {
        forked: true,
        resolver,
        ..new()
    }));
    std::mem::forget(parents);
}

/// Whether this process is a fork of one that used hubtoken.
#[must_use]
pub fn is_forked() -> bool {
    current().forked
}

fn new() -> Process {
    Process {
        id: std::process::id(),
        forked: false,
        resolver: Resolver::default(),
        client: Arc::default(),
    }
}
