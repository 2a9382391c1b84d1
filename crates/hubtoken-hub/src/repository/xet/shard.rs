//! Takes shards: which chunks the files of an upload consist of.
//!
//! A shard is taken when all of its xorbs are here, and everything that it says of them and of its
//! files is true: the hash of every range and file, and each file's SHA-256, for which its content is
//! read once. Otherwise nothing of it is kept.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Cursor, Read as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use xet_core_structures::merklehash::{ChunkHashList, MerkleHash, file_hash};
use xet_core_structures::metadata_shard::chunk_verification::range_hash_from_chunks;
use xet_core_structures::metadata_shard::file_structs::{
    FileDataSequenceHeader, FileMetadataExt, MDBFileInfo, MDBFileInfoView,
};
use xet_core_structures::metadata_shard::streaming_shard::{
    process_shard_file_info_section, process_shard_xorb_info_section,
};
use xet_core_structures::metadata_shard::xorb_structs::MDBXorbInfoView;
use xet_core_structures::metadata_shard::{MDBShardFileHeader, hash_is_global_dedup_eligible};
use xet_core_structures::xorb_object::XorbObject;

use super::content::Content;
use super::{XetError, XetStore};
use crate::repository::durable::Batch;
use crate::repository::lfs::ObjectId;

/// How many indexes of xorbs are held in memory.
const HELD_XORBS: usize = 64;
/// How much of a file is hashed at once.
const READ_BYTES: usize = 256 << 10;

/// A shard that was verified.
pub(crate) struct VerifiedShard {
    files: Vec<(ObjectId, MDBFileInfo)>,
    /// The xorbs that were uploaded with it.
    xorbs: BTreeSet<[u8; 32]>,
    /// The chunks that clients may ask about.
    chunks: BTreeSet<[u8; 32]>,
}

#[cfg(feature = "fuzzing")]
impl VerifiedShard {
    /// How its files are put together.
    pub(super) fn files(&self) -> impl Iterator<Item = &MDBFileInfo> {
        self.files.iter().map(|(_, file)| file)
    }
}

impl XetStore {
    /// Verifies a shard against what is stored.
    pub(crate) fn verify_shard(&self, content: &[u8]) -> Result<VerifiedShard, XetError> {
        let mut reader = Cursor::new(content);
        MDBShardFileHeader::deserialize(&mut reader)?;
        let (mut files, mut xorbs) = (Vec::new(), Vec::new());
        let limit = Some(content.len() as u64);
        let limit = process_shard_file_info_section(
            &mut reader,
            |file| {
                files.push(file);
                Ok(())
            },
            limit,
        )?;
        process_shard_xorb_info_section(
            &mut reader,
            |xorb| {
                xorbs.push(xorb);
                Ok(())
            },
            limit,
        )?;
        let mut verifier = Verifier {
            store: self,
            held: HashMap::new(),
            shard: VerifiedShard {
                files: Vec::with_capacity(files.len()),
                xorbs: BTreeSet::new(),
                chunks: BTreeSet::new(),
            },
        };
        for xorb in &xorbs {
            verifier.xorb(xorb)?;
        }
        for file in &files {
            verifier.file(file)?;
        }
        Ok(verifier.shard)
    }

    /// Keeps what a shard says; returns whether any file is new.
    pub(crate) fn keep_shard(&self, shard: &VerifiedShard) -> Result<bool, XetError> {
        let mut batch = Batch::new(&self.incoming)?;
        self.add_batch(&mut batch, &shard.xorbs, &shard.chunks)?;
        let mut is_new = false;
        for (oid, file) in &shard.files {
            let path = self.path("files", &oid.to_string());
            is_new |= !path.exists();
            let hash = file.metadata.file_hash.hex();
            batch.add(self.path("hashes", &hash), oid.to_string().as_bytes())?;
            let mut record = Vec::new();
            file.serialize(&mut record)?;
            // Last: with it, commits may refer to the file.
            batch.add(path, &record)?;
        }
        batch.persist()?;
        Ok(is_new)
    }
}

struct Verifier<'a> {
    store: &'a XetStore,
    held: HashMap<MerkleHash, Arc<XorbObject>>,
    shard: VerifiedShard,
}

