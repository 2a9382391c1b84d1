//! Decides whether a folder may hold records, and says why not.

use std::fs::Metadata;
use std::path::Path;

use super::RecordFolder;
use crate::bounded_file::io_error_text;

impl RecordFolder {
    /// Why processes cannot share anything here, phrased to follow the folder's name; `None` if
    /// they can. Nothing is created: for a folder that does not exist, the nearest one above it
    /// decides.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let folder = self.path();
        match folder.metadata() {
            Ok(metadata) if !metadata.is_dir() => Some("is not a folder".to_owned()),
            Ok(metadata) => objection(&metadata, self.user).or_else(|| refusal(folder, "written")),
            Err(_) => {
                let above = folder
                    .ancestors()
                    .skip(1)
                    .find(|above| above.symlink_metadata().is_ok())?;
                if above.is_dir() {
                    refusal(above, "created")
                } else {
                    Some(format!(
                        "cannot be created: {} is not a folder",
                        crate::sanitize::redacted_path(above)
                    ))
                }
            }
        }
    }
}

/// Whether a folder can be believed: nobody else may write to it.
pub(super) fn is_private(metadata: &Metadata, user: Option<u32>) -> bool {
    objection(metadata, user).is_none()
}

#[cfg(unix)]
fn objection(metadata: &Metadata, user: Option<u32>) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    let owner = metadata.uid();
    if owner != own && Some(owner) != user {
        return Some(format!(
            "belongs to another user ({owner}; this process is of user {own})"
        ));
    }
    let others = match metadata.mode() & 0o022 {
        0 => return None,
        0o020 => "its group",
        _ => "any user",
    };
    Some(format!(
        "can be written by {others}: remove that with chmod go-w"
    ))
}

/// On other systems, home folders are private by default, and the mode is meaningless.
#[cfg(not(unix))]
fn objection(_metadata: &Metadata, _user: Option<u32>) -> Option<String> {
    None
}

/// Why nothing can be created in a folder.
#[cfg(unix)]
fn refusal(folder: &Path, verb: &str) -> Option<String> {
    use rustix::fs::{Access, access};
    let error = access(folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!(
        "cannot be {verb}: {}",
        io_error_text(&error.into())
    ))
}

#[cfg(not(unix))]
fn refusal(folder: &Path, verb: &str) -> Option<String> {
    let metadata = folder.metadata().ok()?;
    metadata
        .permissions()
        .readonly()
        .then(|| format!("cannot be {verb}: it is read-only"))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use super::*;

    fn problem(folder: &Path) -> String {
        RecordFolder::new(folder.to_owned())
            .problem()
            .unwrap_or_default()
    }

    #[test]
    fn a_folder_that_can_be_used_has_none_and_is_not_created() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        assert_eq!(problem(&folder), "");
        assert!(!root.path().join("a").exists());
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(problem(&folder), "");
    }

    #[test]
    fn each_reason_is_told() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("identities");
        fs::write(&folder, "").unwrap();
        assert_eq!(problem(&folder), "is not a folder");
        assert!(problem(&folder.join("below")).contains("cannot be created"));
        fs::remove_file(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        for (mode, who) in [
            (0o770, "its group"),
            (0o777, "any user"),
            (0o702, "any user"),
        ] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            assert!(problem(&folder).contains(who), "{mode:o}");
        }
    }

    #[test]
    fn another_users_folder_is_named_by_both_ids() {
        let root = tempfile::tempdir().unwrap();
        if !rustix::process::geteuid().is_root() {
            assert!(problem(Path::new("/")).contains("belongs to another user (0;"));
            return;
        }
        let folder = root.path().join("identities");
        fs::create_dir(&folder).unwrap();
        chown(&folder, Some(12_345), None).unwrap();
        assert!(problem(&folder).contains("belongs to another user (12345; this process is of"));
        let own = RecordFolder {
            user: Some(12_345),
            ..RecordFolder::new(folder)
        };
        assert_eq!(own.problem(), None);
    }
}
