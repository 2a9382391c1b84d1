//! Parses the body of a commit: newline-delimited JSON, one operation per line.
//!
//! A truncated body must never become a commit of its first half. The HTTP layer therefore marks
//! the end of a complete body, and a reader that does not see the mark reports an error instead of
//! an end.
//!
//! Lines are read by hand because a line may contain a whole file of any size, which
//! `tokio_util::codec::LinesCodec` and `serde_json` would hold in memory.

mod line;

use std::io::{BufRead, Error, ErrorKind, Read};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::Oid;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tokio::sync::mpsc::Receiver;

use self::line::{Line, MAX_BYTES_IN_MEMORY, malformed, read_line};
use crate::repository::lfs::{ObjectId, Pointer};
use crate::repository::{Change, CommitRequest, OpenRepository, RepositoryError, RepositoryPath};

/// The maximum number of operations in one commit; each takes memory until the commit is made.
const MAX_CHANGES: usize = 200_000;

/// A chunk of a request body, on its way from the network to a blocking thread.
pub(super) enum BodyChunk {
    Data(Bytes),
    End,
}

/// The receiving end, as a blocking reader.
pub(super) struct BodyReader {
    receiver: Receiver<BodyChunk>,
    current: Bytes,
    ended: bool,
}

#[derive(Deserialize)]
struct Operation {
    key: String,
    value: Fields,
}

/// The fields of an operation, each at most once. If a field is repeated, some parsers take the
/// first and some the last, and of two contents only one could already be in the object store.
struct Fields(serde_json::Map<String, serde_json::Value>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parent_commit: Option<String>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    content: String,
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct LargeFile {
    path: String,
    #[serde(default)]
    algo: Option<String>,
    oid: String,
    /// Absent when copying a file that the Hub already has.
    size: Option<u64>,
}

#[derive(Deserialize)]
struct Deleted {
    path: String,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueFields)
    }
}

struct UniqueFields;

impl<'de> Visitor<'de> for UniqueFields {
    type Value = Fields;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Fields, A::Error> {
        let mut fields = serde_json::Map::new();
        while let Some((name, value)) = access.next_entry()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a field is repeated"));
            }
        }
        Ok(Fields(fields))
    }
}

impl BodyReader {
    pub(super) fn new(receiver: Receiver<BodyChunk>) -> Self {
        Self {
            receiver,
            current: Bytes::new(),
            ended: false,
        }
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for BodyReader {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        while self.current.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(BodyChunk::Data(data)) => self.current = data,
                Some(BodyChunk::End) => self.ended = true,
                None => {
                    return Err(Error::new(
                        ErrorKind::UnexpectedEof,
                        "the request was cut off",
                    ));
                }
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.current.len());
        drop(self.current.split_to(amount));
    }
}

/// Parses the whole body; files go into the object store as they arrive.
pub(super) fn read_commit(
    input: impl BufRead,
    repo: &OpenRepository,
) -> Result<CommitRequest, RepositoryError> {
    read_commit_within(input, repo, MAX_BYTES_IN_MEMORY)
}

/// The same with a different limit for contents held in memory, which must not change the result.
pub(super) fn read_commit_within(
    mut input: impl BufRead,
    repo: &OpenRepository,
    max_bytes_in_memory: usize,
) -> Result<CommitRequest, RepositoryError> {
    let mut header: Option<Header> = None;
    let mut changes = Vec::new();
    while let Some(line) = read_line(&mut input, repo, max_bytes_in_memory)? {
        if line.json.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let operation: Operation =
            serde_json::from_slice(&line.json).map_err(|error| malformed(&no_content(&error)))?;
        if line.streamed.is_some() && operation.key != "file" {
            return Err(malformed("only a file has content"));
        }
        match operation.key.as_str() {
            "header" if header.is_some() => return Err(malformed("there are two headers")),
            "header" => header = Some(value(operation.value)?),
            "file" => changes.push(file_change(value(operation.value)?, &line, repo)?),
            "deletedFile" => {
                changes.push(Change::Delete(RepositoryPath::parse(
                    &value::<Deleted>(operation.value)?.path,
                )?));
            }
            "deletedFolder" => {
                let path = value::<Deleted>(operation.value)?.path;
                changes.push(Change::DeleteFolder(RepositoryPath::parse_folder(&path)?));
            }
            "lfsFile" => changes.push(lfs_change(&value(operation.value)?, repo)?),
            other => {
                let other: String = other.escape_debug().take(50).collect();
                return Err(malformed(&format!(
                    "`{other}` is not an operation that this Hub supports"
                )));
            }
        }
        if changes.len() > MAX_CHANGES {
            return Err(RepositoryError::TooLarge(
                "The commit has too many operations".to_owned(),
            ));
        }
    }
    let header = header.ok_or_else(|| malformed("there is no header"))?;
    if header.summary.trim().is_empty() {
        return Err(malformed("the header has no summary"));
    }
    Ok(CommitRequest {
        summary: header.summary,
        description: header.description.unwrap_or_default(),
        parent: header.parent_commit,
        changes,
    })
}

fn file_change(file: File, line: &Line, repo: &OpenRepository) -> Result<Change, RepositoryError> {
    let path = RepositoryPath::parse(&file.path)?;
    let encoding = file.encoding.as_deref().unwrap_or("utf-8");
    let blob = match (encoding, line.streamed) {
        ("base64", Some(blob)) => blob,
        ("base64", None) => write(
            &STANDARD
                .decode(file.content)
                .map_err(|_| malformed("its content is not base64"))?,
            repo,
        )?,
        ("utf-8", None) => write(file.content.as_bytes(), repo)?,
        ("utf-8", Some(_)) => return Err(malformed("a long content must be base64")),
        _ => return Err(malformed("its encoding is neither base64 nor utf-8")),
    };
    Ok(Change::Put { path, blob })
}

/// A file whose content was uploaded to LFS before; git stores a pointer to it.
fn lfs_change(file: &LargeFile, repo: &OpenRepository) -> Result<Change, RepositoryError> {
    let path = RepositoryPath::parse(&file.path)?;
    if file.algo.as_deref().is_some_and(|name| name != "sha256") {
        return Err(malformed("objects are identified by their SHA-256"));
    }
    let oid = ObjectId::parse(&file.oid)
        .ok_or_else(|| malformed("the object id is not a SHA-256 in hexadecimal"))?;
    let Some(length) = repo
        .lfs_object_size(oid)?
        .filter(|length| file.size.is_none_or(|size| size == *length))
    else {
        let size = file
            .size
            .map_or_else(String::new, |size| format!(" of {size} bytes"));
        return Err(RepositoryError::Rejected(format!(
            "The content of `{}` is not in LFS: upload object {oid}{size} first",
            path.as_str(),
        )));
    };
    let blob = write(Pointer::text(oid, length).as_bytes(), repo)?;
    Ok(Change::Put { path, blob })
}

fn write(data: &[u8], repo: &OpenRepository) -> Result<Oid, RepositoryError> {
    let mut writer = repo.blob_writer()?;
    writer.write(data)?;
    writer.finish()
}

fn value<T: for<'de> Deserialize<'de>>(fields: Fields) -> Result<T, RepositoryError> {
    serde_json::from_value(fields.0.into()).map_err(|error| malformed(&no_content(&error)))
}

/// The parser's message, without the part of the file that it may quote.
fn no_content(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            "a field is missing, repeated or has the wrong type".to_owned()
        }
        _ => format!("it is not JSON (column {})", error.column()),
    }
}

#[cfg(test)]
mod tests;
