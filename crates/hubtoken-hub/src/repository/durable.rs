//! Writes files so that they survive a power failure, and appear only once they are complete.
//!
//! Their content is flushed before they get their names, and the folders afterwards, from the
//! innermost to the data folder. For many files, one flush of the whole file system is faster than one
//! for each.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// More files than this are flushed together.
const FLUSH_EACH: usize = 16;
/// The number of folders above a file, up to and including the data folder.
const DEPTH: usize = 6;

/// Files that are written, and not yet visible.
pub(in crate::repository) struct Batch {
    incoming: PathBuf,
    files: Vec<(NamedTempFile, PathBuf)>,
}

impl Batch {
    pub(in crate::repository) fn new(incoming: &Path) -> io::Result<Self> {
        make_folder(incoming)?;
        Ok(Self {
            incoming: incoming.to_owned(),
            files: Vec::new(),
        })
    }

    /// Writes a file that will be at `path`.
    pub(in crate::repository) fn add(&mut self, path: PathBuf, content: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(&self.incoming)?;
        file.write_all(content)?;
        self.files.push((file, path));
        Ok(())
    }

    /// Makes all files visible, in the order in which they were added.
    pub(in crate::repository) fn persist(self) -> io::Result<()> {
        let together = self.files.len() > FLUSH_EACH;
        if !(together && flush_file_system(&self.incoming)?) {
            for (file, _) in &self.files {
                file.as_file().sync_all()?;
            }
        }
        let mut folders = BTreeSet::new();
        for (file, path) in self.files {
            if let Some(folder) = path.parent() {
                make_folder(folder)?;
                folders.extend(folder.ancestors().take(DEPTH).map(Path::to_owned));
            }
            // A file of many thousands must not keep its descriptor open until the last.
            file.into_temp_path()
                .persist(&path)
                .map_err(|error| error.error)?;
        }
        if !(together && flush_file_system(&self.incoming)?) {
            // The innermost folders first.
            for folder in folders.iter().rev() {
                File::open(folder)?.sync_all()?;
            }
        }
        Ok(())
    }
}

/// Gives a complete, flushed file its name, and makes that durable.
pub(in crate::repository) fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    make_folder(folder)?;
    file.persist(path).map_err(|error| error.error)?;
    for folder in folder.ancestors().take(DEPTH) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Sets the time of the last change, which delays the collection of what nothing refers to. `false`
/// if there is no such file.
pub(in crate::repository) fn touch(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        file => {
            file?.set_modified(std::time::SystemTime::now())?;
            Ok(true)
        }
    }
}

pub(in crate::repository) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a file, if it is there.
pub(in crate::repository) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Flushes the whole file system. `false` where the system cannot.
fn flush_file_system(folder: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        rustix::fs::syncfs(File::open(folder)?)?;
        Ok(true)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        Ok(false)
    }
}
