//! Reads commits: lists of entries, single entries, and the content of files.

use std::ops::Range;
use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Tree, TreeEntry};

use super::lfs::{LargeFile, ObjectId, POINTER_LENGTHS, Pointer};
use super::{OpenRepository, RepositoryError, RepositoryPath};

/// How much of `.gitattributes` or `.gitignore` is read. Each pattern costs time, and real files
/// are smaller.
pub(super) const MAX_TEXT_BYTES: usize = 64 << 10;

/// A file or a folder in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub path: String,
    pub oid: Oid,
    /// `None` for a folder. For a pointer, the size of the LFS object.
    pub size: Option<u64>,
    /// The LFS pointer, if the file is one.
    pub lfs: Option<Pointer>,
}

impl Entry {
    pub(crate) fn is_file(&self) -> bool {
        self.size.is_some()
    }

    /// The size of the blob in git.
    pub(crate) fn blob_size(&self) -> u64 {
        match self.lfs {
            Some(pointer) => pointer.text_length,
            None => self.size.unwrap_or(0),
        }
    }
}

impl OpenRepository {
    pub(super) fn tree(&self, commit: Oid) -> Result<Tree<'_>, RepositoryError> {
        Ok(self.git.find_commit(commit)?.tree()?)
    }

    /// The entry at a path.
    pub(crate) fn entry(
        &self,
        commit: Oid,
        path: &RepositoryPath,
    ) -> Result<Entry, RepositoryError> {
        self.find_entry(commit, path)?
            .ok_or_else(|| RepositoryError::EntryNotFound {
                path: path.as_str().to_owned(),
                commit,
            })
    }

    /// The entry at a path, if it exists.
    pub(crate) fn find_entry(
        &self,
        commit: Oid,
        path: &RepositoryPath,
    ) -> Result<Option<Entry>, RepositoryError> {
        let entry = match self.tree(commit)?.get_path(Path::new(path.as_str())) {
            Ok(entry) => entry,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.describe(path.as_str().to_owned(), &entry)
    }

    /// The entries of a folder, or of the root. With `recursive`, also those of its subfolders.
    pub(crate) fn list(
        &self,
        commit: Oid,
        folder: Option<&RepositoryPath>,
        recursive: bool,
    ) -> Result<Vec<Entry>, RepositoryError> {
        let root = self.tree(commit)?;
        let mut entries = Vec::new();
        let Some(folder) = folder else {
            self.walk(&root, "", recursive, &mut entries)?;
            return Ok(entries);
        };
        let missing = || RepositoryError::EntryNotFound {
            path: folder.as_str().to_owned(),
            commit,
        };
        let entry = match root.get_path(Path::new(folder.as_str())) {
            Ok(entry) if entry.kind() == Some(ObjectType::Tree) => entry,
            Ok(_) => return Err(missing()),
            Err(error) if error.code() == ErrorCode::NotFound => return Err(missing()),
            Err(error) => return Err(error.into()),
        };
        let tree = self.git.find_tree(entry.id())?;
        self.walk(&tree, folder.as_str(), recursive, &mut entries)?;
        Ok(entries)
    }

    fn walk(
        &self,
        tree: &Tree<'_>,
        under: &str,
        recursive: bool,
        into: &mut Vec<Entry>,
    ) -> Result<(), RepositoryError> {
        for entry in tree {
            // The API never writes names that are not UTF-8, and JSON could not represent them.
            let Ok(name) = entry.name() else { continue };
            let path = if under.is_empty() {
                name.to_owned()
            } else {
                format!("{under}/{name}")
            };
            let Some(described) = self.describe(path, &entry)? else {
                continue;
            };
            let path = described.path.clone();
            let is_file = described.is_file();
            into.push(described);
            if recursive && !is_file {
                self.walk(&self.git.find_tree(entry.id())?, &path, true, into)?;
            }
        }
        Ok(())
    }

    fn describe(
        &self,
        path: String,
        entry: &TreeEntry<'_>,
    ) -> Result<Option<Entry>, RepositoryError> {
        match entry.kind() {
            Some(ObjectType::Tree) => Ok(Some(Entry {
                path,
                oid: entry.id(),
                size: None,
                lfs: None,
            })),
            Some(ObjectType::Blob) => {
                // The header is enough for the size, and the content may be large.
                let (size, _) = self.git.odb()?.read_header(entry.id())?;
                let lfs = if POINTER_LENGTHS.contains(&(size as u64)) {
                    Pointer::parse(self.git.find_blob(entry.id())?.content())
                } else {
                    None
                };
                Ok(Some(Entry {
                    path,
                    oid: entry.id(),
                    size: Some(lfs.map_or(size as u64, |pointer| pointer.size)),
                    lfs,
                }))
            }
            // A submodule has no content here.
            _ => Ok(None),
        }
    }

    /// Opens the LFS object of a pointer, if it was uploaded.
    pub(crate) fn lfs_object(
        &self,
        pointer: &Pointer,
    ) -> Result<Option<LargeFile>, RepositoryError> {
        Ok(self.objects.open(pointer)?)
    }

    /// The Xet hash of an LFS object, as text, if it came by Xet.
    pub(crate) fn xet_hash(&self, oid: ObjectId) -> Result<Option<String>, RepositoryError> {
        Ok(self.objects.xet_hash(oid)?)
    }

    /// The length of an LFS object, if it exists.
    pub(crate) fn lfs_object_size(&self, oid: ObjectId) -> Result<Option<u64>, RepositoryError> {
        Ok(self.objects.length(oid)?)
    }

    /// The text of one of git's own files in a commit's root, up to the maximum length, or `None`
    /// if it does not exist.
    pub(super) fn read_root_file(
        &self,
        commit: Oid,
        name: &str,
    ) -> Result<Option<String>, RepositoryError> {
        match self.find_entry(commit, &RepositoryPath::parse(name)?)? {
            Some(entry) if entry.is_file() && entry.lfs.is_none() => {
                let text = self.blob(entry.oid, 0..entry.blob_size().min(MAX_TEXT_BYTES as u64))?;
                Ok(Some(String::from_utf8_lossy(&text).into_owned()))
            }
            _ => Ok(None),
        }
    }

    /// A file's content, or a range of it. Only the range is copied, but libgit2 reads the whole
    /// file.
    pub(crate) fn blob(&self, oid: Oid, part: Range<u64>) -> Result<Vec<u8>, RepositoryError> {
        let blob = self.git.find_blob(oid)?;
        let index = |offset: u64| {
            usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(blob.size())
        };
        Ok(blob.content()[index(part.start)..index(part.end)].to_vec())
    }
}
