//! The shared cache on disk, for the processes of one machine.
//!
//! Each record about a token is a small file, named by digests, created with mode 0600 and replaced
//! atomically. Files are not flushed: after a power failure a file may be empty, which counts as a
//! missing entry. A disk that is full, read-only or gone acts as an empty cache.
//!
//! A folder that others may write to, or that belongs to another user, is not used: anyone who can
//! write there could forge answers about the user's own tokens.

mod lease;
mod usability;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use super::shared::{CacheKey, Heartbeat, MAXIMUM_SIZE, RecordKind, SharedCache, TryLease};
use crate::bounded_file;
use crate::file_lock::{OperatingSystem, SystemCalls};
use crate::folder::{self, HomeUser};

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
/// A temporary file: being written, or left by a killed process.
const NEW: &str = ".new";

/// A folder of shared records.
pub struct DiskCache {
    folder: PathBuf,
    /// The ID of the user in whose home root works.
    user: Option<u32>,
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
        Self {
            folder,
            user: None,
            calls: &OperatingSystem,
            kept: AtomicU32::new(0),
        }
    }

    /// The same cache in the home of a user: what root creates there belongs to that user, whose
    /// folders root believes.
    #[must_use]
    pub fn in_home_of(self, user: &HomeUser) -> Self {
        Self {
            user: user.id(),
            ..self
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, key: &CacheKey, suffix: &str) -> PathBuf {
        self.folder
            .join(format!("{}-{}{suffix}", key.token, key.hub))
    }

    /// Whether the folder exists and only this user may write to it.
    fn is_private(&self) -> bool {
        self.folder
            .metadata()
            .is_ok_and(|metadata| metadata.is_dir() && usability::is_private(&metadata, self.user))
    }

    /// Creates the folder, and `HF_HOME` above it if needed.
    fn make_folder(&self) -> std::io::Result<()> {
        if self.is_private() {
            return Ok(());
        }
        let home = self.folder.parent().and_then(Path::parent);
        folder::make_private(&self.folder, home.unwrap_or(&self.folder), self.user)?;
        // It may have existed with other permissions.
        if self.is_private() {
            Ok(())
        } else {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }

    fn replace(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
        self.make_folder()?;
        bounded_file::check_replaceable(path)?;
        let mut file = tempfile::Builder::new()
            .prefix("")
            .suffix(NEW)
            .tempfile_in(&self.folder)?;
        folder::give(file.as_file(), &self.folder, self.user);
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = (String, PathBuf)> {
        self.is_private()
            .then(|| fs::read_dir(&self.folder))
            .into_iter()
            .flatten()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
    }

    /// Removes the oldest files of each kind that exceeds its bound, down to three quarters of it.
    fn sweep(&self) {
        let mut sorts = BOUNDS.map(|_| Vec::new());
        for (name, path) in self.entries() {
            let sort = BOUNDS.iter().position(|(suffix, _)| name.ends_with(suffix));
            if let Some(files) = sort.and_then(|index| sorts.get_mut(index)) {
                files.push(path);
            }
        }
        for (files, (_, bound)) in sorts.into_iter().zip(BOUNDS) {
            if files.len() <= bound {
                continue;
            }
            let spare = files.len() - bound + bound / 4;
            let mut files: Vec<(SystemTime, PathBuf)> = files
                .into_iter()
                .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
                .collect();
            files.sort_unstable();
            for (_, path) in files.into_iter().take(spare) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl SharedCache for DiskCache {
    fn get(&self, key: &CacheKey, kind: RecordKind) -> Option<Vec<u8>> {
        if !self.is_private() {
            return None;
        }
        let text =
            bounded_file::read_secret(&self.path(key, kind.suffix()), MAXIMUM_SIZE).ok()??;
        Some(text.as_bytes().to_vec())
    }

    fn put(&self, key: &CacheKey, kind: RecordKind, content: &[u8]) {
        if self
            .replace(&self.path(key, kind.suffix()), content)
            .is_ok()
            && self
                .kept
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(SWEEP)
        {
            self.sweep();
        }
    }

    fn remove(&self, key: &CacheKey, kind: RecordKind) {
        if self.is_private() {
            let _ = fs::remove_file(self.path(key, kind.suffix()));
        }
    }

    fn invalidate(&self, token: Option<&str>, hub: Option<&str>) {
        for (name, path) in self.entries() {
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
        self.make_folder()
            .and_then(|()| lease::try_lease(&self.path(key, LOCK), self.user, self.calls))
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
