//! A private folder of small records, for the processes of one machine: what is known of tokens, and
//! what they are used for.
//!
//! Each record is a file, created with mode 0600 and replaced atomically. Files are not flushed:
//! after a power failure one may be empty, which counts as missing. A disk that is full, read-only or
//! gone acts as an empty folder.
//!
//! A folder that others may write to, or that belongs to another user, is not used: anyone who can
//! write there could forge what hubtoken says about the user's own tokens.

mod usability;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bounded_file;
use crate::folder::{self, HomeUser};

/// A temporary file: being written, or left by a killed process.
pub const NEW: &str = ".new";

/// A folder of records.
pub struct RecordFolder {
    path: PathBuf,
    /// The ID of the user in whose home root works.
    user: Option<u32>,
}

impl RecordFolder {
    /// A folder, which is created on the first write.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, user: None }
    }

    /// The same folder in the home of a user: what root creates there belongs to that user, whose
    /// folders root believes.
    #[must_use]
    pub fn in_home_of(self, user: &HomeUser) -> Self {
        Self {
            user: user.id(),
            ..self
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ID of the user in whose home root works.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        self.user
    }

    /// Whether the folder exists and only this user may write to it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.path
            .metadata()
            .is_ok_and(|metadata| metadata.is_dir() && usability::is_private(&metadata, self.user))
    }

    /// Creates the folder, and `HF_HOME` above it if needed.
    ///
    /// # Errors
    ///
    /// Those of the operating system; [`io::ErrorKind::PermissionDenied`] for a folder that others
    /// may write to.
    pub fn make(&self) -> io::Result<()> {
        if self.is_private() {
            return Ok(());
        }
        let home = self.path.parent().and_then(Path::parent);
        folder::make_private(&self.path, home.unwrap_or(&self.path), self.user)?;
        // It may have existed with other permissions.
        if self.is_private() {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    /// A record's content, of at most `limit` bytes; `None` if there is none that can be believed.
    #[must_use]
    pub fn read(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        if !self.is_private() {
            return None;
        }
        let text = bounded_file::read_secret(&self.path.join(name), limit).ok()??;
        Some(text.as_bytes().to_vec())
    }

    /// Writes a record, in place of an earlier one.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.make()?;
        let path = self.path.join(name);
        bounded_file::check_replaceable(&path)?;
        let mut file = tempfile::Builder::new()
            .prefix("")
            .suffix(NEW)
            .tempfile_in(&self.path)?;
        folder::give(file.as_file(), &self.path, self.user);
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    }

    /// The records, by name.
    pub fn entries(&self) -> impl Iterator<Item = (String, PathBuf)> {
        self.is_private()
            .then(|| fs::read_dir(&self.path))
            .into_iter()
            .flatten()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
    }

    /// Removes the oldest files of each kind, which its suffix says, that exceeds its bound, down to
    /// three quarters of it.
    pub fn sweep(&self, bounds: &[(&str, usize)]) {
        let mut kinds: Vec<Vec<PathBuf>> = bounds.iter().map(|_| Vec::new()).collect();
        for (name, path) in self.entries() {
            let kind = bounds.iter().position(|(suffix, _)| name.ends_with(suffix));
            if let Some(files) = kind.and_then(|index| kinds.get_mut(index)) {
                files.push(path);
            }
        }
        for (files, (_, bound)) in kinds.into_iter().zip(bounds) {
            if files.len() <= *bound {
                continue;
            }
            let spare = files.len() - bound + bound / 4;
            let mut files: Vec<(SystemTime, PathBuf)> = files
                .into_iter()
                .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
                .collect();
            files.sort_unstable();
            for (_, path) in files.into_iter().take(spare) {
                let _ = fs::remove_file(path);
            }
        }
    }
}
