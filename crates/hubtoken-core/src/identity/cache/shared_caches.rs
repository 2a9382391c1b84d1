//! Selects the shared cache for each setting in use.
//!
//! This is the only module that knows which backends exist. A networked one needs a second branch
//! here, an implementation of [`SharedCache`], and a setting.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::disk::DiskCache;
use super::shared::SharedCache;
use crate::folder::HomeUser;
use crate::identity::settings::Settings;
use crate::sync::lock_ignoring_poison;

/// The shared caches in use: nearly always one.
#[derive(Default)]
pub(in crate::identity) struct SharedCaches {
    folders: Mutex<Vec<(PathBuf, Arc<dyn SharedCache>)>>,
}

impl SharedCaches {
    /// The shared cache that the settings select; `None` if nothing is shared.
    pub(in crate::identity) fn of(&self, settings: &Settings) -> Option<Arc<dyn SharedCache>> {
        settings
            .shared_cache
            .as_deref()
            .map(|folder| self.folder(folder, &settings.home_user))
    }

    fn folder(&self, folder: &Path, home_user: &HomeUser) -> Arc<dyn SharedCache> {
        let mut folders = lock_ignoring_poison(&self.folders);
        if let Some((_, known)) = folders.iter().find(|(known, _)| known == folder) {
            return known.clone();
        }
        let cache: Arc<dyn SharedCache> =
            Arc::new(DiskCache::new(folder.to_owned()).in_home_of(home_user));
        folders.push((folder.to_owned(), cache.clone()));
        cache
    }

    /// All shared caches used so far.
    pub(in crate::identity) fn all(&self) -> Vec<Arc<dyn SharedCache>> {
        let folders = lock_ignoring_poison(&self.folders);
        folders.iter().map(|(_, cache)| cache.clone()).collect()
    }
}
