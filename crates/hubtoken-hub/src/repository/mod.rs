//! Stores the content of repositories as bare git repositories, one folder each, written through
//! libgit2.
//!
//! A folder is named by the repository's id, never by its name. The git ref is the only source of
//! truth for commits: a commit exists once its branch points to it, and the registry has no copy of
//! that. Creating and deleting a repository changes both the folder and the registry, and a crash
//! may occur between any two steps:
//!
//! - To create a repository, its folder is built as `{id}.new`, containing the marker
//!   `hubtoken-unsettled`, and renamed to `{id}.git`. Then its row is stored, and then the marker
//!   is removed.
//! - To delete a repository, the marker is added to its folder. Then its row is deleted, the folder
//!   is renamed to `{id}.deleted`, and it is removed file by file.
//!
//! At startup, [`Store::reconcile`] therefore removes every `.new` and `.deleted` folder. For a
//! marked `.git` folder, it removes the marker if there is a row, and the folder if there is none.
//! A folder with neither marker nor row is left alone: it means that an older database was
//! restored, and its data must not be lost. A row without a folder is damage that no crash can
//! cause. The row is kept, requests for its content return an error, and the repository can be
//! deleted.
//!
//! Everything here blocks, so callers run it on the runtime's blocking threads.
//!
//! libgit2 writes commits, and git receives pushes. Both take git's own lock on a reference and
//! move it only if it still points where it was read, so a commit through the API and a push cannot
//! undo each other. Neither reads a large object into memory: a loose object is inflated in chunks,
//! and a packed one is streamed from `git cat-file`.

mod commit;
mod crash_cleanup;
mod durable;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod garbage;
mod gitattributes;
mod gitignore;
mod history;
pub(super) mod lfs;
mod loose_object;
mod path;
mod pattern;
mod quoted;
mod revision;
mod tree;
pub(super) mod xet;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use git2::{ConfigLevel, RepositoryInitOptions};

use super::registry::{Repository, RepositoryType};
use hubtoken_core::sync::lock_ignoring_poison;

pub(crate) use self::commit::{Author, BlobWriter, Change, CommitRequest};
use self::lfs::{Objects, RepositoryObjects};

pub(crate) use self::error::RepositoryError;
pub(crate) use self::gitignore::Gitignore;
pub(crate) use self::loose_object::LooseBlob;
pub(crate) use self::path::RepositoryPath;
pub(crate) use self::revision::{DEFAULT_BRANCH, Reference, invalid_name_reason};
pub(crate) use self::tree::Entry;

const INCOMPLETE_MARKER: &str = "hubtoken-unsettled";
/// The libgit2 configuration file, beside the repository folders.
const SETTINGS: &str = "libgit2.config";
/// How many times to try to remove a folder that is still being written to.
const REMOVE_ATTEMPTS: u32 = 50;
const FSYNC: &str = "core.fsyncobjectfiles";

/// The default `.gitattributes`, which every new repository on the Hub contains.
const GITATTRIBUTES: &[u8] = include_bytes!("default.gitattributes");

/// All git repositories of one Hub.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    /// The large files, which are stored outside git.
    objects: Objects,
    /// One lock per repository, held while a commit reads the branch, builds on it and moves it.
    locks: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// An open git repository.
pub(crate) struct OpenRepository {
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

    /// Creates the folder with an initial commit. It stays marked until [`Store::mark_complete`].
    pub(crate) fn create(
        &self,
        kind: RepositoryType,
        id: &str,
        author: &Author,
    ) -> Result<(), RepositoryError> {
        let folder = self.folder(kind, id).with_extension("new");
        self.build(&folder, kind, id, author)
            .and_then(|()| Ok(fs::rename(&folder, self.folder(kind, id))?))
            .inspect_err(|_| {
                // Free the disk space, which matters most when the disk is full. Whatever cannot be
                // removed now is removed at the next start.
                let _ = fs::remove_dir_all(&folder);
            })
    }

