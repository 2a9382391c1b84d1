//! Writes blobs as they arrive, then one commit with all the changes of a request.
//!
//! Blobs are written to the object store before the lock is taken, and are invisible until a commit
//! refers to them. The commit reads the branch, builds on it and moves it under the repository's
//! lock. It moves the branch only if it still points where it was read, so writes by other programs
//! are detected too.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use git2::{ErrorCode, Index, IndexEntry, IndexTime, Oid, Signature, Time};
use time::OffsetDateTime;

use super::{DEFAULT_BRANCH, OpenRepository, RepositoryError, RepositoryPath};
use hubtoken_core::sync::lock_ignoring_poison;

/// The mode of a regular file.
const FILE_MODE: u32 = 0o100_644;

/// How long to wait for a locked reference before giving up: 100 attempts of 20 ms, two seconds.
const ATTEMPTS: u32 = 100;
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The author of a commit, and its time.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    pub name: String,
    pub email: String,
    pub when: OffsetDateTime,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put {
        path: RepositoryPath,
        blob: Oid,
    },
    /// Deletes a file, or a folder if no such file exists: clients leave it to the Hub to determine
    /// which it is.
    Delete(RepositoryPath),
    DeleteFolder(RepositoryPath),
}

/// The parameters of one commit.
#[derive(Clone, Debug)]
pub(crate) struct CommitRequest {
    pub summary: String,
    pub description: String,
    /// The commit that the client built on. If given, the branch must still point to it.
    pub parent: Option<String>,
    pub changes: Vec<Change>,
}

/// A file that is being written to the object store.
pub(crate) struct BlobWriter<'content> {
    writer: git2::BlobWriter<'content>,
    folder: &'content Path,
    written: u64,
}

impl BlobWriter<'_> {
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), RepositoryError> {
        self.written += data.len() as u64;
        let written = self.writer.write_all(data);
        written
            .map_err(|error| RepositoryError::from(error).map_disk_full(self.folder, self.written))
    }

    pub(crate) fn finish(self) -> Result<Oid, RepositoryError> {
        // Writing can need twice the length: the received content and the compressed copy exist
        // side by side.
        let wanted = self.written.saturating_mul(2);
        let finished = self.writer.commit();
        finished.map_err(|error| RepositoryError::from(error).map_disk_full(self.folder, wanted))
    }
}

impl Author {
    fn signature(&self) -> Result<Signature<'static>, RepositoryError> {
        let time = Time::new(self.when.unix_timestamp(), 0);
        Ok(Signature::new(&self.name, &self.email, &time)?)
    }
}

impl OpenRepository {
    /// Starts writing a file of unknown length.
    pub(crate) fn blob_writer(&self) -> Result<BlobWriter<'_>, RepositoryError> {
        Ok(BlobWriter {
            writer: self.git.blob_writer(None)?,
            folder: self.git.path(),
            written: 0,
        })
    }

    /// Checks that a branch can be committed to, before a long upload is read.
    pub(crate) fn check_branch(&self, revision: &str) -> Result<(), RepositoryError> {
        self.branch(revision).map(|_| ())
    }

    /// Applies all changes to a branch in one commit, or none of them.
    pub(crate) fn commit(
        &self,
        revision: &str,
        author: &Author,
        request: &CommitRequest,
    ) -> Result<Oid, RepositoryError> {
        let _guard = lock_ignoring_poison(&self.lock);
        let (branch, head) = self.branch(revision)?;
        if let Some(parent) = &request.parent {
            let same =
                parent.len() >= 7 && head.to_string().starts_with(&parent.to_ascii_lowercase());
            if !same {
                return Err(RepositoryError::ParentChanged);
            }
        }
        let parent = self.git.find_commit(head)?;
        let tree = self.apply(head, &request.changes)?;
        let signature = author.signature()?;
        let message = if request.description.is_empty() {
            request.summary.clone()
        } else {
            format!("{}\n\n{}", request.summary, request.description)
        };
        let tree = self.git.find_tree(tree)?;
        let commit = self
            .git
            .commit(None, &signature, &signature, &message, &tree, &[&parent])?;
        let moved = retry_while_locked(|| {
            self.git
                .reference_matching(&branch, commit, true, head, &request.summary)
                .map(drop)
        });
        match moved {
            Ok(()) => Ok(commit),
            Err(error) if error.code() == ErrorCode::Modified => {
                Err(RepositoryError::ParentChanged)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn apply(&self, head: Oid, changes: &[Change]) -> Result<Oid, RepositoryError> {
        let mut index = Index::new()?;
        index.read_tree(&self.tree(head)?)?;
        for change in changes {
            match change {
                Change::Put { path, blob } => {
                    remove_conflicts(&mut index, path)?;
                    index.add(&entry(path, *blob))?;
                }
                Change::Delete(path) | Change::DeleteFolder(path) => {
                    let name = Path::new(path.as_str());
                    let before = index.len();
                    let is_file =
                        matches!(change, Change::Delete(_)) && index.get_path(name, 0).is_some();
                    if is_file {
                        index.remove(name, 0)?;
                    } else {
                        index.remove_dir(name, 0)?;
                    }
                    if index.len() == before {
                        return Err(RepositoryError::EntryNotFound {
                            path: path.as_str().to_owned(),
                            commit: head,
                        });
                    }
                }
            }
        }
        Ok(index.write_tree_to(&self.git)?)
    }

    /// Creates the parentless first commit of a new repository.
    pub(super) fn initial_commit(
        &self,
        author: &Author,
        files: &[(&str, Oid)],
    ) -> Result<Oid, RepositoryError> {
        let mut index = Index::new()?;
        for (path, blob) in files {
            index.add(&entry(&RepositoryPath::parse(path)?, *blob))?;
        }
        let tree = self.git.find_tree(index.write_tree_to(&self.git)?)?;
        let signature = author.signature()?;
        let branch = format!("refs/heads/{DEFAULT_BRANCH}");
        Ok(self.git.commit(
            Some(&branch),
            &signature,
            &signature,
            "initial commit",
            &tree,
            &[],
        )?)
    }
}

/// Retries while a reference is locked, which a push does only briefly to move it.
pub(super) fn retry_while_locked<T>(
    mut operation: impl FnMut() -> Result<T, git2::Error>,
) -> Result<T, git2::Error> {
    for _ in 0..ATTEMPTS {
        match operation() {
            Err(error) if error.code() == ErrorCode::Locked => std::thread::sleep(RETRY_PAUSE),
            other => return other,
        }
    }
    operation()
}

/// A name is either a file or a folder: a new file replaces a folder of the same name, and any
/// files in place of the folders that it needs. Without this, the index would accept both and write
/// a tree with a duplicate name.
fn remove_conflicts(index: &mut Index, path: &RepositoryPath) -> Result<(), RepositoryError> {
    index.remove_dir(Path::new(path.as_str()), 0)?;
    for (end, _) in path.as_str().match_indices('/') {
        let folder = Path::new(&path.as_str()[..end]);
        if index.get_path(folder, 0).is_some() {
            index.remove(folder, 0)?;
        }
    }
    Ok(())
}

fn entry(path: &RepositoryPath, blob: Oid) -> IndexEntry {
    let never = IndexTime::new(0, 0);
    IndexEntry {
        ctime: never,
        mtime: never,
        dev: 0,
        ino: 0,
        mode: FILE_MODE,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: blob,
        flags: 0,
        flags_extended: 0,
        path: path.as_str().as_bytes().to_vec(),
    }
}
