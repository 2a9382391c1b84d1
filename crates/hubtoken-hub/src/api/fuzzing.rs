//! Entry points to the parsers of the API; see `fuzzing.rs`.

use axum::body::Bytes;
use tokio::sync::mpsc::channel;

use super::commit_body::{BodyChunk, BodyReader, read_commit_within};
use super::range::{RangeSpec, parse_range};
use crate::repository::fuzzing::with_repo;
use crate::repository::{self, RepositoryError};

/// A parsed commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The first line of its message.
    pub summary: String,
    /// The rest of it.
    pub description: String,
    /// The parent commit, if one is given.
    pub parent: Option<String>,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds or replaces a file, given its path and content.
    Put(String, Vec<u8>),
    /// Deletes a file.
    Delete(String),
    /// Deletes a folder.
    DeleteFolder(String),
}

/// Parses the body of a commit. Content longer than `max_bytes_in_memory` is streamed to disk; without
/// `is_whole` the body is cut off.
///
/// # Errors
///
/// Why it is not a valid commit.
pub fn commit(
    chunks: &[&[u8]],
    is_whole: bool,
    max_bytes_in_memory: usize,
) -> Result<Commit, String> {
    let (sender, receiver) = channel(chunks.len() + 1);
    let data = chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk));
    for chunk in data
        .map(BodyChunk::Data)
        .chain(is_whole.then_some(BodyChunk::End))
    {
        sender.try_send(chunk).map_err(|error| error.to_string())?;
    }
    drop(sender);
    with_repo(|repo| {
        let read = read_commit_within(BodyReader::new(receiver), repo, max_bytes_in_memory)?;
        let change = |change| {
            Ok(match change {
                repository::Change::Put { path, blob } => {
                    Change::Put(path.as_str().to_owned(), repo.blob(blob, 0..u64::MAX)?)
                }
                repository::Change::Delete(path) => Change::Delete(path.as_str().to_owned()),
                repository::Change::DeleteFolder(path) => {
                    Change::DeleteFolder(path.as_str().to_owned())
                }
            })
        };
        let changes = read.changes.into_iter().map(change);
        Ok(Commit {
            changes: changes.collect::<Result<_, RepositoryError>>()?,
            summary: read.summary,
            description: read.description,
            parent: read.parent,
        })
    })
}

/// The bytes of a file of this size that a `Range` header requests, the last one inclusive, and the
/// status of the response.
#[must_use]
pub fn byte_range(header: &str, size: u64) -> (u16, Option<(u64, u64)>) {
    match parse_range(Some(header), size) {
        RangeSpec::Whole => (200, None),
        RangeSpec::Range { first, last } => (206, Some((first, last))),
        RangeSpec::Unsatisfiable => (416, None),
    }
}