    fn build(
        &self,
        folder: &Path,
        kind: RepositoryType,
        id: &str,
        author: &Author,
    ) -> Result<(), RepositoryError> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(INCOMPLETE_MARKER), b"")?;
        let mut options = RepositoryInitOptions::new();
        options
            .bare(true)
            .initial_head(DEFAULT_BRANCH)
            .external_template(false);
        let git = git2::Repository::init_opts(folder, &options)?;
        self.set_up(&git)?;
        let repo = OpenRepository {
            git,
            lock: Arc::default(),
            objects: self.objects.of(kind, id),
        };
        let blob = repo.git.blob(GITATTRIBUTES)?;
        repo.initial_commit(author, &[(".gitattributes", blob)])?;
        Ok(())
    }

    /// Removes the marker: the repository is now registered.
    pub(crate) fn mark_complete(
        &self,
        kind: RepositoryType,
        id: &str,
    ) -> Result<(), RepositoryError> {
        Ok(fs::remove_file(
            self.folder(kind, id).join(INCOMPLETE_MARKER),
        )?)
    }

    /// Adds the marker before the repository's row is deleted.
    pub(crate) fn mark_deleting(
        &self,
        kind: RepositoryType,
        id: &str,
    ) -> Result<(), RepositoryError> {
        match fs::write(self.folder(kind, id).join(INCOMPLETE_MARKER), b"") {
            // The folder is already missing, which is not a reason to keep the row.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => Ok(other?),
        }
    }

    /// Removes the folder, once no commit is in progress.
    pub(crate) fn delete(&self, kind: RepositoryType, id: &str) -> Result<(), RepositoryError> {
        let lock = self.lock(id);
        let _guard = lock_ignoring_poison(&lock);
        remove(&self.folder(kind, id))?;
        self.objects.of(kind, id).remove()?;
        lock_ignoring_poison(&self.locks).remove(id);
        Ok(())
    }

    pub(crate) fn open(&self, repository: &Repository) -> Result<OpenRepository, RepositoryError> {
        let folder = self.folder(repository.kind, &repository.id);
        if !folder.join("HEAD").is_file() {
            return Err(RepositoryError::ContentMissing);
        }
        let lock = self.lock_after_cleanup(&repository.id, &folder)?;
        let git = git2::Repository::open_bare(&folder)?;
        self.set_up(&git)?;
        Ok(OpenRepository {
            git,
            lock,
            objects: self.lfs(repository),
        })
    }

    /// The large files of a repository.
    pub(crate) fn lfs(&self, repository: &Repository) -> RepositoryObjects {
        self.objects.of(repository.kind, &repository.id)
    }

    /// Without `core.fsyncObjectFiles`, libgit2 leaves objects in the page cache, and an
    /// acknowledged commit could be lost. The setting is in a file that only libgit2 reads, because
    /// git uses a different setting and warns about this one.
    fn set_up(&self, git: &git2::Repository) -> Result<(), RepositoryError> {
        Ok(git
            .config()?
            .add_file(&self.root.join(SETTINGS), ConfigLevel::App, false)?)
    }

    /// Returns a repository's lock. The first call in this process also removes what an interrupted
    /// git operation left behind, because a stale lock file would block all further commits. Only a
    /// killed Hub can have left it, since the data folder belongs to this process.
    fn lock_after_cleanup(
        &self,
        id: &str,
        folder: &Path,
    ) -> Result<Arc<Mutex<()>>, RepositoryError> {
        let mut locks = lock_ignoring_poison(&self.locks);
        if let Some(lock) = locks.get(id) {
            return Ok(Arc::clone(lock));
        }
        crash_cleanup::remove_leftovers(folder)?;
        // Older versions stored the setting here.
        let config = git2::Repository::open_bare(folder)?.config()?;
        match config.open_level(ConfigLevel::Local)?.remove(FSYNC) {
            Err(error) if error.code() != git2::ErrorCode::NotFound => return Err(error.into()),
            _ => (),
        }
        Ok(Arc::clone(locks.entry(id.to_owned()).or_default()))
    }

    fn lock(&self, id: &str) -> Arc<Mutex<()>> {
        let mut locks = lock_ignoring_poison(&self.locks);
        Arc::clone(locks.entry(id.to_owned()).or_default())
    }

    /// Makes folders and registry consistent after a crash; see the module documentation.
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
                    Some("git") if folder.join(INCOMPLETE_MARKER).exists() => {
                        complete_or_remove(&folder, known.contains(&folder))?;
                    }
                    _ => (),
                }
            }
        }
        // The large files of an unregistered repository are kept for as long as its folder is.
        self.objects.sweep(|kind, id| {
            let folder = self.folder(kind, id);
            known.contains(&folder) || folder.exists()
        })
    }
}

fn complete_or_remove(folder: &Path, known: bool) -> std::io::Result<()> {
    if known {
        fs::remove_file(folder.join(INCOMPLETE_MARKER))
    } else {
        remove(folder)
    }
}

/// Removes a folder if it exists. It is renamed first; otherwise, the marker could be deleted
/// before the rest.
fn remove(folder: &Path) -> std::io::Result<()> {
    let renamed = folder.with_extension("deleted");
    match fs::rename(folder, &renamed) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => remove_all(&renamed),
    }
}

/// Removes a folder, and retries because a push in progress may still write to folders that were
/// already emptied.
fn remove_all(folder: &Path) -> std::io::Result<()> {
    for _ in 0..REMOVE_ATTEMPTS {
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
