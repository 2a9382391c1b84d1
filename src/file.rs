//! Reading files that may hold a secret, or may be anything at all.
//!
//! A path in an environment variable can point at a directory, a device or a log of ten
//! gigabytes. What is read is bounded, kept in a buffer that is overwritten, and a problem is told
//! without a byte of the content.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

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
        None => Err(format!("{} is not text (UTF-8)", path.display())),
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
    let shown = path.display();
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(format!("{shown}: {}", describe(&error))),
    };
    if metadata.is_dir() {
        return Err(format!("{shown} is a directory"));
    }
    if !metadata.is_file() {
        return Err(format!("{shown} is not a plain file"));
    }
    if metadata.len() > limit {
        return Err(format!(
            "{shown} has {} bytes, which is too large (at most {limit})",
            metadata.len()
        ));
    }
    let too_large = || format!("{shown} is too large (more than {limit} bytes)");
    // The size is known, so the buffer does not grow and leave copies behind.
    let capacity = usize::try_from(metadata.len()).map_err(|_| too_large())? + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("{shown}: {}", describe(&error)))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(Some(bytes))
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