impl Verifier<'_> {
    fn object(&mut self, hash: &MerkleHash) -> Result<Arc<XorbObject>, XetError> {
        if let Some(known) = self.held.get(hash) {
            return Ok(Arc::clone(known));
        }
        // Touched first, so that it is not collected while the shard is verified.
        if !self.store.has_xorb(hash)? {
            return Err(XetError::MissingXorb(*hash));
        }
        let xorb = self.store.xorb(hash)?.ok_or(XetError::MissingXorb(*hash))?;
        if self.held.len() >= HELD_XORBS {
            self.held.clear();
        }
        let object = Arc::new(xorb.object);
        self.held.insert(*hash, Arc::clone(&object));
        Ok(object)
    }

    /// Checks that a xorb has exactly the chunks that the shard lists.
    fn xorb(&mut self, xorb: &MDBXorbInfoView) -> Result<(), XetError> {
        let hash = xorb.xorb_hash();
        let object = self.object(&hash)?;
        if xorb.num_entries() != object.info.chunk_hashes.len() {
            return Err(XetError::rejected(
                "The shard lists other chunks than the xorb has",
            ));
        }
        for (index, stored) in object.info.chunk_hashes.iter().enumerate() {
            let listed = xorb.chunk(index);
            let length = u32::try_from(index)
                .ok()
                .and_then(|index| object.uncompressed_chunk_length(index).ok());
            if listed.chunk_hash != *stored || Some(listed.unpacked_segment_bytes) != length {
                return Err(XetError::rejected(
                    "The shard lists other chunks than the xorb has",
                ));
            }
            if listed.is_global_dedup_eligible() || hash_is_global_dedup_eligible(stored) {
                self.shard.chunks.insert(bytes(stored));
            }
        }
        self.shard.xorbs.insert(bytes(&hash));
        Ok(())
    }

    /// Checks that a file consists of chunks that are here, and has the hashes that the shard names.
    fn file(&mut self, file: &MDBFileInfoView) -> Result<(), XetError> {
        if !file.contains_verification() {
            return Err(XetError::rejected("The shard does not verify its ranges"));
        }
        let mut chunks = ChunkHashList::new();
        let mut segments = Vec::with_capacity(file.num_entries());
        for index in 0..file.num_entries() {
            let segment = file.entry(index);
            let object = self.object(&segment.xorb_hash)?;
            let range = object
                .chunk_hash_sizes(segment.chunk_index_start, segment.chunk_index_end)
                .ok()
                .filter(|range| !range.is_empty())
                .ok_or_else(|| {
                    XetError::rejected("The shard refers to chunks that are not there")
                })?;
            let hashes: Vec<MerkleHash> = range.iter().map(|(hash, _)| *hash).collect();
            let length: u64 = range.iter().map(|(_, length)| length).sum();
            if u64::from(segment.unpacked_segment_bytes) != length
                || file.verification(index).range_hash != range_hash_from_chunks(&hashes)
            {
                return Err(XetError::rejected(
                    "A range of chunks is not what the shard says",
                ));
            }
            if index == 0 {
                self.shard.chunks.extend(hashes.first().map(bytes));
            }
            chunks.extend(range);
            segments.push(segment);
        }
        if segments.is_empty() || file.file_hash() != file_hash(&chunks) {
            return Err(XetError::rejected(
                "A file does not have the hash that the shard names",
            ));
        }
        let count = u32::try_from(segments.len())
            .map_err(|_| XetError::rejected("A file has too many ranges"))?;
        let mut record = MDBFileInfo {
            metadata: FileDataSequenceHeader::new(file.file_hash(), count, false, true),
            segments,
            verification: Vec::new(),
            metadata_ext: None,
        };
        let oid = self.sha256(&record)?;
        // The library writes a SHA-256 as it writes its own hashes.
        let named = file.metadata_ext().map(|known| known.sha256.hex());
        if named.is_some_and(|named| named != oid.to_string()) {
            return Err(XetError::rejected(
                "A file does not have the SHA-256 that the shard names",
            ));
        }
        let sha256 = MerkleHash::from_hex(&oid.to_string())
            .map_err(|_| XetError::rejected("A SHA-256 cannot be written"))?;
        record.metadata_ext = Some(FileMetadataExt::new(sha256));
        self.shard.files.push((oid, record));
        Ok(())
    }

    fn sha256(&self, file: &MDBFileInfo) -> io::Result<ObjectId> {
        let mut content = Content::open(self.store.clone(), file.clone(), 0)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(ObjectId(digest.finalize().into())),
                read => digest.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
}

fn bytes(hash: &MerkleHash) -> [u8; 32] {
    (*hash).into()
}
