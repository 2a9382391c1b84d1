//! The shared cache on disk, for the processes of one machine: a [folder of records], each about a
//! token, named by digests.
//!
//! [folder of records]: crate::record_folder

mod lease;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::shared::{CacheKey, Heartbeat, MAXIMUM_SIZE, RecordKind, SharedCache, TryLease};
use crate::file_lock::{OperatingSystem, SystemCalls};
use crate::folder::HomeUser;
use crate::record_folder::{NEW, RecordFolder};

/// The maximum number of files of each kind. Rejections have their own small bound, so that a
/// stream of made-up tokens evicts only other rejections.
const BOUNDS: [(&str, usize); 9] = [
    (".json", 512),
    (".rejected", 64),
    (".limit", 64),
    (".hub-limit", 64),
    (".failed", 64),
    (".denied", 512),
    (LOCK, 512),
    (LEASE, 512),
    (NEW, 64),
];
/// After how many writes a process checks the bounds again.
const SWEEP: u32 = 16;
const LOCK: &str = ".lock";
/// The lock's replacement where the file system refuses locks.
const LEASE: &str = ".lease";

/// A folder of shared records.
pub struct DiskCache {
    folder: RecordFolder,
    calls: &'static dyn SystemCalls,
    kept: AtomicU32,
}

impl RecordKind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Identity => ".json",
            Self::Rejection => ".rejected",
            Self::Limit => ".limit",
            Self::HubLimit => ".hub-limit",
            Self::Failure => ".failed",
            Self::Denials => ".denied",
        }
    }
}

impl DiskCache {
    /// A cache in a folder, which is created on the first write.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self::in_folder(RecordFolder::new(folder))
    }

    /// A cache in a folder of records.
    #[must_use]
    pub fn in_folder(folder: RecordFolder) -> Self {
        Self {
            folder,
            calls: &OperatingSystem,
            kept: AtomicU32::new(0),
        }
    }

    /// The same cache in the home of a user: what root creates there belongs to that user, whose
    /// folders root believes.
    #[must_use]
    pub fn in_home_of(self, user: &HomeUser) -> Self {
        Self {
            folder: self.folder.in_home_of(user),
            ..self
        }
    }

    fn path(&self, key: &CacheKey, suffix: &str) -> PathBuf {
        self.folder.path().join(name(key, suffix))
    }
}

/// The file name of a record.
fn name(key: &CacheKey, suffix: &str) -> String {
    format!("{}-{}{suffix}", key.token, key.hub)
}

impl SharedCache for DiskCache {
    fn get(&self, key: &CacheKey, kind: RecordKind) -> Option<Vec<u8>> {
        self.folder.read(&name(key, kind.suffix()), MAXIMUM_SIZE)
    }

    fn put(&self, key: &CacheKey, kind: RecordKind, content: &[u8]) {
        if self
            .folder
            .replace(&name(key, kind.suffix()), content)
            .is_ok()
            && self
                .kept
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(SWEEP)
        {
            self.folder.sweep(&BOUNDS);
        }
    }

    fn remove(&self, key: &CacheKey, kind: RecordKind) {
        if self.folder.is_private() {
            let _ = fs::remove_file(self.path(key, kind.suffix()));
        }
    }

    fn invalidate(&self, token: Option<&str>, hub: Option<&str>) {
        for (name, path) in self.folder.entries() {
            let Some((known_token, rest)) = name.split_once('-') else {
                continue;
            };
            let Some((known_hub, suffix)) = rest.split_once('.') else {
                continue;
            };
            if ![&LOCK[1..], &LEASE[1..]].contains(&suffix)
                && token.is_none_or(|token| token == known_token)
                && hub.is_none_or(|hub| hub == known_hub)
            {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn try_lease(&self, key: &CacheKey) -> TryLease {
        self.folder
            .make()
            .and_then(|()| lease::try_lease(&self.path(key, LOCK), self.folder.user(), self.calls))
            .unwrap_or(TryLease::Unsupported)
    }

    fn is_leased(&self, key: &CacheKey) -> bool {
        // The holder removes the file when it is done.
        [LOCK, LEASE]
            .iter()
            .any(|suffix| self.path(key, suffix).exists())
    }

    fn break_stale(&self, key: &CacheKey, heartbeat: Heartbeat) {
        for suffix in [LOCK, LEASE] {
            lease::break_stale(&self.path(key, suffix), heartbeat);
        }
    }
}

#[cfg(test)]
mod tests;
