//! Locks a mutex without failing on poison.
//!
//! A mutex is poisoned when a thread panics while holding it. The data behind hubtoken's locks is
//! consistent after every statement, so the next holder can continue.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, even if its last holder panicked.
pub fn lock_ignoring_poison<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
