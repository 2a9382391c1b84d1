//! The state of LFS while the Hub runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::signed_url::SigningKey;
use hubtoken_core::sync::lock_ignoring_poison;

/// The LFS state of one Hub.
#[derive(Debug)]
pub(crate) struct Lfs {
    data: PathBuf,
    /// Created on first use.
    key: Mutex<Option<Arc<SigningKey>>>,
    /// Whether `preupload` directs large files to LFS.
    pub preferred: bool,
}

impl Lfs {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            key: Mutex::default(),
            preferred: false,
        }
    }

    pub(super) fn key(&self) -> io::Result<Arc<SigningKey>> {
        let mut key = lock_ignoring_poison(&self.key);
        if let Some(key) = &*key {
            return Ok(Arc::clone(key));
        }
        let opened = Arc::new(SigningKey::open(&self.data)?);
        *key = Some(Arc::clone(&opened));
        Ok(opened)
    }
}
