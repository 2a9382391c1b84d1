//! Restores a data folder from an archive, and checks it before moving it into place.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path};

use sha2::{Digest as _, Sha256};

use super::archive::{self, FORMAT, HashingReader, Manifest, ManifestEntry};
use super::{Backup, DATABASE, MANIFEST, block_on, folder_name};
use crate::error::HubError;
use crate::registry::RepositoryType;
use crate::registry::sqlite::snapshot;
use hubtoken_core::hexadecimal;

/// The largest manifest that is read: enough for more than a million files.
const MANIFEST_BYTES: u64 = 256 << 20;

/// Creates a data folder from an archive. The folder must be empty or not exist.
///
/// # Errors
/// A [`HubError`] with the reason. The folder is unchanged in that case.
pub fn restore(archive: &Path, data: &Path) -> Result<Backup, HubError> {
    let map_error = |error| HubError::folder(data, error);
    match fs::read_dir(data).map(|mut entries| entries.next().is_none()) {
        Ok(true) => (),
        Ok(false) => return Err(restore_error(format!("{} is not empty", data.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(map_error(error)),
    }
    let parent = match data.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(map_error)?;
    let staging = tempfile::Builder::new()
        .prefix(".hubtoken-restore-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(map_error)?;
    let bytes = fs::metadata(archive)
        .map_err(|error| restore_error(format!("{}: {error}", archive.display())))?
        .len();
    let (found, manifest) = unpack(archive, staging.path())?;
    compare(&found, &manifest)?;
    let repositories = check(staging.path(), &manifest)?;
    File::open(staging.path())
        .and_then(|folder| folder.sync_all())
        .map_err(map_error)?;
    // Replaces an empty folder or creates a new one. The system rejects anything else.
    let staging = staging.keep();
    if let Err(error) = fs::rename(&staging, data) {
        let _ = fs::remove_dir_all(&staging);
        return Err(map_error(error));
    }
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(map_error)?;
    Ok(Backup {
        path: data.to_owned(),
        bytes,
        repositories,
    })
}

/// Unpacks all files, and reads the manifest.
fn unpack(archive: &Path, staging: &Path) -> Result<(Vec<ManifestEntry>, Manifest), HubError> {
    let unreadable = |error: io::Error| {
        restore_error(format!(
            "{} is not a complete backup of a Hub: {error}",
            archive.display()
        ))
    };
    let mut tar = tar::Archive::new(BufReader::with_capacity(
        1 << 20,
        File::open(archive).map_err(unreadable)?,
    ));
    let mut found = Vec::new();
    let mut manifest = None;
    for entry in tar.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?;
        let name = path
            .to_str()
            .filter(|_| entry.header().entry_type().is_file() && manifest.is_none())
            .map(ToOwned::to_owned)
            .ok_or_else(|| {
                restore_error("it contains a file that does not belong there".to_owned())
            })?;
        if name == MANIFEST {
            let mut text = Vec::new();
            entry
                .take(MANIFEST_BYTES)
                .read_to_end(&mut text)
                .map_err(unreadable)?;
            let read: Manifest = serde_json::from_slice(&text)
                .map_err(|_| restore_error("its manifest cannot be read".to_owned()))?;
            manifest = Some(read);
        } else if is_expected(&name) {
            found.push(file(staging, name, entry).map_err(unreadable)?);
        } else {
            return Err(restore_error(
                "it contains a file that does not belong there".to_owned(),
            ));
        }
    }
    let manifest = manifest.ok_or_else(|| {
        restore_error(format!(
            "{} is truncated: its end is missing",
            archive.display()
        ))
    })?;
    Ok((found, manifest))
}

/// Writes one file, and returns its manifest entry.
fn file(staging: &Path, name: String, entry: impl Read) -> io::Result<ManifestEntry> {
    let path = staging.join(&name);
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let mut content = HashingReader {
        content: entry,
        digest: Sha256::new(),
    };
    let bytes = io::copy(&mut content, &mut file)?;
    file.sync_all()?;
    Ok(ManifestEntry {
        path: name,
        bytes,
        sha256: hexadecimal::encode(&content.digest.finalize()),
    })
}

/// Accepts the database and files in repositories. Nothing else is written, whatever paths an
/// archive contains.
fn is_expected(name: &str) -> bool {
    let is_plain = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let in_repository = || {
        let mut parts = name.split('/');
        let kinds = RepositoryType::ALL.map(RepositoryType::plural);
        parts.next() == Some("repositories")
            && parts.next().is_some_and(|kind| kinds.contains(&kind))
            && parts.next().is_some_and(|folder| {
                folder.strip_suffix(".git").is_some_and(|id| {
                    id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
                })
            })
            && match parts.next() {
                Some("config" | "HEAD") => parts.next().is_none(),
                Some("refs" | "objects") => parts.next().is_some(),
                _ => false,
            }
    };
    is_plain && (name == DATABASE || in_repository() || is_large_file(name))
}

/// Accepts a large file, or a part of one, in the location that its name requires.
fn is_large_file(name: &str) -> bool {
    let kinds = RepositoryType::ALL.map(RepositoryType::plural);
    let is_hexadecimal = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["lfs", kind, id, first, second, digest] => {
            kinds.contains(kind)
                && is_hexadecimal(id, 24)
                && is_hexadecimal(digest, 64)
                && digest.get(..2) == Some(first)
                && digest.get(2..4) == Some(second)
        }
        ["xet", kind, id, "batches", batch] => {
            kinds.contains(kind) && is_hexadecimal(id, 24) && is_hexadecimal(batch, 32)
        }
        ["xet", kind, id, what, first, hash] => {
            kinds.contains(kind)
                && is_hexadecimal(id, 24)
                && ["files", "hashes", "chunks", "xorbs"].contains(what)
                && is_hexadecimal(hash, 64)
                && hash.get(..2) == Some(first)
        }
        _ => false,
    }
}

/// Whether a large file's content does not match its name.
fn is_misnamed(file: &ManifestEntry) -> bool {
    file.path.starts_with("lfs/") && !file.path.ends_with(&file.sha256)
}

/// Checks that the files are exactly those that the manifest lists, unchanged.
fn compare(found: &[ManifestEntry], manifest: &Manifest) -> Result<(), HubError> {
    if manifest.form != FORMAT {
        return Err(restore_error(format!(
            "it has format {}, but this version of hubtoken supports only format {FORMAT}",
            manifest.form
        )));
    }
    let listed: HashMap<&str, &ManifestEntry> = manifest
        .files
        .iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    let all_good = found
        .iter()
        .all(|file| listed.get(file.path.as_str()) == Some(&file));
    if !all_good
        || found.iter().any(is_misnamed)
        || found.len() != manifest.files.len()
        || listed.len() != found.len()
    {
        return Err(restore_error(
            "a file in it is missing or was changed".to_owned(),
        ));
    }
    Ok(())
}

/// Checks that a Hub can start from it: the database is intact, and everything that the
/// repositories' references reach exists.
fn check(staging: &Path, manifest: &Manifest) -> Result<usize, HubError> {
    if !manifest.files.iter().any(|file| file.path == DATABASE) {
        return Err(restore_error("it does not contain a database".to_owned()));
    }
    let snapshot = block_on(snapshot::inspect(&staging.join(DATABASE)))??;
    for (kind, id) in &snapshot.repositories {
        let name = folder_name(*kind, id);
        let folder = staging.join(&name);
        for needed in ["objects", "refs"] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder.join(needed))
                .map_err(|error| HubError::folder(&folder, error))?;
        }
        let git = git2::Repository::open_bare(&folder).map_err(|error| {
            restore_error(format!("{name} cannot be read: {}", error.message()))
        })?;
        archive::check_complete(&git)
            .map_err(|reason| restore_error(format!("{name} is damaged: {reason}")))?;
    }
    Ok(snapshot.repositories.len())
}

