//! The large files of a repository that came by Xet: chunks, packed into *xorbs*, and for each file a
//! *reconstruction* that lists which chunks it consists of.
//!
//! ```text
//! xet/{models,datasets,spaces}/{repository's id}/
//!     xorbs/{aa}/{hash}     chunks, as the client packed and compressed them, and an index of them
//!     files/{aa}/{SHA-256}  the reconstruction of a file
//!     hashes/{aa}/{hash}    the SHA-256 of the file with this Xet hash
//!     chunks/{aa}/{hash}    which batch has the chunk, for deduplication
//!     batches/{id}          the xorbs that were uploaded together
//! xet/incoming/…            uploads in progress
//! ```
//!
//! Everything belongs to one repository, as LFS objects do. All names are content addresses, except
//! those of batches, so a file never changes. Formats and hashes are those of the library
//! `xet-core-structures`. Git stores the LFS pointer of such a file, with its SHA-256, so that it is
//! one file for clients of both kinds.

mod content;
mod dedup;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod garbage;
mod reconstruction;
mod shard;
mod xorb;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hubtoken_core::repository::RepositoryType;
use xet_core_structures::metadata_shard::file_structs::{FileDataSequenceHeader, MDBFileInfo};
use xet_core_structures::xorb_object::XorbObject;

pub(crate) use self::content::Content;
pub(crate) use self::error::XetError;
pub(crate) use self::reconstruction::{Fetch, Reconstruction, Term};
pub(crate) use xet_core_structures::merklehash::MerkleHash;

use super::durable;
use super::lfs::ObjectId;

/// The longest shard, in bytes; clients send another one after 64 MiB.
pub(crate) const MAX_SHARD_BYTES: usize = 64 << 20;

/// What came by Xet to one repository.
#[derive(Clone, Debug)]
pub(crate) struct XetStore {
    folder: PathBuf,
    incoming: PathBuf,
}

/// A stored xorb.
pub(crate) struct StoredXorb {
    pub file: File,
    pub object: XorbObject,
}

impl XetStore {
    pub(crate) fn new(root: &Path, kind: RepositoryType, id: &str) -> Self {
        Self {
            folder: root.join(kind.plural()).join(id),
            incoming: root.join("incoming"),
        }
    }

    fn path(&self, what: &str, name: &str) -> PathBuf {
        let prefix = name.get(..2).unwrap_or_default();
        self.folder.join(what).join(prefix).join(name)
    }

    fn xorb_path(&self, hash: &MerkleHash) -> PathBuf {
        self.path("xorbs", &hash.hex())
    }

    /// Opens a xorb and reads its index, if it exists.
    pub(crate) fn xorb(&self, hash: &MerkleHash) -> io::Result<Option<StoredXorb>> {
        let Some(mut file) = open(&self.xorb_path(hash))? else {
            return Ok(None);
        };
        let object =
            XorbObject::deserialize(&mut io::BufReader::new(&mut file)).map_err(damaged)?;
        Ok(Some(StoredXorb { file, object }))
    }

    /// The content of a xorb, if it exists, and its length.
    pub(crate) fn open_xorb(&self, hash: &MerkleHash) -> io::Result<Option<(File, u64)>> {
        let Some(file) = open(&self.xorb_path(hash))? else {
            return Ok(None);
        };
        let length = file.metadata()?.len();
        Ok(Some((file, length)))
    }

    /// The reconstruction of a file.
    pub(crate) fn file(&self, oid: ObjectId) -> io::Result<Option<MDBFileInfo>> {
        match fs::read(self.path("files", &oid.to_string())) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            content => MDBFileInfo::deserialize(&mut content?.as_slice()).map_err(damaged),
        }
    }

    /// The Xet hash of a file, as text, without reading what it consists of.
    pub(crate) fn hash_of(&self, oid: ObjectId) -> io::Result<Option<String>> {
        let Some(mut file) = open(&self.path("files", &oid.to_string()))? else {
            return Ok(None);
        };
        let header = FileDataSequenceHeader::deserialize(&mut file).map_err(damaged)?;
        Ok(Some(header.file_hash.hex()))
    }

    /// The file with a Xet hash.
    pub(crate) fn file_with_hash(&self, hash: &MerkleHash) -> io::Result<Option<MDBFileInfo>> {
        let oid = match fs::read_to_string(self.path("hashes", &hash.hex())) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => ObjectId::parse(text?.trim_end()).ok_or_else(|| damaged("a hash"))?,
        };
        self.file(oid)
    }

    /// The length of a file, if it exists. Its collection, if nothing refers to it, starts anew: who
    /// asks is about to refer to it.
    pub(crate) fn length(&self, oid: ObjectId) -> io::Result<Option<u64>> {
        let Some(file) = self.file(oid)? else {
            return Ok(None);
        };
        durable::touch(&self.path("files", &oid.to_string()))?;
        Ok(Some(file.file_size()))
    }

    /// Removes everything, along with the repository.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Opens a file if it exists.
fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

/// An error for stored data that is not what was stored.
fn damaged(reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("a stored file is damaged: {reason}"),
    )
}

#[cfg(test)]
mod tests;
