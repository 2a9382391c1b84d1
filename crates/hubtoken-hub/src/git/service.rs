//! The state of the git endpoints while the Hub runs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::hook_channel;
use crate::blocking::ConcurrencyLimit;

/// The maximum number of concurrent clones, fetches and pushes. Each runs two or three programs.
const MAX_PROCESSES: usize = 24;
/// The maximum number of packed files streamed at once.
const MAX_READERS: usize = 16;
/// How long git may produce no output, or not read what the client sends. While it works, it sends
/// keep-alives.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_mins(5);
/// How long to wait for the programs of pushes that a killed Hub left behind.
const STALE_PUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// The git state of one Hub.
#[derive(Debug)]
pub(crate) struct Git {
    /// Contains the hook and the folders of pushes in progress.
    folder: PathBuf,
    search_path: OsString,
    pub(super) process_limit: ConcurrencyLimit,
    pub(super) reader_permits: Arc<Semaphore>,
    hooks: OnceLock<PathBuf>,
    /// Whether it has been logged that git is not installed.
    pub(super) missing_git_logged: AtomicBool,
}

impl Git {
    /// Cleans up after a killed Hub: its pushes must end before anything else is cleaned up.
    pub(crate) fn open(data: &Path, search_path: OsString) -> io::Result<Self> {
        let folder = data.canonicalize()?.join("git");
        hook_channel::remove_stale(&folder.join("pushes"), STALE_PUSH_TIMEOUT)?;
        Ok(Self {
            folder,
            search_path,
            process_limit: ConcurrencyLimit::new(
                MAX_PROCESSES,
                "Too many clones, fetches and pushes are in progress",
            ),
            reader_permits: Arc::new(Semaphore::new(MAX_READERS)),
            hooks: OnceLock::new(),
            missing_git_logged: AtomicBool::new(false),
        })
    }

    /// Uses another search path for programs.
    pub(crate) fn with_search_path(self, search_path: OsString) -> Self {
        Self {
            search_path,
            ..self
        }
    }

    /// The search path for programs.
    pub(crate) fn search_path(&self) -> &OsStr {
        &self.search_path
    }

    /// The folder of pushes in progress.
    pub(super) fn pushes(&self) -> io::Result<PathBuf> {
        let folder = self.folder.join("pushes");
        hook_channel::make_folder(&folder)?;
        Ok(folder)
    }

    /// The folder that contains the Hub's hook.
    pub(super) fn hooks(&self) -> io::Result<PathBuf> {
        if let Some(hooks) = self.hooks.get() {
            return Ok(hooks.clone());
        }
        hook_channel::make_folder(&self.folder)?;
        let hooks = hook_channel::write_hook(&self.folder)?;
        Ok(self.hooks.get_or_init(|| hooks).clone())
    }
}
