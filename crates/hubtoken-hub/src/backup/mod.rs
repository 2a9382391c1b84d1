//! Backs up a running Hub to a single file, and restores a Hub from such a file.
//!
//! First, a consistent snapshot of the database is taken. Then each of its repositories is read,
//! references before objects. Objects are only ever added, and a reference moves only once its
//! objects exist, so the result is consistent whatever is committed in the meantime. A repository
//! that is deleted in the meantime is removed from the copy. One that is created is not included.
//!
//! The file is a tar archive, readable without this program:
//!
//! ```text
//! repositories/{models,datasets,spaces}/{id}.git/…    HEAD, config, references, objects
//! lfs/{models,datasets,spaces}/{id}/…                 large files
//! xet/{models,datasets,spaces}/{id}/…                 those that came by Xet
//! hub.sqlite3                                         the registry
//! manifest.json                                       version, schema, file lengths and SHA-256s
//! ```
//!
//! The manifest comes last, so a truncated archive has none and is rejected. The admin key is not
//! included; a restored Hub creates a new one. Both the archive and a restored folder get their
//! final name only once they are complete and synced to disk.

mod archive;
mod restore;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use self::archive::Writer;
use super::clock::iso;
use super::error::HubError;
use super::registry::RepositoryType;
use super::registry::sqlite::snapshot;

pub use self::restore::restore;

const DATABASE: &str = "hub.sqlite3";
const MANIFEST: &str = "manifest.json";

/// The result of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The path of the archive.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The number of repositories in it.
    pub repositories: usize,
}

/// Backs up the Hub in a data folder, whether or not it is running. The target is a new file, or an
/// existing folder, in which the file is named after the time.
///
/// # Errors
/// A [`HubError`] with the reason. No file is created in that case.
pub fn backup(data: &Path, target: &Path, now: OffsetDateTime) -> Result<Backup, HubError> {
    let database = data.join(DATABASE);
    if !database.is_file() {
        return Err(backup_error(format!(
            "{} is not a Hub's data folder: it has no {DATABASE}",
            data.display()
        )));
    }
    let target = if target.is_dir() {
        target.join(format!("hub-{}.tar", iso(now).replace([':', '.'], "-")))
    } else {
        target.to_owned()
    };
    if target.exists() {
        return Err(backup_error(format!("{} already exists", target.display())));
    }
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let map_error = |error| HubError::folder(&target, error);
    // In the target's folder, so that the archive can be renamed. It is private, and removed on
    // failure.
    let staging = tempfile::Builder::new()
        .prefix(".hubtoken-backup-")
        .tempdir_in(parent)
        .map_err(map_error)?;
    let (copy, archive) = (
        staging.path().join(DATABASE),
        staging.path().join("archive"),
    );
    let snapshot = block_on(snapshot::copy(&database, &copy))??;
    let mut writer = Writer::create(&archive).map_err(map_error)?;
    let mut deleted = Vec::new();
    for (kind, id) in &snapshot.repositories {
        let name = folder_name(*kind, id);
        let folder = data.join(&name);
        if repository(&mut writer, &name, &folder)? {
            // After the references, because the objects of their pointers were stored before them.
            let lfs_folder = lfs_folder_name(*kind, id);
            writer
                .add_large_files(&lfs_folder, &data.join(&lfs_folder))
                .map_err(map_error)?;
            // What says how files are put together before what they are put together from, because
            // the Hub stores it in the opposite order.
            for part in ["files", "hashes", "chunks", "batches", "xorbs"] {
                let folder = format!("xet/{}/{id}/{part}", kind.plural());
                writer
                    .add_large_files(&folder, &data.join(&folder))
                    .map_err(map_error)?;
            }
            continue;
        }
        deleted.push(id.clone());
    }
    block_on(snapshot::forget(&copy, &deleted))??;
    writer.add_file(DATABASE, &copy).map_err(map_error)?;
    writer.finish(snapshot.schema, now).map_err(map_error)?;
    let bytes = fs::metadata(&archive).map_err(map_error)?.len();
    // Does not replace a file that another process has created in the meantime.
    tempfile::TempPath::try_from_path(&archive)
        .and_then(|archive| {
            archive
                .persist_noclobber(&target)
                .map_err(|error| error.error)
        })
        .map_err(map_error)?;
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(map_error)?;
    Ok(Backup {
        path: target,
        bytes,
        repositories: snapshot.repositories.len() - deleted.len(),
    })
}

/// Adds a repository, and returns whether it exists.
fn repository(writer: &mut Writer, name: &str, folder: &Path) -> Result<bool, HubError> {
    let git = match git2::Repository::open_bare(folder) {
        Ok(git) => git,
        Err(_) if !folder.join("HEAD").is_file() => return Ok(false),
        Err(error) => return Err(damaged(name, &error)),
    };
    let references = archive::references(&git).map_err(|error| damaged(name, &error))?;
    let added = writer
        .add_repository(name, folder, &references)
        .map_err(|error| HubError::folder(folder, error));
    match added {
        Err(_) if !folder.join("HEAD").is_file() => Err(backup_error(format!(
            "{name} was deleted while it was read: try again"
        ))),
        Err(error) => Err(error),
        Ok(()) => {
            archive::check_complete(&git).map_err(|reason| damaged(name, &reason))?;
            Ok(true)
        }
    }
}

fn folder_name(kind: RepositoryType, id: &str) -> String {
    format!("repositories/{}/{id}.git", kind.plural())
}

fn lfs_folder_name(kind: RepositoryType, id: &str) -> String {
    format!("lfs/{}/{id}", kind.plural())
}

fn damaged(name: &str, reason: &dyn std::fmt::Display) -> HubError {
    backup_error(format!("{name} is damaged: {reason}"))
}

fn backup_error(reason: String) -> HubError {
    HubError::Backup { reason }
}

/// Runs a future to completion, even on a thread that belongs to a runtime.
fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> Result<T, HubError> {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map(|runtime| runtime.block_on(future))
        });
        match waiting.join() {
            Ok(done) => done.map_err(HubError::Runtime),
            Err(_) => Err(HubError::Stopped),
        }
    })
}
