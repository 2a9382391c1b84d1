//! The folder that holds all of a Hub's data: creates it, locks it, and cleans up on close.
//!
//! ```text
//! hub.sqlite3          the registry
//! repositories/        bare git repositories by type and id
//! lfs/                 large files by the repository's type and id
//! git/                 the pre-receive hook, and pushes in progress
//! lfs-key              signs links to large files; 0600, created when first needed
//! oauth-keys           signs the tokens of logins; 0600, created when first needed
//! admin-key            the key of the administration API; 0600
//! hub.json             endpoint and process id while a Hub runs; no secret
//! hub.lock             locked by the system while a Hub runs, with the host and process ID of its
//!                      owner; where the system refuses that, hub.lock.owner exists while one runs
//! ```

mod lock;
mod temporary;

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use hubtoken_core::file_lock::OperatingSystem;
use tempfile::TempDir;

use self::lock::FolderLock;
pub use self::lock::is_locked;
use super::error::HubError;
use super::secret::Secret;

/// A data folder in use by this Hub.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    lock: FolderLock,
    /// Removes the folder when dropped.
    temporary: Option<TempDir>,
}

impl DataFolder {
    /// Opens and locks a folder, or a new temporary one.
    pub(crate) fn open(wanted: Option<&Path>) -> Result<Self, HubError> {
        let (path, temporary) = if let Some(path) = wanted {
            create(path)?;
            let path = path
                .canonicalize()
                .map_err(|error| HubError::folder(path, error))?;
            (path, None)
        } else {
            let temporary = temporary::create(&OperatingSystem)?;
            (temporary.path().to_owned(), Some(temporary))
        };
        match lock::take(&path, &OperatingSystem) {
            Ok(Some(lock)) => {
                // Of a Hub that was killed: its port may be another program's by now, and a verb
                // that sees this lock would send the admin key there.
                let _ = fs::remove_file(path.join("hub.json"));
                Ok(Self {
                    path,
                    lock,
                    temporary,
                })
            }
            Ok(None) => {
                let endpoint = running_endpoint(&path);
                Err(HubError::FolderLocked { path, endpoint })
            }
            Err(error) => Err(HubError::folder(&path, error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key of the administration API: the existing one, or a new one.
    pub(crate) fn admin_key(&self) -> Result<Secret, HubError> {
        let path = self.path.join("admin-key");
        match fs::read_to_string(&path) {
            Ok(key) => {
                let key = Secret::new(key.trim().to_owned());
                let letters = key
                    .reveal()
                    .strip_prefix("hubtoken_admin_")
                    .unwrap_or_default();
                if letters.len() >= 43 && letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    Ok(key)
                } else {
                    Err(HubError::InvalidAdminKey { path })
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = Secret::admin_key()?;
                self.write("admin-key", key.reveal().as_bytes())?;
                Ok(key)
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(HubError::InvalidAdminKey { path })
            }
            Err(error) => Err(HubError::folder(&path, error)),
        }
    }

    /// Announces where the Hub listens: its endpoint, and the admin listener's address if it has
    /// one.
    pub(crate) fn announce(&self, endpoint: &str, local: Option<&str>) -> Result<(), HubError> {
        let mut announced = serde_json::json!({ "endpoint": endpoint, "pid": std::process::id() });
        if let Some(local) = local {
            announced["local"] = local.into();
        }
        let text = announced.to_string();
        self.write("hub.json", text.as_bytes())
    }

    /// Writes a file atomically, so that readers see all of it or nothing; its mode is 0600 from
    /// the first byte.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), HubError> {
        let path = self.path.join(name);
        let write = || {
            let mut file = tempfile::Builder::new()
                .prefix(".new-")
                .tempfile_in(&self.path)?;
            file.write_all(content)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error: std::io::Error| HubError::folder(&path, error))
    }

    /// Releases the folder: removes the announcement, unlocks, and removes a temporary folder.
    pub(crate) fn close(self) {
        let _ = fs::remove_file(self.path.join("hub.json"));
        drop(self.lock);
        if let Some(temporary) = self.temporary {
            // Files that cannot be removed are in the system's temporary folder, which is cleaned
            // anyway.
            let _ = temporary.close();
        }
    }
}

/// Creates the folder with mode 0700 if it does not exist; an existing one keeps its mode.
fn create(path: &Path) -> Result<(), HubError> {
    let map_error = |error| HubError::folder(path, error);
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(map_error)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.map_err(map_error),
    }
}

fn running_endpoint(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("hub.json")).ok()?;
    let announced: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(announced.get("endpoint")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn made_private_and_kept() {
        let outer = TempDir::new().unwrap();
        let path = outer.path().join("a/data");
        let folder = DataFolder::open(Some(&path)).unwrap();
        let key = folder.admin_key().unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("admin-key")), 0o600);
        assert_eq!(folder.admin_key().unwrap().reveal(), key.reveal());
        folder.close();
        assert!(path.exists());
    }

    #[test]
    fn one_hub_at_a_time() {
        let outer = TempDir::new().unwrap();
        let first = DataFolder::open(Some(outer.path())).unwrap();
        first.announce("http://127.0.0.1:1", None).unwrap();
        let error = DataFolder::open(Some(outer.path())).unwrap_err();
        assert!(error.to_string().contains("http://127.0.0.1:1"), "{error}");
        first.close();
        assert!(!outer.path().join("hub.json").exists());
        DataFolder::open(Some(outer.path())).unwrap().close();
    }

    #[test]
    fn the_announcement_of_a_killed_hub_is_removed() {
        let outer = TempDir::new().unwrap();
        fs::write(outer.path().join("hub.json"), "{}").unwrap();
        let folder = DataFolder::open(Some(outer.path())).unwrap();
        assert!(!outer.path().join("hub.json").exists());
        folder.close();
    }

    #[test]
    fn an_existing_folder_keeps_its_mode_and_a_bad_key_is_no_key() {
        let outer = TempDir::new().unwrap();
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let folder = DataFolder::open(Some(outer.path())).unwrap();
        assert_eq!(mode(outer.path()), 0o755);
        fs::write(outer.path().join("admin-key"), "x").unwrap();
        assert!(matches!(
            folder.admin_key(),
            Err(HubError::InvalidAdminKey { .. })
        ));
    }

    #[test]
    fn a_temporary_folder_goes_away() {
        let folder = DataFolder::open(None).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(mode(&path), 0o700);
        folder.close();
        assert!(!path.exists());
    }

    #[test]
    fn a_file_is_no_folder() {
        let outer = TempDir::new().unwrap();
        let path = outer.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(
            DataFolder::open(Some(&path)),
            Err(HubError::DataFolder { .. })
        ));
    }
}
