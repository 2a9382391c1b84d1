//! Doors to pointers and links of large files; see `hub/fuzzing.rs`.

use std::io;

use time::OffsetDateTime;

use super::capability::{Grant, Key, Operation};
use crate::registry::Repository;
use crate::repository::lfs::{ObjectId, Pointer};

/// The object that a pointer points to, and its size; nothing if it is an ordinary file.
#[must_use]
pub fn pointer(content: &[u8]) -> Option<([u8; 32], u64)> {
    Pointer::parse(content).map(|pointer| (pointer.oid.0, pointer.size))
}

/// The text of a pointer.
#[must_use]
pub fn pointer_text(oid: [u8; 32], size: u64) -> String {
    Pointer::text(ObjectId(oid), size)
}

/// Links of one Hub.
pub struct Links(Key);

impl Links {
    /// With a key that nobody knows.
    ///
    /// # Errors
    ///
    /// If there is no room for the key, or no randomness.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::TempDir::new()?;
        Ok(Self(Key::open(folder.path())?))
    }

    /// A link to upload an object into a repository, made at the moment 0.
    ///
    /// # Errors
    ///
    /// If there is no randomness.
    pub fn sign(&self, repository: &str, oid: [u8; 32], size: u64) -> io::Result<String> {
        let grant = Grant {
            operation: Operation::Upload,
            oid: ObjectId(oid),
            size,
            token: Some([9; 32]),
        };
        let now = OffsetDateTime::UNIX_EPOCH;
        self.0.sign(&Repository::example(repository), &grant, now)
    }

    /// The size of the object that a link allows to upload at a moment; nothing if it allows nothing.
    #[must_use]
    pub fn verify(&self, repository: &str, oid: [u8; 32], link: &str, seconds: u32) -> Option<u64> {
        let now = OffsetDateTime::from_unix_timestamp(seconds.into()).ok()?;
        let grant = self
            .0
            .verify(&Repository::example(repository), ObjectId(oid), link, now)?;
        Some(grant.size)
    }
}
