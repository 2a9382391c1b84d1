//! Fuzzing entry points for what clients of Xet upload; see `hub/fuzzing.rs`.

use std::io::{self, Read as _};

use hubtoken_core::repository::RepositoryType;
use tempfile::TempDir;
use xet_core_structures::merklehash::{ChunkHashList, compute_data_hash, xorb_hash};
use xet_core_structures::xorb_object::{CompressionScheme, serialize_chunk};

use super::{Content, MerkleHash, XetStore};

/// The chunks of the only xorb of a store.
const CHUNKS: [&[u8]; 3] = [b"one", b"two and a half", &[7; 500]];

/// A store with one xorb.
pub struct XetFolder {
    store: XetStore,
    xorb: MerkleHash,
    _folder: TempDir,
}

impl XetFolder {
    /// A new one.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub fn new() -> io::Result<Self> {
        let folder = TempDir::new()?;
        let store = XetStore::new(folder.path(), RepositoryType::Model, "a");
        let (packed, chunks) = packed()?;
        let xorb = xorb_hash(&chunks);
        let mut incoming = store.receive_xorb()?;
        incoming.write(&packed).map_err(io::Error::other)?;
        let verified = incoming.verify(&xorb).map_err(io::Error::other)?;
        store.keep_xorb(verified)?;
        Ok(Self {
            store,
            xorb,
            _folder: folder,
        })
    }

    /// Whether bytes are a xorb with a hash; `None` stands for that of the stored one.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub fn takes_xorb(&self, content: &[u8], hash: Option<[u8; 32]>) -> io::Result<bool> {
        let hash = hash.map_or(self.xorb, MerkleHash::from);
        let mut incoming = self.store.receive_xorb()?;
        Ok(incoming.write(content).is_ok() && incoming.verify(&hash).is_ok())
    }

    /// The length of the files of a shard that is taken, each of which can be read.
    ///
    /// # Errors
    ///
    /// A file that was taken and cannot be read.
    pub fn takes_shard(&self, content: &[u8]) -> io::Result<Option<u64>> {
        let Ok(shard) = self.store.verify_shard(content) else {
            return Ok(None);
        };
        let mut length = 0;
        for file in shard.files() {
            let mut data = Vec::new();
            Content::open(self.store.clone(), file.clone(), 0)?.read_to_end(&mut data)?;
            if data.len() as u64 != file.file_size() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            length += file.file_size();
        }
        Ok(Some(length))
    }
}

fn packed() -> io::Result<(Vec<u8>, ChunkHashList)> {
    let (mut packed, mut chunks) = (Vec::new(), ChunkHashList::new());
    for chunk in CHUNKS {
        serialize_chunk(chunk, &mut packed, CompressionScheme::LZ4).map_err(io::Error::other)?;
        chunks.push((compute_data_hash(chunk), chunk.len() as u64));
    }
    Ok((packed, chunks))
}
