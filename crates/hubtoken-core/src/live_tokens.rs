//! Tracks the tokens that are alive in this process, so that unpickling can find their values.
//!
//! A pickle does not contain the value, so unpickling looks here first. A forked child has its
//! parent's tokens, and a worker thread has those of its process. Nothing here keeps a token alive.
//!
//! The lock is held only for a lookup, by threads that are attached to the interpreter. Python
//! forks while attached, so no child inherits a locked mutex.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use crate::credential::Credential;
use crate::sync::lock_ignoring_poison;
use crate::token_reference::TokenReference;

/// How many values to track before the first sweep removes those of dropped tokens.
const SWEEP: usize = 1024;

static LIVE_TOKENS: Mutex<Option<LiveTokens>> = Mutex::new(None);

#[derive(Default)]
struct LiveTokens {
    by_fingerprint: HashMap<String, Vec<Weak<Credential>>>,
    /// How many values were alive after the last sweep. The next one is due at twice as many, so
    /// that a server with thousands of tokens does not scan all of them for each new one.
    swept: usize,
}

/// Registers a token.
pub fn register(credential: &Arc<Credential>) {
    let mut tokens = lock_ignoring_poison(&LIVE_TOKENS);
    let tokens = tokens.get_or_insert_default();
    if tokens.by_fingerprint.len() >= SWEEP.max(2 * tokens.swept) {
        tokens
            .by_fingerprint
            .retain(|_, same| same.iter().any(|known| known.strong_count() > 0));
        tokens.swept = tokens.by_fingerprint.len();
    }
    // The same value may be alive several times, from different sources or for different Hubs.
    let same = tokens
        .by_fingerprint
        .entry(credential.token.digest().fingerprint())
        .or_default();
    same.retain(|known| known.strong_count() > 0);
    if !same
        .iter()
        .any(|known| known.as_ptr() == Arc::as_ptr(credential))
    {
        same.push(Arc::downgrade(credential));
    }
}

/// The live token that a reference identifies.
#[must_use]
pub fn find(reference: &TokenReference) -> Option<Arc<Credential>> {
    let same: Vec<Arc<Credential>> = lock_ignoring_poison(&LIVE_TOKENS)
        .as_ref()?
        .by_fingerprint
        .get(&reference.fingerprint)?
        .iter()
        .filter_map(Weak::upgrade)
        .filter(|credential| credential.endpoint == reference.endpoint)
        .collect();
    if let Some(exact) = same
        .iter()
        .find(|credential| credential.source == reference.source)
    {
        return Some(Arc::clone(exact));
    }
    // The value is alive but came from another source: it gets the source that was pickled.
    same.first()?.with_source(&reference.source)
}
