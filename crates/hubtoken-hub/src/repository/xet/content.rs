//! Reads a file out of the chunks that it consists of.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Take};

use xet_core_structures::metadata_shard::file_structs::{FileDataSequenceEntry, MDBFileInfo};
use xet_core_structures::xorb_object::deserialize_chunk_to_writer;

use super::{XetStore, damaged};

/// A file, read from an offset to its end. Holds one chunk in memory.
pub(crate) struct Content {
    store: XetStore,
    segments: std::vec::IntoIter<FileDataSequenceEntry>,
    current: Option<Chunks>,
    chunk: Vec<u8>,
    /// How much of the chunk was read.
    position: usize,
}

/// The chunks of a segment that were not read yet.
struct Chunks {
    reader: BufReader<Take<File>>,
    left: u32,
}

impl Content {
    /// Reads a file from an offset, which is at most its length.
    pub(crate) fn open(store: XetStore, file: MDBFileInfo, offset: u64) -> io::Result<Self> {
        let mut content = Self {
            store,
            segments: file.segments.into_iter(),
            current: None,
            chunk: Vec::new(),
            position: 0,
        };
        let mut before = offset;
        while let Some(segment) = content.segments.as_slice().first() {
            let length = u64::from(segment.unpacked_segment_bytes);
            if before < length {
                content.enter(before)?;
                break;
            }
            before -= length;
            content.segments.next();
        }
        Ok(content)
    }

    /// Goes to an offset in the next segment.
    fn enter(&mut self, offset: u64) -> io::Result<()> {
        let Some(segment) = self.segments.next() else {
            return Ok(());
        };
        let xorb = self.store.xorb(&segment.xorb_hash)?;
        let xorb = xorb.ok_or_else(|| damaged("a xorb is missing"))?;
        let (mut first, end) = (segment.chunk_index_start, segment.chunk_index_end);
        let mut skipped = 0;
        while first < end {
            let length = xorb.object.uncompressed_chunk_length(first);
            let length = u64::from(length.map_err(damaged)?);
            if skipped + length > offset {
                break;
            }
            skipped += length;
            first += 1;
        }
        let (start, stop) = xorb.object.get_byte_offset(first, end).map_err(damaged)?;
        let mut file = xorb.file;
        file.seek(SeekFrom::Start(start.into()))?;
        self.current = Some(Chunks {
            reader: BufReader::new(file.take(u64::from(stop - start))),
            left: end - first,
        });
        if offset > skipped {
            self.next_chunk()?;
            self.position = usize::try_from(offset - skipped).map_err(damaged)?;
        }
        Ok(())
    }

    /// Reads the next chunk of the current segment; `false` if there is none.
    fn next_chunk(&mut self) -> io::Result<bool> {
        let Some(chunks) = self.current.as_mut().filter(|chunks| chunks.left > 0) else {
            return Ok(false);
        };
        self.chunk.clear();
        self.position = 0;
        deserialize_chunk_to_writer(&mut chunks.reader, &mut self.chunk).map_err(damaged)?;
        chunks.left -= 1;
        Ok(true)
    }
}

impl Read for Content {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let rest = self.chunk.get(self.position..).unwrap_or_default();
            if !rest.is_empty() || into.is_empty() {
                let length = rest.len().min(into.len());
                into[..length].copy_from_slice(&rest[..length]);
                self.position += length;
                return Ok(length);
            }
            if self.next_chunk()? {
                continue;
            }
            if self.segments.as_slice().is_empty() {
                return Ok(0);
            }
            self.enter(0)?;
        }
    }
}
