//! Says which chunks a part of a file consists of, and where they are in their xorbs.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use xet_core_structures::merklehash::MerkleHash;
use xet_core_structures::metadata_shard::file_structs::{FileDataSequenceEntry, MDBFileInfo};
use xet_core_structures::xorb_object::XorbObject;

use super::{XetStore, damaged};

/// A run of chunks of one xorb, as a part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub xorb: MerkleHash,
    pub chunks: Range<u32>,
    /// How long its content is, in bytes.
    pub unpacked_length: u32,
}

/// A run of chunks to be fetched from one xorb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub chunks: Range<u32>,
    /// Where they are in the xorb.
    pub bytes: Range<u32>,
}

/// How to put a part of a file together.
#[derive(Debug, Default)]
pub(crate) struct Reconstruction {
    /// How much of the first term comes before the part.
    pub offset: u64,
    pub terms: Vec<Term>,
    /// What to fetch, by xorb. No two runs of a xorb touch.
    pub fetches: BTreeMap<MerkleHash, Vec<Fetch>>,
}

impl XetStore {
    /// How to put a part of a file together, which is not empty and in the file.
    pub(crate) fn reconstruction(
        &self,
        file: &MDBFileInfo,
        part: Range<u64>,
    ) -> io::Result<Reconstruction> {
        let mut found = Reconstruction::default();
        // Consecutive segments are often of one xorb.
        let mut last: Option<(MerkleHash, XorbObject)> = None;
        let mut position = 0_u64;
        for segment in &file.segments {
            let end = position + u64::from(segment.unpacked_segment_bytes);
            let overlap = part.start.max(position)..part.end.min(end);
            if overlap.start < overlap.end {
                let object = match last.take() {
                    Some((hash, object)) if hash == segment.xorb_hash => object,
                    _ => {
                        let xorb = self.xorb(&segment.xorb_hash)?;
                        xorb.ok_or_else(|| damaged("a xorb is missing"))?.object
                    }
                };
                let inside = overlap.start - position..overlap.end - position;
                let (term, before) = trim(segment, &object, &inside)?;
                if found.terms.is_empty() {
                    found.offset = before;
                }
                let (start, stop) = object
                    .get_byte_offset(term.chunks.start, term.chunks.end)
                    .map_err(damaged)?;
                found.fetches.entry(term.xorb).or_default().push(Fetch {
                    chunks: term.chunks.clone(),
                    bytes: start..stop,
                });
                found.terms.push(term);
                last = Some((segment.xorb_hash, object));
            }
            position = end;
            if position >= part.end {
                break;
            }
        }
        for fetches in found.fetches.values_mut() {
            merge(fetches);
        }
        Ok(found)
    }
}

/// The chunks of a segment that a part of it needs, and how much of the first one comes before that
/// part.
fn trim(
    segment: &FileDataSequenceEntry,
    object: &XorbObject,
    inside: &Range<u64>,
) -> io::Result<(Term, u64)> {
    let (mut position, mut before) = (0_u64, 0_u64);
    let mut chunks = segment.chunk_index_end..segment.chunk_index_end;
    for chunk in segment.chunk_index_start..segment.chunk_index_end {
        let length = object.uncompressed_chunk_length(chunk).map_err(damaged)?;
        let end = position + u64::from(length);
        if end > inside.start && chunks.start == segment.chunk_index_end {
            chunks.start = chunk;
            before = inside.start - position;
        }
        position = end;
        if end >= inside.end {
            chunks.end = chunk + 1;
            break;
        }
    }
    let unpacked_length = object
        .uncompressed_range_length(chunks.start, chunks.end)
        .map_err(damaged)?;
    let term = Term {
        xorb: segment.xorb_hash,
        chunks,
        unpacked_length,
    };
    Ok((term, before))
}

/// Joins runs that touch, in the xorb as among its chunks.
fn merge(fetches: &mut Vec<Fetch>) {
    fetches.sort_unstable_by_key(|fetch| fetch.chunks.start);
    fetches.dedup_by(|next, last| {
        let touches = next.chunks.start <= last.chunks.end;
        if touches {
            last.chunks.end = last.chunks.end.max(next.chunks.end);
            last.bytes.end = last.bytes.end.max(next.bytes.end);
        }
        touches
    });
}
