//! Doors to the parsers of the API; see `hub/fuzzing.rs`.

use axum::body::Bytes;
use tokio::sync::mpsc::channel;

use super::content_range::{Part, part};
use super::ndjson::{BodyReader, Piece, read_commit_within};
use crate::repository::fuzzing::with_content;
use crate::repository::{self, GitFault};

/// A commit as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The first line of its message.
    pub summary: String,
    /// The rest of it.
    pub description: String,
    /// The commit that it builds on, if that is given.
    pub parent: Option<String>,
    /// What it changes, in order.
    pub changes: Vec<Change>,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file of this path and content.
    Put(String, Vec<u8>),
    /// A file that goes.
    Delete(String),
    /// A folder that goes.
    DeleteFolder(String),
}

/// Reads the body of a commit. A content that is longer than `longest` takes the short way to the disk; without
/// `is_whole` the body is cut off.
///
/// # Errors
///
/// Why it is no commit.
pub fn commit(pieces: &[&[u8]], is_whole: bool, longest: usize) -> Result<Commit, String> {
    let (sender, receiver) = channel(pieces.len() + 1);
    let data = pieces.iter().map(|piece| Bytes::copy_from_slice(piece));
    for piece in data.map(Piece::Data).chain(is_whole.then_some(Piece::End)) {
        sender.try_send(piece).map_err(|error| error.to_string())?;
    }
    drop(sender);
    with_content(|content| {
        let read = read_commit_within(BodyReader::new(receiver), content, longest)?;
        let change = |change| {
            Ok(match change {
                repository::Change::Put { path, blob } => {
                    Change::Put(path.as_str().to_owned(), content.blob(blob, 0..u64::MAX)?)
                }
                repository::Change::Delete(path) => Change::Delete(path.as_str().to_owned()),
                repository::Change::DeleteFolder(path) => {
                    Change::DeleteFolder(path.as_str().to_owned())
                }
            })
        };
        let changes = read.changes.into_iter().map(change);
        Ok(Commit {
            changes: changes.collect::<Result<_, GitFault>>()?,
            summary: read.summary,
            description: read.description,
            parent: read.parent,
        })
    })
}

/// Which bytes of a file of this size a `Range` header asks for, the last one included, and the status of the answer.
#[must_use]
pub fn byte_range(header: &str, size: u64) -> (u16, Option<(u64, u64)>) {
    match part(Some(header), size) {
        Part::Whole => (200, None),
        Part::Range { first, last } => (206, Some((first, last))),
        Part::Unsatisfiable => (416, None),
    }
}
