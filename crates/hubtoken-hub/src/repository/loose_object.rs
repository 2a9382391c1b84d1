//! Streams a loose object, that is, a file stored as an object of its own and not in a pack.
//!
//! libgit2 would read it whole, or map it into memory. The format is simple: zlib, with a header of
//! `blob <length>` and a NUL byte.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};

use flate2::bufread::ZlibDecoder;
use git2::Oid;

use super::{OpenRepository, RepositoryError};

/// `blob `, at most twenty digits, and the NUL byte.
const MAX_HEADER_BYTES: usize = 32;

/// A blob that is being streamed.
pub(crate) struct LooseBlob(ZlibDecoder<BufReader<File>>);

impl OpenRepository {
    /// Opens a blob if it is a loose object.
    pub(crate) fn loose_blob(&self, oid: Oid) -> Result<Option<LooseBlob>, RepositoryError> {
        let name = oid.to_string();
        let path = self
            .git
            .path()
            .join("objects")
            .join(&name[..2])
            .join(&name[2..]);
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => Ok(Some(LooseBlob::new(file?)?)),
        }
    }
}

impl LooseBlob {
    fn new(file: File) -> io::Result<Self> {
        let mut decoder = ZlibDecoder::new(BufReader::with_capacity(64 << 10, file));
        let mut head = Vec::with_capacity(MAX_HEADER_BYTES);
        let mut byte = [0];
        while head.len() < MAX_HEADER_BYTES {
            decoder.read_exact(&mut byte)?;
            if byte[0] == 0 {
                break;
            }
            head.push(byte[0]);
        }
        if head.starts_with(b"blob ") {
            Ok(Self(decoder))
        } else {
            Err(io::Error::new(
                ErrorKind::InvalidData,
                "the object is not a blob",
            ))
        }
    }
}

impl Read for LooseBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}
