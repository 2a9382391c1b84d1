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

mod commit;
mod fault;
mod history;
mod path;
mod revision;
mod tree;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use git2::RepositoryInitOptions;

use super::registry::{Repository, RepositoryType};

pub(crate) use self::commit::{Author, BlobWriter, Change, CommitRequest};
pub(crate) use self::fault::GitFault;
pub(crate) use self::path::RepositoryPath;
pub(crate) use self::revision::{DEFAULT_BRANCH, Reference};
pub(crate) use self::tree::Entry;

const MARKER: &str = "hubtoken-unsettled";

/// The file that every new repository on the Hub begins with.
const GITATTRIBUTES: &[u8] = include_bytes!("gitattributes");

/// All git repositories of one Hub.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    /// One lock a repository, so that a commit can read the branch, build on it and move it without another between.
    locks: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// One git repository, opened.
pub(crate) struct Content {
    git: git2::Repository,
    lock: Arc<Mutex<()>>,
}

impl Store {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            locks: Mutex::default(),
        }
    }

    fn folder(&self, kind: RepositoryType, id: &str) -> PathBuf {
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
        Self::build(&folder, author)
            .and_then(|()| Ok(fs::rename(&folder, self.folder(kind, id))?))
            .inspect_err(|_| {
                // The room that it took is wanted, most of all on a full disk. What cannot be removed goes at the start.
                let _ = fs::remove_dir_all(&folder);
            })
    }

    fn build(folder: &Path, author: &Author) -> Result<(), GitFault> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(MARKER), b"")?;
        let mut options = RepositoryInitOptions::new();
        options
            .bare(true)
            .initial_head(DEFAULT_BRANCH)
            .external_template(false);
        let git = git2::Repository::init_opts(folder, &options)?;
        // Without it libgit2 leaves objects in the page cache, and a commit that was answered could be lost.
        git.config()?.set_bool("core.fsyncObjectFiles", true)?;
        let content = Content {
            git,
            lock: Arc::default(),
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
        Ok(Content {
            git: git2::Repository::open_bare(&folder)?,
            lock,
        })
    }

    /// The lock of a repository. The first time in this process, git's own lock files are removed from its folder: a
    /// Hub that was killed left them there, no other can have made them since the data folder is ours, and with them
    /// nothing could be committed ever again.
    fn lock_or_begin(&self, id: &str, folder: &Path) -> std::io::Result<Arc<Mutex<()>>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(id) {
            return Ok(Arc::clone(lock));
        }
        remove_lock_files(folder, false)?;
        remove_lock_files(&folder.join("refs"), true)?;
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
        Ok(())
    }
}

fn remove_lock_files(folder: &Path, recursive: bool) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if recursive {
                remove_lock_files(&path, true)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "lock")
        {
            fs::remove_file(path)?;
        }
    }
    Ok(())
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::remove_dir_all(doomed),
    }
}
