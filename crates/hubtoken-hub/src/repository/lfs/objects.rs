//! Stores large files on disk. A file appears only once it is complete and verified.
//!
//! ```text
//! lfs/{models,datasets,spaces}/{repository's id}/{aa}/{bb}/{SHA-256}
//! lfs/incoming/…                                         uploads in progress
//! ```
//!
//! A file belongs to one repository, so that read access to one repository does not give access to
//! another's content by its digest. An upload is written to a temporary file and hashed on the way.
//! Once its size and digest match and it is synced to disk, it is renamed to its final name. Files
//! are content-addressed, so they never change, and two uploads of the same file cannot interfere
//! with each other.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use xet_core_structures::metadata_shard::file_structs::MDBFileInfo;

use super::pointer::{ObjectId, Pointer};
use crate::repository::durable;
use crate::repository::xet::{Content, XetStore};
use hubtoken_core::repository::RepositoryType;

/// The large files of all repositories.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    root: PathBuf,
    /// Those that came by Xet.
    xet: PathBuf,
}

/// The large files of one repository.
#[derive(Clone, Debug)]
pub(crate) struct RepositoryObjects {
    folder: PathBuf,
    incoming: PathBuf,
    xet: XetStore,
}

/// Where the content of a large file is.
pub(crate) enum LargeFile {
    /// In one file, as it came by LFS.
    Whole(File),
    /// In chunks, as it came by Xet.
    Chunks(Box<ChunkedFile>),
}

/// A large file that came by Xet.
pub(crate) struct ChunkedFile {
    store: XetStore,
    file: MDBFileInfo,
}

impl LargeFile {
    /// The Xet hash of the file, as text, if it came by Xet.
    pub(crate) fn xet_hash(&self) -> Option<String> {
        match self {
            Self::Whole(_) => None,
            Self::Chunks(chunked) => Some(chunked.file.metadata.file_hash.hex()),
        }
    }

    /// A reader from an offset on.
    pub(crate) fn read_from(self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Whole(mut file) => {
                file.seek(SeekFrom::Start(offset))?;
                Box::new(file)
            }
            Self::Chunks(chunked) => {
                let ChunkedFile { store, file } = *chunked;
                Box::new(Content::open(store, file, offset)?)
            }
        })
    }
}

/// An upload in progress.
pub(crate) struct Upload {
    file: NamedTempFile,
    digest: Sha256,
    written: u64,
    folder: PathBuf,
    oid: ObjectId,
    size: u64,
}

