//! A Hub in one file, taken while it runs, and a Hub from such a file.
//!
//! The database is copied as it is at one moment. Then each of its repositories is read: first where its references
//! point, then its objects. Objects are only ever added, and a reference moves once its objects are there; so what was
//! read belongs together, whatever is committed meanwhile. A repository that was deleted meanwhile is taken out of the
//! copy; one that was created is not in it yet.
//!
//! The file is a tar archive, readable without this program:
//!
//! ```text
//! repositories/{models,datasets,spaces}/{id}.git/…    HEAD, config, references, objects
//! lfs/{models,datasets,spaces}/{id}/…                 large files
//! hub.sqlite3                                         the registry
//! manifest.json                                       version, schema, and each file's length and SHA-256
//! ```
//!
//! The manifest comes last: an archive that was cut off has none, and is refused. The admin key is not in it; a restored
//! Hub makes a new one. The archive has its name only when it is whole and on the disk, and a restored folder as well.

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

/// What a backup came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The archive.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many repositories are in it.
    pub repositories: usize,
}

/// Backs up the Hub of a data folder, whether it runs or not, to a new file, or to one that is named by the time in a
/// folder that is there.
///
/// # Errors
/// The [`HubError`] that says why not; there is no file then.
pub fn backup(data: &Path, target: &Path, now: OffsetDateTime) -> Result<Backup, HubError> {
    let database = data.join(DATABASE);
    if !database.is_file() {
        return Err(refused(format!(
            "{} is no data folder of a Hub: it has no {DATABASE}",
            data.display()
        )));
    }
    let target = if target.is_dir() {
        target.join(format!("hub-{}.tar", iso(now).replace([':', '.'], "-")))
    } else {
        target.to_owned()
    };
    if target.exists() {
        return Err(refused(format!("{} is there already", target.display())));
    }
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let fault = |error| HubError::folder(&target, error);
    // Beside the target, so that it can be renamed; private, and gone when this fails.
    let room = tempfile::Builder::new()
        .prefix(".hubtoken-backup-")
        .tempdir_in(parent)
        .map_err(fault)?;
    let (copy, archive) = (room.path().join(DATABASE), room.path().join("archive"));
    let taken = wait(snapshot::copy(&database, &copy))??;
    let mut writer = Writer::create(&archive).map_err(fault)?;
    let mut deleted = Vec::new();
    for (kind, id) in &taken.repositories {
        let name = folder_name(*kind, id);
        let folder = data.join(&name);
        if repository(&mut writer, &name, &folder)? {
            // After the references: what a pointer among them points to was there before it.
            let large = large_name(*kind, id);
            writer
                .add_large_files(&large, &data.join(&large))
                .map_err(fault)?;
            continue;
        }
        deleted.push(id.clone());
    }
    wait(snapshot::forget(&copy, &deleted))??;
    writer.add_file(DATABASE, &copy).map_err(fault)?;
    writer.finish(taken.schema, now).map_err(fault)?;
    let bytes = fs::metadata(&archive).map_err(fault)?.len();
    // What somebody else has put there meanwhile is not replaced.
    tempfile::TempPath::try_from_path(&archive)
        .and_then(|archive| {
            archive
                .persist_noclobber(&target)
                .map_err(|error| error.error)
        })
        .map_err(fault)?;
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(fault)?;
    Ok(Backup {
        path: target,
        bytes,
        repositories: taken.repositories.len() - deleted.len(),
    })
}

/// Adds a repository; says whether it is there at all.
fn repository(writer: &mut Writer, name: &str, folder: &Path) -> Result<bool, HubError> {
    let git = match git2::Repository::open_bare(folder) {
        Ok(git) => git,
        Err(_) if !folder.join("HEAD").is_file() => return Ok(false),
        Err(error) => return Err(broken(name, &error)),
    };
    let references = archive::references(&git).map_err(|error| broken(name, &error))?;
    let added = writer
        .add_repository(name, folder, &references)
        .map_err(|error| HubError::folder(folder, error));
    match added {
        Err(_) if !folder.join("HEAD").is_file() => Err(refused(format!(
            "{name} was deleted while it was read: try again"
        ))),
        Err(error) => Err(error),
        Ok(()) => {
            archive::check_complete(&git).map_err(|reason| broken(name, &reason))?;
            Ok(true)
        }
    }
}

fn folder_name(kind: RepositoryType, id: &str) -> String {
    format!("repositories/{}/{id}.git", kind.plural())
}

fn large_name(kind: RepositoryType, id: &str) -> String {
    format!("lfs/{}/{id}", kind.plural())
}

fn broken(name: &str, reason: &dyn std::fmt::Display) -> HubError {
    refused(format!("{name} is damaged: {reason}"))
}

fn refused(reason: String) -> HubError {
    HubError::Backup { reason }
}

/// Runs a future, also when the caller is on a thread of some runtime.
fn wait<T: Send>(future: impl Future<Output = T> + Send) -> Result<T, HubError> {
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
