//! Selects the shared cache for each setting in use.
//!
//! This is the only module that knows which backends exist. A networked one needs a second branch
//! here, an implementation of [`SharedCache`], and a setting.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::disk::DiskCache;
use super::shared::SharedCache;
use crate::http::Settings;
use crate::sync::lock;

/// The shared caches in use: nearly always one.
#[derive(Default)]
pub(super) struct Places {
    folders: Mutex<Vec<(PathBuf, Arc<dyn SharedCache>)>>,
}

impl Places {
    /// The shared cache that the settings select; `None` if nothing is shared.
    pub(super) fn of(&self, settings: &Settings) -> Option<Arc<dyn SharedCache>> {
        settings
            .identities
            .as_deref()
            .map(|folder| self.folder(folder))
    }

    fn folder(&self, folder: &Path) -> Arc<dyn SharedCache> {
        let mut folders = lock(&self.folders);
        if let Some((_, known)) = folders.iter().find(|(known, _)| known == folder) {
            return known.clone();
        }
        let cache: Arc<dyn SharedCache> = Arc::new(DiskCache::new(folder.to_owned()));
        folders.push((folder.to_owned(), cache.clone()));
        cache
    }

    /// All shared caches used so far.
    pub(super) fn all(&self) -> Vec<Arc<dyn SharedCache>> {
        let folders = lock(&self.folders);
        folders.iter().map(|(_, cache)| cache.clone()).collect()
    }
}
