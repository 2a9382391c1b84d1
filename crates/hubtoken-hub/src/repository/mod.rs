//! The content of repositories: bare git repositories, one folder each, written through libgit2.
//!
//! A folder is named by the repository's id, never by its name. Git's ref is a commit's truth: a commit exists once
//! its branch points to it, and the registry holds no copy of that. Creating and deleting touch both sides, and a
//! crash may come between any two steps:
//!
//! - A new folder is built as `{id}.new`, with the marker `hubtoken-unsettled` in it, and renamed to `{id}.git`. Then
//!   its row is stored, then the marker goes.
//! - A folder to be deleted gets the marker. Then its row goes, then it is renamed to `{id}.deleted`, then it is
//!   removed file by file.
//!
//! So at start, [`Store::reconcile`] removes every `.new` and `.deleted`; of a marked `.git` it removes the marker if
//! there is a row, and the folder if there is none. A folder *without* the marker and without a row is left alone: it
//! means that somebody restored an older database, and deleting the work of a week would be a poor answer to that. A
//! row without its folder is damage that no crash can cause; the row is kept, its content is answered with an error,
//! and it can be deleted.
//!
//! Everything here blocks; callers run it on the blocking threads of the runtime.
//!
//! libgit2 writes, and git receives. Both take git's own lock on a reference and move the
//! reference only if it still points where it was read, so a commit through the API and a push
//! cannot undo each other. Neither path reads a large object into memory: a loose object is
//! inflated in chunks, and a packed one is the output of `git cat-file`.

mod attributes;
mod commit;
mod fault;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod history;
mod ignored;
mod leftovers;
pub(super) mod lfs;
mod loose;
mod path;
mod pattern;
mod quoted;
mod revision;
mod tree;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git2::{ConfigLevel, RepositoryInitOptions};

use super::registry::{Repository, RepositoryType};

pub(crate) use self::commit::{Author, BlobWriter, Change, CommitRequest};
use self::lfs::{Objects, RepositoryObjects};

pub(crate) use self::fault::GitFault;
pub(crate) use self::ignored::IgnoredFiles;
pub(crate) use self::loose::LooseBlob;
pub(crate) use self::path::RepositoryPath;
pub(crate) use self::revision::{DEFAULT_BRANCH, Reference, unfit_name};
pub(crate) use self::tree::Entry;

const MARKER: &str = "hubtoken-unsettled";
/// Beside the folders of repositories: what libgit2 is told.
const SETTINGS: &str = "libgit2.config";
/// How often a folder is emptied that others still write to.
const REMOVALS: u32 = 50;
const FSYNC: &str = "core.fsyncobjectfiles";

/// The file that every new repository on the Hub begins with.
const GITATTRIBUTES: &[u8] = include_bytes!("gitattributes");

/// All git repositories of one Hub.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    /// The large files, which are beside git.
    objects: Objects,
    /// One lock a repository, so that a commit can read the branch, build on it and move it without another between.
    locks: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// One git repository, opened.
pub(crate) struct Content {
    git: git2::Repository,
    lock: Arc<Mutex<()>>,
    objects: RepositoryObjects,
}

impl Store {
    pub(crate) fn new(root: PathBuf, objects: Objects) -> Self {
        Self {
            root,
            objects,
            locks: Mutex::default(),
        }
    }

    /// The folder of a repository.
    pub(crate) fn folder(&self, kind: RepositoryType, id: &str) -> PathBuf {
        self.root.join(kind.plural()).join(format!("{id}.git"))
    }

    /// Creates the folder with a first commit. It stays unsettled until [`Store::settle`].
    pub(crate) fn create(
        &self,
        kind: RepositoryType,
        id: &str,
        author: &Author,
    ) -> Result<(), GitFault> {
        let folder = self.folder(kind, id).with_extension("new");
        self.build(&folder, kind, id, author)
            .and_then(|()| Ok(fs::rename(&folder, self.folder(kind, id))?))
            .inspect_err(|_| {
                // The room that it took is wanted, most of all on a full disk. What cannot be removed goes at the start.
                let _ = fs::remove_dir_all(&folder);
            })
    }

