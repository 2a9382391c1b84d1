//! Reading files that may hold a secret, or may be anything at all.
//!
//! A path in an environment variable can point at a directory, a device or a log of ten
//! gigabytes. What is read is bounded, kept in a buffer that is overwritten, and a problem is told
//! without a byte of the content.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::printable::printable_path;

/// Reads a text file of at most `limit` bytes; `None` when there is none.
///
/// # Errors
///
/// What is wrong, in words that name the path.
pub fn read_secret(path: &Path, limit: u64) -> Result<Option<Zeroizing<String>>, String> {
    let Some(bytes) = read_bytes(path, limit)? else {
        return Ok(None);
    };
    match text(bytes) {
        Some(text) => Ok(Some(text)),
        None => Err(format!("{} is not text (UTF-8)", printable_path(path))),
    }
}

/// Bytes as a text, without a copy; `None` when they are not UTF-8.
#[must_use]
pub fn text(mut bytes: Zeroizing<Vec<u8>>) -> Option<Zeroizing<String>> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

/// Reads a file of at most `limit` bytes; `None` when there is none.
///
/// # Errors
///
/// What is wrong, in words that name the path.
pub fn read_bytes(path: &Path, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    match open(path, limit) {
        Ok(opened) => Ok(opened.map(|opened| opened.bytes)),
        Err(problem) => Err(problem.to_string()),
    }
}

/// A file's content, and what the file that was opened says of itself.
pub struct Opened {
    /// The content.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The record of the open file, whatever its path leads to by now.
    pub metadata: Metadata,
}

/// Why a file was not read. As text, each names the path.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Whether there is a file cannot be seen: its folder may not be searched, or the path is
    /// longer than the system allows.
    #[error("{0}")]
    Hidden(String),
    /// There is something, and the system does not let it be read.
    #[error("{0}")]
    Failed(String),
    /// What is there is not a file, or too large.
    #[error("{0}")]
    Unfit(String),
}

/// Opens and reads a file of at most `limit` bytes; `None` when there is none.
///
/// # Errors
///
/// [`Unreadable`].
pub fn open(path: &Path, limit: u64) -> Result<Option<Opened>, Unreadable> {
    let failed = |error: &io::Error| format!("{}: {}", printable_path(path), describe(error));
    match path.metadata() {
        // Before it is opened: to open a device may already do something.
        Ok(metadata) => fit(path, &metadata, limit)?,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
                ErrorKind::PermissionDenied | ErrorKind::InvalidFilename => {
                    Err(Unreadable::Hidden(failed(&error)))
                }
                _ => Err(Unreadable::Failed(failed(&error))),
            };
        }
    }
    let mut options = OpenOptions::new();
    options.read(true);
    // A FIFO that has taken the file's place must not keep the caller waiting.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NONBLOCK);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unreadable::Failed(failed(&error))),
    };
    let read = |error: io::Error| Unreadable::Failed(failed(&error));
    let metadata = file.metadata().map_err(read)?;
    fit(path, &metadata, limit)?;
    // The size is known, so the buffer does not grow and leave copies behind.
    let capacity = usize::try_from(metadata.len()).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > limit {
        return Err(Unreadable::Unfit(format!(
            "{} is too large (more than {limit} bytes)",
            printable_path(path)
        )));
    }
    Ok(Some(Opened { bytes, metadata }))
}

fn fit(path: &Path, metadata: &Metadata, limit: u64) -> Result<(), Unreadable> {
    let problem = if metadata.is_dir() {
        "is a directory".to_owned()
    } else if !metadata.is_file() {
        "is not a plain file".to_owned()
    } else if metadata.len() > limit {
        format!(
            "has {} bytes, which is too large (at most {limit})",
            metadata.len()
        )
    } else {
        return Ok(());
    };
    Err(Unreadable::Unfit(format!(
        "{} {problem}",
        printable_path(path)
    )))
}

/// The flag that opens a FIFO without waiting for its other end.
#[cfg(unix)]
#[expect(
    clippy::cast_possible_wrap,
    reason = "the system's flags fit into its own type"
)]
pub(crate) const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// What is at a path and is not a regular file.
#[derive(Debug, thiserror::Error)]
#[error("is {0}")]
struct Special(&'static str);

/// Checks that a path may be replaced or removed: it leads to a regular file, or to nothing.
///
/// In containers a path that is named often leads to a device such as `/dev/null`, which all the
/// other programs there need.
///
/// # Errors
///
/// One that [`is_special`], which says what is there.
pub(crate) fn check_replaceable(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(metadata) => check_regular(&metadata),
        // What is wrong otherwise is found when it is used.
        Err(_) => Ok(()),
    }
}

/// Checks that what was looked at is a regular file.
///
/// # Errors
///
/// One that [`is_special`], which says what it is.
pub(crate) fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::other(Special(kind(metadata))))
}

/// Whether an error says that a path leads to something that is not a regular file.
pub(crate) fn is_special(error: &io::Error) -> bool {
    error.get_ref().is_some_and(
        <dyn std::error::Error + std::marker::Send + std::marker::Sync + 'static>::is::<Special>,
    )
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        return "a directory";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a FIFO";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "not a regular file"
}

/// A problem of the operating system in plain words.
pub(crate) fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::NotFound => "it is gone".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn anything_at_the_path_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read_secret(&path, 100).unwrap().is_none());
        assert!(
            read_secret(folder.path(), 100)
                .unwrap_err()
                .contains("is a directory")
        );
        std::fs::write(&path, b"hf_\xff").unwrap();
        assert!(read_secret(&path, 100).unwrap_err().contains("not text"));
        std::fs::write(&path, "hf_Fake").unwrap();
        assert_eq!(
            read_secret(&path, 100).unwrap().unwrap().as_str(),
            "hf_Fake"
        );
        std::fs::write(&path, vec![b'a'; 101]).unwrap();
        assert!(read_secret(&path, 100).unwrap_err().contains("too large"));
        assert!(read_secret(&path.join("below"), 100).unwrap().is_none());
    }
}
