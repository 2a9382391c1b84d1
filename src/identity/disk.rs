//! The shared cache in a folder, for the processes of one machine.
//!
//! One small file for each thing that is known of a token, named by digests, 0600 from the first
//! byte and replaced as a whole. It is not flushed to the disk: after a power cut there may be a
//! file of nothing, which is a cache without that entry. A disk that is full, read-only or gone
//! is a cache that is empty.
//!
//! The lock is a lock of the operating system on a file of its own, which a process that dies
//! gives back whether it wants to or not. The holder removes the file when it is done; somebody
//! who had it open meanwhile then holds a lock that nobody sees. That costs one more request at
//! the worst, and keeps a server that meets a million tokens from leaving a million files.

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::shared::{Claim, Kind, MAXIMUM_SIZE, Place, SharedCache};
use crate::file;

/// How many files of each sort there may be. Rejections have their own small bound, so that a
/// stream of made-up tokens evicts other rejections only.
const BOUNDS: [(&str, usize); 5] = [
    (".json", 512),
    (".rejected", 64),
    (".limit", 64),
    (LOCK, 512),
    (NEW, 64),
];
const LOCK: &str = ".lock";
/// A file that is being written, or was when its process was killed.
const NEW: &str = ".new";

/// A folder of identities.
pub struct DiskCache {
    folder: PathBuf,
}

/// A lock that is held.
struct Guard {
    file: File,
    path: PathBuf,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // While it is held: nobody else's is removed.
        let _ = fs::remove_file(&self.path);
        // Said aloud: a forked child has the file open as well, and would keep the lock.
        let _ = self.file.unlock();
    }
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Identity => ".json",
            Self::Rejection => ".rejected",
            Self::Limit => ".limit",
        }
    }
}

impl DiskCache {
    /// A cache in a folder, which is made when something is first kept.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, place: &Place, suffix: &str) -> PathBuf {
        self.folder
            .join(format!("{}-{}{suffix}", place.token, place.hub))
    }

    /// Makes the folder. It and the one around it are ours; those above are made as others do.
    fn make_folder(&self) -> std::io::Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        if let Some(home) = self.folder.parent().and_then(Path::parent) {
            builder.create(home)?;
        }
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)
    }

    fn replace(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
        self.make_folder()?;
        let mut file = tempfile::Builder::new()
            .prefix("")
            .suffix(NEW)
            .tempfile_in(&self.folder)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = (String, PathBuf)> {
        fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
    }

    /// Removes the oldest quarter of a sort of which there are too many.
    fn sweep(&self) {
        let mut sorts = BOUNDS.map(|_| Vec::new());
        for (name, path) in self.entries() {
            let sort = BOUNDS.iter().position(|(suffix, _)| name.ends_with(suffix));
            if let Some(files) = sort.and_then(|index| sorts.get_mut(index)) {
                files.push(path);
            }
        }
        for (files, (_, bound)) in sorts.into_iter().zip(BOUNDS) {
            if files.len() <= bound {
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

impl SharedCache for DiskCache {
    fn get(&self, place: &Place, kind: Kind) -> Option<Vec<u8>> {
        let text = file::read_secret(&self.path(place, kind.suffix()), MAXIMUM_SIZE).ok()??;
        Some(text.as_bytes().to_vec())
    }

    fn put(&self, place: &Place, kind: Kind, content: &[u8]) {
        if self
            .replace(&self.path(place, kind.suffix()), content)
            .is_ok()
        {
            self.sweep();
        }
    }

    fn remove(&self, place: &Place, kind: Kind) {
        let _ = fs::remove_file(self.path(place, kind.suffix()));
    }

    fn forget(&self, token: Option<&str>, hub: Option<&str>) {
        for (name, path) in self.entries() {
            let Some((known_token, rest)) = name.split_once('-') else {
                continue;
            };
            let Some((known_hub, suffix)) = rest.split_once('.') else {
                continue;
            };
            if suffix != &LOCK[1..]
                && token.is_none_or(|token| token == known_token)
                && hub.is_none_or(|hub| hub == known_hub)
            {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn try_lock(&self, place: &Place) -> Claim {
        let path = self.path(place, LOCK);
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = self.make_folder().and_then(|()| options.open(&path));
        let Ok(file) = opened else {
            return Claim::Impossible;
        };
        match file.try_lock() {
            Ok(()) => Claim::Held(Box::new(Guard { file, path })),
            Err(fs::TryLockError::WouldBlock) => Claim::Busy,
            Err(fs::TryLockError::Error(_)) => Claim::Impossible,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place(number: usize) -> Place {
        Place {
            token: format!("{number:032x}"),
            hub: "00".to_owned(),
        }
    }

    #[test]
    fn the_folder_is_bounded_and_rejections_evict_no_identity() {
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskCache::new(folder.path().join("a/b"));
        disk.put(&place(0), Kind::Identity, b"{}");
        for number in 0..200 {
            disk.put(&place(number), Kind::Rejection, b"{}");
        }
        let rejections = disk.entries().count() - 1;
        assert!(rejections <= 64 && rejections > 32, "{rejections}");
        assert!(disk.get(&place(0), Kind::Identity).is_some());
        assert!(disk.get(&place(199), Kind::Rejection).is_some());
    }

    #[test]
    fn only_one_holds_the_lock_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskCache::new(folder.path().to_owned());
        let held = disk.try_lock(&place(0));
        assert!(matches!(held, Claim::Held(_)));
        assert!(matches!(disk.try_lock(&place(0)), Claim::Busy));
        assert!(matches!(disk.try_lock(&place(1)), Claim::Held(_)));
        drop(held);
        assert_eq!(disk.entries().count(), 0);
        assert!(matches!(disk.try_lock(&place(0)), Claim::Held(_)));
    }

    #[test]
    fn a_disk_that_does_not_work_is_an_empty_cache() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        // Nobody, root included, makes a folder in a file or in `/proc`; a disk that is full
        // fails by the same way.
        for broken in [file.join("below"), "/proc/hubtoken/identities".into()] {
            let disk = DiskCache::new(broken);
            disk.put(&place(0), Kind::Identity, b"{}");
            assert!(disk.get(&place(0), Kind::Identity).is_none());
            assert!(matches!(disk.try_lock(&place(0)), Claim::Impossible));
            disk.forget(None, None);
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_look() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskCache::new(folder.path().join("home/hubtoken/identities"));
        disk.put(&place(0), Kind::Identity, b"{}");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(disk.folder()), 0o700);
        assert_eq!(mode(&disk.path(&place(0), ".json")), 0o600);
    }
}
