//! What git over HTTP keeps while the Hub runs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::push;
use crate::blocking::Places;

/// Clones, fetches and pushes at once. Each is two or three programs.
const PLACES: usize = 24;
/// Large packed files that are read at once.
const READERS: usize = 16;
/// How long git may be silent, or not take what the client sends. While it works it sends signs of
/// life.
pub(super) const STALL: Duration = Duration::from_mins(5);
/// How long the programs of pushes may go on that a killed Hub left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(10);

/// What git needs of one Hub.
#[derive(Debug)]
pub(crate) struct Git {
    /// For hooks, and for pushes on their way.
    folder: PathBuf,
    search_path: OsString,
    pub(super) places: Places,
    pub(super) readers: Arc<Semaphore>,
    hooks: OnceLock<PathBuf>,
    /// Whether the log says already that there is no git.
    pub(super) told: AtomicBool,
}

impl Git {
    /// Takes over from a Hub that was killed: its pushes must have ended before anything else is
    /// tidied up.
    pub(crate) fn open(data: &Path, search_path: OsString) -> io::Result<Self> {
        let folder = data.canonicalize()?.join("git");
        push::sweep(&folder.join("pushes"), LEFT_BEHIND)?;
        Ok(Self {
            folder,
            search_path,
            places: Places::new(PLACES, "Too many clones, fetches and pushes are under way"),
            readers: Arc::new(Semaphore::new(READERS)),
            hooks: OnceLock::new(),
            told: AtomicBool::new(false),
        })
    }

    /// The same, with programs looked for elsewhere.
    pub(crate) fn with_search_path(self, search_path: OsString) -> Self {
        Self {
            search_path,
            ..self
        }
    }

    /// Where programs are.
    pub(crate) fn search_path(&self) -> &OsStr {
        &self.search_path
    }

    /// Where pushes on their way are.
    pub(super) fn pushes(&self) -> io::Result<PathBuf> {
        let folder = self.folder.join("pushes");
        push::make_folder(&folder)?;
        Ok(folder)
    }

    /// The folder of our hook.
    pub(super) fn hooks(&self) -> io::Result<PathBuf> {
        if let Some(hooks) = self.hooks.get() {
            return Ok(hooks.clone());
        }
        push::make_folder(&self.folder)?;
        let hooks = push::write_hook(&self.folder)?;
        Ok(self.hooks.get_or_init(|| hooks).clone())
    }
}
