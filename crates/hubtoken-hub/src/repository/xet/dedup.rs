//! Tells a client which chunks it need not send: those that the repository already has.
//!
//! The rule: what a client learns is about the repository that its token is for, and about no other,
//! so that a chunk in somebody else's repository cannot be proven by asking. Clients ask about few
//! chunks, and the answer lists all that were uploaded along with the one asked about.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime};

use hubtoken_core::hexadecimal;
use sha2::{Digest as _, Sha256};
use xet_core_structures::merklehash::MerkleHash;
use xet_core_structures::metadata_shard::shard_in_memory::MDBInMemoryShard;
use xet_core_structures::metadata_shard::streaming_shard::MDBMinimalShard;
use xet_core_structures::metadata_shard::xorb_structs::{
    MDBXorbInfo, XorbChunkSequenceEntry, XorbChunkSequenceHeader,
};

use super::{StoredXorb, XetStore, damaged};
use crate::repository::durable::Batch;

/// The most xorbs that an answer lists; the ones nearest to the chunk.
const MAX_XORBS: usize = 1024;
/// How long a client may use an answer: much shorter than xorbs are kept to which nothing refers.
const ANSWER_LIFETIME: Duration = Duration::from_hours(24);

impl XetStore {
    /// Records which chunks were uploaded together.
    pub(super) fn add_batch(
        &self,
        batch: &mut Batch,
        xorbs: &BTreeSet<[u8; 32]>,
        chunks: &BTreeSet<[u8; 32]>,
    ) -> io::Result<()> {
        if xorbs.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = xorbs
            .iter()
            .map(|hash| MerkleHash::from(*hash).hex())
            .collect();
        let text = names.join("\n");
        let id = hexadecimal::encode(&Sha256::digest(text.as_bytes())[..16]);
        batch.add(self.folder.join("batches").join(&id), text.as_bytes())?;
        for chunk in chunks {
            let path = self.path("chunks", &MerkleHash::from(*chunk).hex());
            if !path.exists() {
                batch.add(path, id.as_bytes())?;
            }
        }
        Ok(())
    }

    /// A shard that lists the chunks that were uploaded along with this one; `None` if the
    /// repository does not have it, or is not asked about it.
    pub(crate) fn chunks_beside(&self, chunk: &MerkleHash) -> io::Result<Option<Vec<u8>>> {
        let Some(id) = read(&self.path("chunks", &chunk.hex()))? else {
            return Ok(None);
        };
        let Some(names) = read(&self.folder.join("batches").join(id))? else {
            return Ok(None);
        };
        let mut shard = MDBInMemoryShard::default();
        let mut is_here = false;
        for name in names.lines().take(MAX_XORBS) {
            let hash = MerkleHash::from_hex(name).map_err(damaged)?;
            // What is named stays here until the client has used it.
            if !self.has_xorb(&hash)? {
                continue;
            }
            if let Some(xorb) = self.xorb(&hash)? {
                is_here |= xorb.object.info.chunk_hashes.contains(chunk);
                shard
                    .add_xorb_block(described(hash, &xorb)?)
                    .map_err(damaged)?;
            }
        }
        if !is_here {
            return Ok(None);
        }
        let content = shard.to_bytes().map_err(damaged)?;
        let shard = MDBMinimalShard::from_reader(&mut content.as_slice(), false, true);
        let now = SystemTime::now();
        let seconds = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let mut answer = Vec::with_capacity(content.len());
        shard
            .and_then(|shard| {
                shard.serialize_xorb_subset_with_expiry(
                    &mut answer,
                    Some(now + ANSWER_LIFETIME),
                    Some(seconds.as_secs()),
                    |_| true,
                )
            })
            .map_err(damaged)?;
        Ok(Some(answer))
    }
}

/// The chunks of a xorb, as shards list them.
fn described(hash: MerkleHash, xorb: &StoredXorb) -> io::Result<MDBXorbInfo> {
    let info = &xorb.object.info;
    let mut chunks = Vec::with_capacity(info.chunk_hashes.len());
    let mut start = 0;
    for (chunk, end) in info.chunk_hashes.iter().zip(&info.unpacked_chunk_offsets) {
        chunks.push(XorbChunkSequenceEntry::new(*chunk, end - start, start));
        start = *end;
    }
    let count = u32::try_from(chunks.len()).map_err(damaged)?;
    Ok(MDBXorbInfo {
        metadata: XorbChunkSequenceHeader::new(hash, count, start),
        chunks,
    })
}

fn read(path: &std::path::Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}
