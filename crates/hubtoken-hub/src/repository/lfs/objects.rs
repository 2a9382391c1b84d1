//! Large files on the disk: received, checked, and there only when whole.
//!
//! ```text
//! lfs/{models,datasets,spaces}/{repository's id}/{aa}/{bb}/{SHA-256}
//! lfs/incoming/…                                         on their way
//! ```
//!
//! A file belongs to one repository: whoever may read one must not get at another's content by knowing its digest. It
//! is written aside and digested on the way; when it is what it was said to be and on the disk, it gets its name. Names
//! say what the content is, so a file is never changed, and two uploads of one cannot disturb each other.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::pointer::{ObjectId, Pointer};
use hubtoken_core::repository::RepositoryType;

/// Folders above a file, the data folder among them.
const DEPTH: usize = 6;

/// The large files of all repositories.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    root: PathBuf,
}

/// The large files of one repository.
#[derive(Clone, Debug)]
pub(crate) struct RepositoryObjects {
    folder: PathBuf,
    incoming: PathBuf,
}

/// A file that is being received.
pub(crate) struct Incoming {
    file: NamedTempFile,
    digest: Sha256,
    written: u64,
    folder: PathBuf,
    oid: ObjectId,
    size: u64,
}

/// Why a file was not taken.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It is longer or shorter than was said.
    Size,
    /// It is not what was said.
    Digest,
    Io(io::Error),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Objects {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            root: data.join("lfs"),
        }
    }

    pub(crate) fn of(&self, kind: RepositoryType, id: &str) -> RepositoryObjects {
        RepositoryObjects {
            folder: self.root.join(kind.plural()).join(id),
            incoming: self.root.join("incoming"),
        }
    }

    /// Removes what a killed Hub was receiving, and the files of repositories that are gone: `is_known` says of a kind
    /// and an id whether they are still there.
    pub(crate) fn sweep(&self, is_known: impl Fn(RepositoryType, &str) -> bool) -> io::Result<()> {
        for name in entries(&self.root.join("incoming"))? {
            fs::remove_file(self.root.join("incoming").join(name))?;
        }
        for kind in RepositoryType::ALL {
            let parent = self.root.join(kind.plural());
            for id in entries(&parent)? {
                if !is_known(kind, &id) {
                    fs::remove_dir_all(parent.join(id))?;
                }
            }
        }
        Ok(())
    }
}

impl RepositoryObjects {
    fn path(&self, oid: ObjectId) -> PathBuf {
        let name = oid.to_string();
        self.folder.join(&name[..2]).join(&name[2..4]).join(name)
    }

    /// How long an object is, if it is there.
    pub(crate) fn length(&self, oid: ObjectId) -> io::Result<Option<u64>> {
        match fs::metadata(self.path(oid)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            metadata => Ok(Some(metadata?.len())),
        }
    }

    /// The object that a pointer points to, if it is there.
    pub(crate) fn open(&self, pointer: &Pointer) -> io::Result<Option<File>> {
        match File::open(self.path(pointer.oid)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => {
                let file = file?;
                let is_whole = file.metadata()?.len() == pointer.size;
                Ok(is_whole.then_some(file))
            }
        }
    }

    /// Begins to receive an object.
    pub(crate) fn receive(&self, oid: ObjectId, size: u64) -> io::Result<Incoming> {
        make_folder(&self.incoming)?;
        Ok(Incoming {
            file: NamedTempFile::new_in(&self.incoming)?,
            digest: Sha256::new(),
            written: 0,
            folder: self.folder.clone(),
            oid,
            size,
        })
    }

    /// Removes all, with the repository.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl Incoming {
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), Unfit> {
        self.written += data.len() as u64;
        if self.written > self.size {
            return Err(Unfit::Size);
        }
        self.digest.update(data);
        Ok(self.file.write_all(data)?)
    }

    /// Checks the file and has it on the disk; it is there when [`Incoming::keep`] has been called as well.
    pub(crate) fn check(self) -> Result<Checked, Unfit> {
        if self.written != self.size {
            return Err(Unfit::Size);
        }
        if self.digest.finalize().as_slice() != self.oid.0 {
            return Err(Unfit::Digest);
        }
        self.file.as_file().sync_all()?;
        Ok(Checked {
            file: self.file,
            folder: self.folder,
            oid: self.oid,
        })
    }
}

/// A file that is what it was said to be.
pub(crate) struct Checked {
    file: NamedTempFile,
    folder: PathBuf,
    oid: ObjectId,
}

impl Checked {
    /// Gives it its name.
    pub(crate) fn keep(self) -> io::Result<()> {
        let name = self.oid.to_string();
        let folder = self.folder.join(&name[..2]).join(&name[2..4]);
        make_folder(&folder)?;
        self.file
            .persist(folder.join(&name))
            .map_err(|error| error.error)?;
        // The innermost first: what it holds, then that it is there itself; up to the data folder.
        for folder in folder.ancestors().take(DEPTH) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
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
    ) -> Result<(), Unfit> {
        let mut incoming = objects.receive(oid, size)?;
        incoming.write(data)?;
        Ok(incoming.check()?.keep()?)
    }

    #[test]
    fn only_what_was_announced_is_kept() {
        let data = tempfile::TempDir::new().unwrap();
        let all = Objects::new(data.path());
        let objects = all.of(RepositoryType::Model, "a");
        let oid = id_of(b"hello");
        assert!(matches!(
            received(&objects, oid, 4, b"hello"),
            Err(Unfit::Size)
        ));
        assert!(matches!(
            received(&objects, oid, 6, b"hello"),
            Err(Unfit::Size)
        ));
        assert!(matches!(
            received(&objects, oid, 5, b"hallo"),
            Err(Unfit::Digest)
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
