//! Writing: blobs as they arrive, then one commit for all changes of a request.
//!
//! Blobs go into the object store before the lock is taken; as long as no commit names them they are invisible. The
//! commit itself reads the branch, builds on it and moves it under the repository's lock, and moves it only if it
//! still is where it was read: another program that writes to the folder is noticed, too.

use std::io::Write as _;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use git2::{ErrorCode, Index, IndexEntry, IndexTime, Oid, Signature, Time};
use time::OffsetDateTime;

use super::{Content, DEFAULT_BRANCH, GitFault, RepositoryPath};

/// Mode of an ordinary file.
const FILE_MODE: u32 = 0o100_644;

/// How long a reference may be in other hands before it is given up: two seconds.
const ATTEMPTS: u32 = 100;
const MOMENT: Duration = Duration::from_millis(20);

/// Who commits, and when.
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
    /// A file; a folder where there is no such file, since clients leave it to the Hub to know.
    Delete(RepositoryPath),
    DeleteFolder(RepositoryPath),
}

/// All that one commit needs.
#[derive(Clone, Debug)]
pub(crate) struct CommitRequest {
    pub summary: String,
    pub description: String,
    /// The commit that the client built on; if given, nothing may have happened since.
    pub parent: Option<String>,
    pub changes: Vec<Change>,
}

/// A file on its way into the object store.
pub(crate) struct BlobWriter<'content> {
    writer: git2::BlobWriter<'content>,
    folder: &'content Path,
    written: u64,
}

impl BlobWriter<'_> {
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), GitFault> {
        self.written += data.len() as u64;
        let written = self.writer.write_all(data);
        written.map_err(|error| GitFault::from(error).for_want_of_room(self.folder, self.written))
    }

    pub(crate) fn finish(self) -> Result<Oid, GitFault> {
        // It may want its length twice: as it was sent, and compressed beside it.
        let wanted = self.written.saturating_mul(2);
        let finished = self.writer.commit();
        finished.map_err(|error| GitFault::from(error).for_want_of_room(self.folder, wanted))
    }
}

impl Author {
    fn signature(&self) -> Result<Signature<'static>, GitFault> {
        let time = Time::new(self.when.unix_timestamp(), 0);
        Ok(Signature::new(&self.name, &self.email, &time)?)
    }
}

impl Content {
    /// Begins a file whose length is not known yet.
    pub(crate) fn blob_writer(&self) -> Result<BlobWriter<'_>, GitFault> {
        Ok(BlobWriter {
            writer: self.git.blob_writer(None)?,
            folder: self.git.path(),
            written: 0,
        })
    }

    /// Says early whether a branch can be committed to, before a long upload is read.
    pub(crate) fn check_branch(&self, revision: &str) -> Result<(), GitFault> {
        self.branch(revision).map(|_| ())
    }

    /// Commits all changes to a branch, or none.
    pub(crate) fn commit(
        &self,
        revision: &str,
        author: &Author,
        request: &CommitRequest,
    ) -> Result<Oid, GitFault> {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let (branch, head) = self.branch(revision)?;
        if let Some(parent) = &request.parent {
            let same =
                parent.len() >= 7 && head.to_string().starts_with(&parent.to_ascii_lowercase());
            if !same {
                return Err(GitFault::ParentChanged);
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
        let moved = patiently(|| {
            self.git
                .reference_matching(&branch, commit, true, head, &request.summary)
                .map(drop)
        });
        match moved {
            Ok(()) => Ok(commit),
            Err(error) if error.code() == ErrorCode::Modified => Err(GitFault::ParentChanged),
            Err(error) => Err(error.into()),
        }
    }

    fn apply(&self, head: Oid, changes: &[Change]) -> Result<Oid, GitFault> {
        let mut index = Index::new()?;
        index.read_tree(&self.tree(head)?)?;
        for change in changes {
            match change {
                Change::Put { path, blob } => {
                    make_way(&mut index, path)?;
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
                        return Err(GitFault::EntryNotFound {
                            path: path.as_str().to_owned(),
                            commit: head,
                        });
                    }
                }
            }
        }
        Ok(index.write_tree_to(&self.git)?)
    }

    /// The commit without a parent that a new repository begins with.
    pub(super) fn initial_commit(
        &self,
        author: &Author,
        files: &[(&str, Oid)],
    ) -> Result<Oid, GitFault> {
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

/// A push holds a reference for the moment in which it is moved; this waits for it.
pub(super) fn patiently<T>(
    mut attempt: impl FnMut() -> Result<T, git2::Error>,
) -> Result<T, git2::Error> {
    for _ in 0..ATTEMPTS {
        match attempt() {
            Err(error) if error.code() == ErrorCode::Locked => std::thread::sleep(MOMENT),
            other => return other,
        }
    }
    attempt()
}

/// A name is a file or a folder, not both: the new file replaces a folder of its name, and files where it needs folders.
/// The index would take both and write a tree that has the name twice.
fn make_way(index: &mut Index, path: &RepositoryPath) -> Result<(), GitFault> {
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
