//! Receives xorbs. Every chunk is decompressed and hashed, and the xorb's hash follows from theirs,
//! before anything is kept.

use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write};

use tempfile::NamedTempFile;
use xet_core_structures::CoreError;
use xet_core_structures::merklehash::{ChunkHashList, MerkleHash, compute_data_hash, xorb_hash};
use xet_core_structures::xorb_object::constants::{
    MAX_CHUNK_SIZE, MAX_XORB_BYTES, MAX_XORB_CHUNKS,
};
use xet_core_structures::xorb_object::{
    XORB_CHUNK_HEADER_LENGTH, XorbObject, XorbObjectInfoV1, deserialize_chunk_header,
};

use super::{XetError, XetStore, durable};

/// What a xorb may have beside its chunks: their headers, and the index that some clients send.
const OVERHEAD_BYTES: u64 = 1 << 20;

/// An upload in progress.
pub(crate) struct IncomingXorb {
    file: NamedTempFile,
    written: u64,
}

/// A xorb whose content has the hash that was announced.
pub(crate) struct VerifiedXorb {
    file: NamedTempFile,
    hash: MerkleHash,
}

impl XetStore {
    /// The longest upload of a xorb, in bytes.
    pub(crate) fn max_xorb_bytes() -> u64 {
        *MAX_XORB_BYTES as u64 + OVERHEAD_BYTES
    }

    /// Starts receiving a xorb.
    pub(crate) fn receive_xorb(&self) -> io::Result<IncomingXorb> {
        durable::make_folder(&self.incoming)?;
        Ok(IncomingXorb {
            file: NamedTempFile::new_in(&self.incoming)?,
            written: 0,
        })
    }

    /// Whether the repository has a xorb. Its collection, if nothing refers to it, starts anew.
    pub(crate) fn has_xorb(&self, hash: &MerkleHash) -> io::Result<bool> {
        durable::touch(&self.xorb_path(hash))
    }

    /// Keeps a xorb; returns whether it is new.
    pub(crate) fn keep_xorb(&self, xorb: VerifiedXorb) -> io::Result<bool> {
        if self.has_xorb(&xorb.hash)? {
            return Ok(false);
        }
        durable::persist(xorb.file, &self.xorb_path(&xorb.hash))?;
        Ok(true)
    }
}

impl IncomingXorb {
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), XetError> {
        self.written += data.len() as u64;
        if self.written > XetStore::max_xorb_bytes() {
            return Err(XetError::rejected(format!(
                "A xorb has at most {} bytes",
                *MAX_XORB_BYTES
            )));
        }
        Ok(self.file.write_all(data)?)
    }

    /// Verifies the upload and syncs it to disk. It is visible only after [`XetStore::keep_xorb`].
    pub(crate) fn verify(mut self, hash: &MerkleHash) -> Result<VerifiedXorb, XetError> {
        self.file.seek(SeekFrom::Start(0))?;
        let info = read_chunks(&mut BufReader::new(self.file.as_file()), self.written)?;
        if info.xorb_hash != *hash {
            return Err(XetError::rejected(
                "The content of the xorb does not have the announced hash",
            ));
        }
        // An index that the client has sent is replaced with one that is known to be right.
        let length = info.chunk_boundary_offsets.last().copied();
        let length = u64::from(length.unwrap_or_default());
        self.file.as_file().set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        XorbObject::serialize_given_info(&mut self.file, info)?;
        self.file.flush()?;
        self.file.as_file().sync_all()?;
        Ok(VerifiedXorb {
            file: self.file,
            hash: *hash,
        })
    }
}

/// Reads the chunks of a xorb, which end where the data or an index begins.
fn read_chunks(
    reader: &mut BufReader<&std::fs::File>,
    length: u64,
) -> Result<XorbObjectInfoV1, XetError> {
    let mut info = XorbObjectInfoV1::default();
    let mut hashes = ChunkHashList::new();
    let (mut position, mut unpacked) = (0_u64, 0_u32);
    let (mut content, mut chunk) = (Vec::new(), Bounded::default());
    while position < length {
        let header = match deserialize_chunk_header(reader) {
            Err(CoreError::ChunkHeaderParse) => break,
            header => header?,
        };
        let compressed = header.get_compressed_length();
        if compressed as usize > *MAX_CHUNK_SIZE {
            return Err(XetError::rejected("A chunk is longer than its content"));
        }
        let step = XORB_CHUNK_HEADER_LENGTH as u64 + u64::from(compressed);
        if position + step > length {
            return Err(XetError::rejected("The data ends too early"));
        }
        let scheme = header.get_compression_scheme()?;
        content.resize(compressed as usize, 0);
        reader.read_exact(&mut content)?;
        chunk.clear();
        let mut rest = content.as_slice();
        // Nothing is read here that can fail for another reason than its content.
        let is_unpacked = scheme.decompress_from_reader(&mut rest, &mut chunk).is_ok();
        if chunk.is_exceeded {
            return Err(XetError::rejected("A chunk is too long when unpacked"));
        }
        if !is_unpacked {
            return Err(XetError::rejected("A chunk cannot be unpacked"));
        }
        if !rest.is_empty() {
            return Err(XetError::rejected("A chunk has bytes after its content"));
        }
        if chunk.data.len() as u64 != u64::from(header.get_uncompressed_length()) {
            return Err(XetError::rejected(
                "A chunk is longer or shorter than its header says",
            ));
        }
        if chunk.data.is_empty() {
            return Err(XetError::rejected("A chunk is empty"));
        }
        position += step;
        let packed = u32::try_from(position).map_err(|_| too_large())?;
        unpacked = u32::try_from(chunk.data.len())
            .ok()
            .and_then(|length| unpacked.checked_add(length))
            .filter(|length| *length as usize <= *MAX_XORB_BYTES)
            .ok_or_else(too_large)?;
        let hash = compute_data_hash(&chunk.data);
        hashes.push((hash, chunk.data.len() as u64));
        info.chunk_hashes.push(hash);
        info.chunk_boundary_offsets.push(packed);
        info.unpacked_chunk_offsets.push(unpacked);
        if hashes.len() > *MAX_XORB_CHUNKS {
            return Err(too_large());
        }
    }
    if hashes.is_empty() {
        return Err(XetError::rejected("The xorb has no chunks"));
    }
    info.xorb_hash = xorb_hash(&hashes);
    info.num_chunks = u32::try_from(hashes.len()).map_err(|_| too_large())?;
    info.fill_in_boundary_offsets();
    Ok(info)
}

fn too_large() -> XetError {
    XetError::rejected(format!(
        "A xorb has at most {} chunks and {} bytes when unpacked",
        *MAX_XORB_CHUNKS, *MAX_XORB_BYTES
    ))
}

/// The content of one chunk, which a few compressed bytes cannot make longer than a chunk.
#[derive(Default)]
struct Bounded {
    data: Vec<u8>,
    is_exceeded: bool,
}

impl Bounded {
    fn clear(&mut self) {
        self.data.clear();
    }
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.data.len() + data.len() > *MAX_CHUNK_SIZE {
            self.is_exceeded = true;
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.data.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