/// Why an upload was rejected.
#[derive(Debug)]
pub(crate) enum UploadError {
    /// Its size is not the announced one.
    WrongSize,
    /// Its digest is not the announced one.
    WrongDigest,
    Io(io::Error),
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Objects {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            root: data.join("lfs"),
            xet: data.join("xet"),
        }
    }

    pub(crate) fn of(&self, kind: RepositoryType, id: &str) -> RepositoryObjects {
        RepositoryObjects {
            folder: self.root.join(kind.plural()).join(id),
            incoming: self.root.join("incoming"),
            xet: XetStore::new(&self.xet, kind, id),
        }
    }

    /// Removes uploads that a killed Hub left unfinished, and the files of repositories that no
    /// longer exist. `is_known` returns whether the repository of a type and id exists.
    pub(crate) fn sweep(&self, is_known: impl Fn(RepositoryType, &str) -> bool) -> io::Result<()> {
        for root in [&self.root, &self.xet] {
            for name in entries(&root.join("incoming"))? {
                fs::remove_file(root.join("incoming").join(name))?;
            }
            for kind in RepositoryType::ALL {
                let parent = root.join(kind.plural());
                for id in entries(&parent)? {
                    if !is_known(kind, &id) {
                        fs::remove_dir_all(parent.join(id))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl RepositoryObjects {
    fn path(&self, oid: ObjectId) -> PathBuf {
        path_of(&self.folder, oid)
    }

    /// The length of an object, if it exists.
    pub(crate) fn length(&self, oid: ObjectId) -> io::Result<Option<u64>> {
        match fs::metadata(self.path(oid)) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.xet.length(oid),
            metadata => Ok(Some(metadata?.len())),
        }
    }

    /// Opens the object that a pointer refers to, if it exists and has the right size. Of one that
    /// came both ways, the chunks.
    pub(crate) fn open(&self, pointer: &Pointer) -> io::Result<Option<LargeFile>> {
        if let Some(file) = self.xet.file(pointer.oid)? {
            let is_whole = file.file_size() == pointer.size;
            let store = self.xet.clone();
            let chunked = Box::new(ChunkedFile { store, file });
            return Ok(is_whole.then_some(LargeFile::Chunks(chunked)));
        }
        match File::open(self.path(pointer.oid)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => {
                let file = file?;
                let is_whole = file.metadata()?.len() == pointer.size;
                Ok(is_whole.then_some(LargeFile::Whole(file)))
            }
        }
    }

    /// The Xet hash of an object, as text, if it came by Xet.
    pub(crate) fn xet_hash(&self, oid: ObjectId) -> io::Result<Option<String>> {
        self.xet.hash_of(oid)
    }

    /// What came by Xet.
    pub(crate) fn xet(&self) -> &XetStore {
        &self.xet
    }

    /// Starts receiving an object.
    pub(crate) fn receive(&self, oid: ObjectId, size: u64) -> io::Result<Upload> {
        durable::make_folder(&self.incoming)?;
        Ok(Upload {
            file: NamedTempFile::new_in(&self.incoming)?,
            digest: Sha256::new(),
            written: 0,
            folder: self.folder.clone(),
            oid,
            size,
        })
    }

    /// Removes all objects, along with the repository.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.xet.remove()?;
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl Upload {
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), UploadError> {
        self.written += data.len() as u64;
        if self.written > self.size {
            return Err(UploadError::WrongSize);
        }
        self.digest.update(data);
        Ok(self.file.write_all(data)?)
    }

    /// Verifies the upload and syncs it to disk. It becomes visible only after [`VerifiedUpload::keep`].
    pub(crate) fn verify(self) -> Result<VerifiedUpload, UploadError> {
        if self.written != self.size {
            return Err(UploadError::WrongSize);
        }
        if self.digest.finalize().as_slice() != self.oid.0 {
            return Err(UploadError::WrongDigest);
        }
        self.file.as_file().sync_all()?;
        Ok(VerifiedUpload {
            file: self.file,
            folder: self.folder,
            oid: self.oid,
        })
    }
}

/// A verified upload.
pub(crate) struct VerifiedUpload {
    file: NamedTempFile,
    folder: PathBuf,
    oid: ObjectId,
}

impl VerifiedUpload {
    /// Renames the file to its final name.
    pub(crate) fn persist(self) -> io::Result<()> {
        let path = path_of(&self.folder, self.oid);
        durable::persist(self.file, &path)
    }
}

/// Where an object is in its repository's folder.
fn path_of(folder: &Path, oid: ObjectId) -> PathBuf {
    let name = oid.to_string();
    folder.join(&name[..2]).join(&name[2..4]).join(name)
}

fn entries(folder: &Path) -> io::Result<HashSet<String>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(HashSet::new()),
        entries => entries?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(data: &[u8]) -> ObjectId {
        ObjectId(Sha256::digest(data).into())
    }

    fn received(
        objects: &RepositoryObjects,
        oid: ObjectId,
        size: u64,
        data: &[u8],
    ) -> Result<(), UploadError> {
        let mut incoming = objects.receive(oid, size)?;
        incoming.write(data)?;
        Ok(incoming.verify()?.persist()?)
    }

    #[test]
    fn only_what_was_announced_is_kept() {
        let data = tempfile::TempDir::new().unwrap();
        let all = Objects::new(data.path());
        let objects = all.of(RepositoryType::Model, "a");
        let oid = id_of(b"hello");
        assert!(matches!(
            received(&objects, oid, 4, b"hello"),
            Err(UploadError::WrongSize)
        ));
        assert!(matches!(
            received(&objects, oid, 6, b"hello"),
            Err(UploadError::WrongSize)
        ));
        assert!(matches!(
            received(&objects, oid, 5, b"hallo"),
            Err(UploadError::WrongDigest)
        ));
        assert_eq!(objects.length(oid).unwrap(), None);
        received(&objects, oid, 5, b"hello").unwrap();
        received(&objects, oid, 5, b"hello").unwrap();
        assert_eq!(objects.length(oid).unwrap(), Some(5));
        assert_eq!(
            all.of(RepositoryType::Model, "b").length(oid).unwrap(),
            None
        );
        assert_eq!(entries(&data.path().join("lfs/incoming")).unwrap().len(), 0);
    }

    #[test]
    fn a_sweep_leaves_what_belongs_to_somebody() {
        let data = tempfile::TempDir::new().unwrap();
        let all = Objects::new(data.path());
        let oid = id_of(b"x");
        for id in ["kept", "gone"] {
            received(&all.of(RepositoryType::Dataset, id), oid, 1, b"x").unwrap();
        }
        fs::write(data.path().join("lfs/incoming/left"), "x").unwrap();
        all.sweep(|kind, id| kind == RepositoryType::Dataset && id == "kept")
            .unwrap();
        assert_eq!(
            all.of(RepositoryType::Dataset, "kept").length(oid).unwrap(),
            Some(1)
        );
        assert_eq!(
            all.of(RepositoryType::Dataset, "gone").length(oid).unwrap(),
            None
        );
        assert!(!data.path().join("lfs/incoming/left").exists());
    }
}
