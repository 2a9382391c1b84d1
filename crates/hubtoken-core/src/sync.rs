//! Locks that do not fail.
//!
//! A lock is poisoned when a thread panicked while holding it. What hubtoken's locks guard is
//! whole after every statement, so the next holder may go on.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, also one whose last holder panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
