//! Fuzzing entry points for LFS pointers and links; see `hub/fuzzing.rs`.

use std::io;

use time::OffsetDateTime;

use super::signed_url::{Operation, SignedUrl};
use crate::registry::Repository;
use crate::repository::lfs::{ObjectId, Pointer};
use crate::seal::SealingKey;

/// The object that a pointer refers to, and its size. `None` for a regular file.
#[must_use]
pub fn pointer(content: &[u8]) -> Option<([u8; 32], u64)> {
    Pointer::parse(content).map(|pointer| (pointer.oid.0, pointer.size))
}

/// The text of a pointer.
#[must_use]
pub fn pointer_text(oid: [u8; 32], size: u64) -> String {
    Pointer::text(ObjectId(oid), size)
}

/// The links of one Hub.
pub struct Links(SealingKey);

impl Links {
    /// Uses a random key.
    ///
    /// # Errors
    ///
    /// If the key cannot be stored, or randomness is not available.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::TempDir::new()?;
        Ok(Self(SealingKey::open_or_create(folder.path())?))
    }

    /// A link to upload an object to a repository, created at Unix time 0.
    ///
    /// # Errors
    ///
    /// If randomness is not available.
    pub fn sign(&self, repository: &str, oid: [u8; 32], size: u64) -> io::Result<String> {
        let signed_url = SignedUrl {
            operation: Operation::Upload,
            oid: ObjectId(oid),
            size,
            token: Some([9; 32]),
        };
        let now = OffsetDateTime::UNIX_EPOCH;
        signed_url.sign(&self.0, &Repository::example(repository), now)
    }

    /// The size of the object that a link allows to upload at a given time, or `None` if it does
    /// not allow it.
    #[must_use]
    pub fn verify(&self, repository: &str, oid: [u8; 32], link: &str, seconds: u32) -> Option<u64> {
        let now = OffsetDateTime::from_unix_timestamp(seconds.into()).ok()?;
        let signed_url = SignedUrl::verify(
            &self.0,
            &Repository::example(repository),
            ObjectId(oid),
            link,
            now,
        )?;
        Some(signed_url.size)
    }
}