fn restore_error(reason: String) -> HubError {
    HubError::Restore { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_where_it_does_not_belong() {
        let id = "0123456789abcdef01234567";
        for good in [
            "hub.sqlite3".to_owned(),
            format!("repositories/models/{id}.git/HEAD"),
            format!("repositories/spaces/{id}.git/refs/heads/a/b"),
            format!("repositories/datasets/{id}.git/objects/pack/pack-1.idx"),
            format!("lfs/models/{id}/ab/ab/{}", "ab".repeat(32)),
            format!("xet/models/{id}/xorbs/ab/{}", "ab".repeat(32)),
            format!("xet/spaces/{id}/files/ab/{}", "ab".repeat(32)),
            format!("xet/datasets/{id}/batches/{}", "ab".repeat(16)),
        ] {
            assert!(is_expected(&good), "{good}");
        }
        for bad in [
            "/etc/passwd".to_owned(),
            "../hub.sqlite3".to_owned(),
            "admin-key".to_owned(),
            "hub.sqlite3-wal".to_owned(),
            format!("repositories/models/{id}.git/../../../../x"),
            format!("repositories/models/{id}.git/hooks/post-receive"),
            format!("repositories/models/{id}.git/config/x"),
            "repositories/models/x.git/HEAD".to_owned(),
            format!("repositories/buckets/{id}.git/HEAD"),
            format!("repositories/models/{id}.git"),
            format!("lfs/models/{id}/ab/cd/{}", "ab".repeat(32)),
            format!("lfs/models/{id}/{}", "ab".repeat(32)),
            format!("lfs/models/x/ab/ab/{}", "ab".repeat(32)),
            format!("lfs/incoming/{id}"),
            format!("xet/incoming/{id}"),
            format!("xet/models/{id}/xorbs/cd/{}", "ab".repeat(32)),
            format!("xet/models/{id}/others/ab/{}", "ab".repeat(32)),
            format!("xet/models/{id}/batches/../{}", "ab".repeat(16)),
            "lfs-key".to_owned(),
        ] {
            assert!(!is_expected(&bad), "{bad}");
        }
    }
}
