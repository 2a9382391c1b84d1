//! Temporary data folders, and what is left of those whose process was killed.
//!
//! A Hub without a data folder of its own removes its temporary one when it stops. A killed process
//! cannot, so the next Hub does. It removes a folder only if it surely is the folder of a Hub of
//! this user and this host that has ended: its name and its mode are those that a Hub gives it, it
//! belongs to this user, its lock has the record of a process of this host, and nobody holds that
//! lock. A process ID would not do: it is reused, and other hosts and containers may use the same
//! folder for temporary files.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use hubtoken_core::file_lock::SystemCalls;
use tempfile::TempDir;

use super::lock::Abandoned;
use crate::error::HubError;

const PREFIX: &str = "hubtoken-hub-";
const MODE: u32 = 0o700;

/// Creates a temporary folder, and removes those that killed processes of this user left.
pub(super) fn create(calls: &dyn SystemCalls) -> Result<TempDir, HubError> {
    let parent = tempfile::env::temp_dir();
    remove_abandoned(&parent, calls);
    create_in(&parent)
}

fn create_in(parent: &Path) -> Result<TempDir, HubError> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(MODE))
        .tempdir_in(parent)
        .map_err(|error| HubError::Temporary {
            path: parent.to_owned(),
            // Without the path that `tempfile` adds, which has a random name.
            source: error
                .raw_os_error()
                .map_or(error.kind().into(), io::Error::from_raw_os_error),
        })
}

fn remove_abandoned(parent: &Path, calls: &dyn SystemCalls) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|entry| entry.path());
    for folder in folders.filter(|folder| is_own(folder)) {
        if let Some(abandoned) = Abandoned::lock(folder, calls) {
            // What cannot be removed stays, as it would if nobody tried.
            let _ = abandoned.remove();
        }
    }
}

/// Whether a path is a folder as this user's Hubs create it, and no symbolic link.
fn is_own(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| {
        metadata.is_dir()
            && metadata.uid() == rustix::process::geteuid().as_raw()
            && metadata.mode() & 0o777 == MODE
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hubtoken_core::file_lock::{OperatingSystem, Owner};

    use super::*;
    use crate::data_folder::lock;

    /// A folder that a Hub has used, and that was not removed.
    fn left(parent: &Path) -> PathBuf {
        let folder = create_in(parent).unwrap().keep();
        drop(lock::take(&folder, &OperatingSystem).unwrap());
        fs::create_dir(folder.join("repositories")).unwrap();
        fs::write(folder.join("admin-key"), "").unwrap();
        folder
    }

    #[test]
    fn the_folder_of_a_dead_process_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = left(parent.path());
        remove_abandoned(parent.path(), &OperatingSystem);
        assert!(!folder.exists());
    }

    #[test]
    fn what_is_not_surely_abandoned_stays() {
        let parent = tempfile::tempdir().unwrap();
        let in_use = create_in(parent.path()).unwrap();
        let held = lock::take(in_use.path(), &OperatingSystem).unwrap();
        // About to start: without a lock, and with one that has no record yet.
        let new = create_in(parent.path()).unwrap();
        let newer = create_in(parent.path()).unwrap();
        fs::write(newer.path().join("hub.lock"), "").unwrap();
        let foreign = left(parent.path());
        let mut owner = Owner::current().unwrap();
        owner.host = "elsewhere.example".to_owned();
        fs::write(foreign.join("hub.lock"), owner.to_bytes()).unwrap();
        let shared = left(parent.path());
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        let named = parent.path().join("other");
        fs::rename(left(parent.path()), &named).unwrap();
        let link = parent.path().join("hubtoken-hub-link");
        std::os::unix::fs::symlink(&named, &link).unwrap();
        remove_abandoned(parent.path(), &OperatingSystem);
        for path in [
            in_use.path(),
            new.path(),
            newer.path(),
            &foreign,
            &shared,
            &named,
            &link,
        ] {
            assert!(path.exists(), "{}", path.display());
        }
        drop(held);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let missing = parent.path().join("missing");
        let message = create_in(&missing).unwrap_err().to_string();
        assert!(message.contains(missing.to_str().unwrap()), "{message}");
        assert!(message.contains("TMPDIR"), "{message}");
        assert!(!message.contains(PREFIX), "{message}");
        remove_abandoned(&missing, &OperatingSystem);
    }
}