    fn build(
        &self,
        folder: &Path,
        kind: RepositoryType,
        id: &str,
        author: &Author,
    ) -> Result<(), GitFault> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(MARKER), b"")?;
        let mut options = RepositoryInitOptions::new();
        options
            .bare(true)
            .initial_head(DEFAULT_BRANCH)
            .external_template(false);
        let git = git2::Repository::init_opts(folder, &options)?;
        self.set_up(&git)?;
        let content = Content {
            git,
            lock: Arc::default(),
            objects: self.objects.of(kind, id),
        };
        let blob = content.git.blob(GITATTRIBUTES)?;
        content.initial_commit(author, &[(".gitattributes", blob)])?;
        Ok(())
    }

    /// The registry agrees now.
    pub(crate) fn settle(&self, kind: RepositoryType, id: &str) -> Result<(), GitFault> {
        Ok(fs::remove_file(self.folder(kind, id).join(MARKER))?)
    }

    /// The registry is about to forget it.
    pub(crate) fn unsettle(&self, kind: RepositoryType, id: &str) -> Result<(), GitFault> {
        match fs::write(self.folder(kind, id).join(MARKER), b"") {
            // Its folder is gone already, which is no reason to keep the row.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => Ok(other?),
        }
    }

    /// Removes the folder, once no commit is under way.
    pub(crate) fn delete(&self, kind: RepositoryType, id: &str) -> Result<(), GitFault> {
        let lock = self.lock(id);
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        remove(&self.folder(kind, id))?;
        self.objects.of(kind, id).remove()?;
        self.locks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        Ok(())
    }

    pub(crate) fn open(&self, repository: &Repository) -> Result<Content, GitFault> {
        let folder = self.folder(repository.kind, &repository.id);
        if !folder.join("HEAD").is_file() {
            return Err(GitFault::ContentMissing);
        }
        let lock = self.lock_or_begin(&repository.id, &folder)?;
        let git = git2::Repository::open_bare(&folder)?;
        self.set_up(&git)?;
        Ok(Content {
            git,
            lock,
            objects: self.lfs(repository),
        })
    }

    /// The large files of a repository.
    pub(crate) fn lfs(&self, repository: &Repository) -> RepositoryObjects {
        self.objects.of(repository.kind, &repository.id)
    }

    /// Without `core.fsyncObjectFiles` libgit2 leaves objects in the page cache, and a commit that was answered could be
    /// lost. It stands in a file that libgit2 alone is told of: git has another setting, and warns about this one.
    fn set_up(&self, git: &git2::Repository) -> Result<(), GitFault> {
        Ok(git
            .config()?
            .add_file(&self.root.join(SETTINGS), ConfigLevel::App, false)?)
    }

    /// The lock of a repository. The first time in this process, what git had begun is removed from its folder: a Hub
    /// that was killed left it there, no other can have made it since the data folder is ours, and with a lock file
    /// nothing could be committed ever again.
    fn lock_or_begin(&self, id: &str, folder: &Path) -> Result<Arc<Mutex<()>>, GitFault> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(id) {
            return Ok(Arc::clone(lock));
        }
        leftovers::remove(folder)?;
        // Older versions had the setting here.
        let config = git2::Repository::open_bare(folder)?.config()?;
        match config.open_level(ConfigLevel::Local)?.remove(FSYNC) {
            Err(error) if error.code() != git2::ErrorCode::NotFound => return Err(error.into()),
            _ => (),
        }
        Ok(Arc::clone(locks.entry(id.to_owned()).or_default()))
    }

    fn lock(&self, id: &str) -> Arc<Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(id.to_owned()).or_default())
    }

    /// Makes folders and registry agree again after a crash; see the essay above.
    pub(crate) fn reconcile(&self, registered: &[Repository]) -> std::io::Result<()> {
        let known: HashSet<PathBuf> = registered
            .iter()
            .map(|repository| self.folder(repository.kind, &repository.id))
            .collect();
        fs::create_dir_all(&self.root)?;
        fs::write(
            self.root.join(SETTINGS),
            "[core]\n\tfsyncObjectFiles = true\n",
        )?;
        for kind in RepositoryType::ALL {
            let parent = self.root.join(kind.plural());
            fs::create_dir_all(&parent)?;
            for folder in fs::read_dir(&parent)? {
                let folder = folder?.path();
                match folder.extension().and_then(|extension| extension.to_str()) {
                    Some("new" | "deleted") => fs::remove_dir_all(&folder)?,
                    Some("git") if folder.join(MARKER).exists() => {
                        settle_folder(&folder, known.contains(&folder))?;
                    }
                    _ => (),
                }
            }
        }
        // Those of a repository that nobody knows are kept as long as its folder is.
        self.objects.sweep(|kind, id| {
            let folder = self.folder(kind, id);
            known.contains(&folder) || folder.exists()
        })
    }
}

fn settle_folder(folder: &Path, known: bool) -> std::io::Result<()> {
    if known {
        fs::remove_file(folder.join(MARKER))
    } else {
        remove(folder)
    }
}

/// Removes a folder that may be gone already. Renamed first: file by file, the marker could be gone before the rest.
fn remove(folder: &Path) -> std::io::Result<()> {
    let doomed = folder.with_extension("deleted");
    match fs::rename(folder, &doomed) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => remove_all(&doomed),
    }
}

/// A push that is under way goes on writing for a moment, into folders that were emptied already.
fn remove_all(folder: &Path) -> std::io::Result<()> {
    for _ in 0..REMOVALS {
        match fs::remove_dir_all(folder) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound
                ) && folder.exists() =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
    fs::remove_dir_all(folder)
}
