//! Collects what nothing refers to: the reconstructions of files that no commit has a pointer to, and
//! then the xorbs that no reconstruction needs.
//!
//! Nothing is collected that was uploaded, or named to a client, within the grace. It is longer than
//! clients remember what they have uploaded, which is three weeks, so that an upload under way never
//! loses what it counts on.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use xet_core_structures::metadata_shard::file_structs::MDBFileInfo;

use super::{XetStore, durable};
use crate::repository::lfs::ObjectId;

/// How long something is kept to which nothing refers.
pub(crate) const GRACE: Duration = Duration::from_hours(30 * 24);

impl XetStore {
    /// Whether anything is stored here.
    pub(crate) fn is_empty(&self) -> bool {
        !self.folder.exists()
    }

    /// Removes what is older than the grace and not needed for these files; returns how many files
    /// were removed.
    pub(crate) fn collect(
        &self,
        referenced: &HashSet<ObjectId>,
        now: SystemTime,
    ) -> io::Result<usize> {
        let mut removed = 0;
        let mut needed = HashSet::new();
        for path in self.stored("files")? {
            let name = name(&path);
            let oid = ObjectId::parse(&name);
            let is_kept = oid.is_some_and(|oid| referenced.contains(&oid));
            let Some(file) = MDBFileInfo::deserialize(&mut fs::read(&path)?.as_slice())? else {
                continue;
            };
            if is_kept || !is_old(&path, now)? {
                needed.extend(file.segments.iter().map(|segment| segment.xorb_hash.hex()));
                continue;
            }
            durable::remove(&path)?;
            durable::remove(&self.path("hashes", &file.metadata.file_hash.hex()))?;
            removed += 1;
        }
        for path in self.stored("xorbs")? {
            if !needed.contains(&name(&path)) && is_old(&path, now)? {
                durable::remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// All files of one kind.
    fn stored(&self, what: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for folder in entries(&self.folder.join(what))? {
            found.extend(entries(&folder)?);
        }
        Ok(found)
    }
}

fn is_old(path: &Path, now: SystemTime) -> io::Result<bool> {
    let modified = path.metadata()?.modified()?;
    // A clock that was set back makes nothing old.
    Ok(now.duration_since(modified).is_ok_and(|age| age > GRACE))
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}
