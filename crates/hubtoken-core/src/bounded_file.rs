//! Reads files that may hold a secret, with bounds on what is read.
//!
//! A path from an environment variable can point at a directory, a device or a 10 GB log. Reads are
//! therefore limited in size and go into a buffer that is zeroed afterwards, and error messages
//! never quote the content.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::sanitize::redacted_path;

/// The maximum size of a token file, in bytes: the same for all that read or write one.
pub const MAXIMUM_TOKEN_FILE: u64 = 64 * 1024;

/// Reads a text file of at most `limit` bytes; `None` if it does not exist.
///
/// # Errors
///
/// A message that names the path.
pub fn read_secret(path: &Path, limit: u64) -> Result<Option<Zeroizing<String>>, String> {
    let Some(bytes) = read_bytes(path, limit)? else {
        return Ok(None);
    };
    match into_utf8(bytes) {
        Some(text) => Ok(Some(text)),
        None => Err(format!("{} is not text (UTF-8)", redacted_path(path))),
    }
}

/// Converts bytes to text without copying; `None` if they are not UTF-8.
#[must_use]
pub fn into_utf8(mut bytes: Zeroizing<Vec<u8>>) -> Option<Zeroizing<String>> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

/// Reads a file of at most `limit` bytes; `None` if it does not exist.
///
/// # Errors
///
/// A message that names the path.
pub fn read_bytes(path: &Path, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    match open(path, limit) {
        Ok(opened) => Ok(opened.map(|opened| opened.bytes)),
        Err(problem) => Err(problem.to_string()),
    }
}

/// The content and the metadata of an opened file.
pub struct Opened {
    /// The content.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The metadata of the open file itself, even if its path has been replaced since.
    pub metadata: Metadata,
}

/// Why a file was not read. Every message names the path.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Whether the file exists cannot be determined: its folder is not searchable, or the path is
    /// longer than the system allows.
    #[error("{0}")]
    Hidden(String),
    /// The file exists but cannot be read.
    #[error("{0}")]
    Failed(String),
    /// It is not a regular file, or it is too large.
    #[error("{0}")]
    Unfit(String),
}

/// Opens and reads a file of at most `limit` bytes; `None` if it does not exist.
///
/// # Errors
///
/// [`Unreadable`].
pub fn open(path: &Path, limit: u64) -> Result<Option<Opened>, Unreadable> {
    let failed = |error: &io::Error| format!("{}: {}", redacted_path(path), io_error_text(error));
    match path.metadata() {
        // Checked before opening: opening a device may already have side effects.
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
    let file = match open_without_waiting(path) {
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
            redacted_path(path)
        )));
    }
    Ok(Some(Opened { bytes, metadata }))
}

/// Opens a plain file of any size.
///
/// # Errors
///
/// [`Unreadable`], also if it does not exist.
pub fn open_plain(path: &Path) -> Result<File, Unreadable> {
    let failed = |error: io::Error| {
        Unreadable::Failed(format!(
            "{} cannot be read: {}",
            redacted_path(path),
            io_error_text(&error)
        ))
    };
    fit(path, &path.metadata().map_err(failed)?, u64::MAX)?;
    let file = open_without_waiting(path).map_err(failed)?;
    fit(path, &file.metadata().map_err(failed)?, u64::MAX)?;
    Ok(file)
}

/// Opens a file. A FIFO that replaced it after its kind was checked does not block the caller.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NONBLOCK);
    options.open(path)
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
        redacted_path(path)
    )))
}

/// The flag that opens a FIFO without waiting for the other end.
#[cfg(unix)]
#[expect(
    clippy::cast_possible_wrap,
    reason = "the system's flags fit into its own type"
)]
pub(crate) const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// The kind of a file that is not a regular file.
#[derive(Debug, thiserror::Error)]
#[error("is {0}")]
struct Special(&'static str);

/// The maximum number of symbolic links to follow, the same as in Linux.
const MAXIMUM_LINKS: usize = 40;

/// The file that a path leads to, so that symbolic links are preserved when it is replaced, even if
/// the target does not exist yet.
///
/// # Errors
///
/// The links lead in a circle.
pub(crate) fn link_target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAXIMUM_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            // Not a link, or it does not exist.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// Checks that a path may be replaced or removed: it must be a regular file or not exist.
///
/// In containers, a configured path often points to a device such as `/dev/null`, which other
/// programs there need.
///
/// # Errors
///
/// An error for which [`is_special`] is true, naming the kind of file.
pub(crate) fn check_replaceable(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(metadata) => check_regular(&metadata),
        // Any other problem surfaces when the path is used.
        Err(_) => Ok(()),
    }
}

/// Checks that the metadata is that of a regular file.
///
/// # Errors
///
/// An error for which [`is_special`] is true, naming the kind of file.
pub(crate) fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::other(Special(kind(metadata))))
}

/// Whether an error reports that a path is not a regular file.
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

/// A short description of an operating system error.
pub(crate) fn io_error_text(error: &std::io::Error) -> String {
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
