//! Decides whether a project's configuration file is trusted.
//!
//! Configurations are searched for from the working directory upwards, so one may be found in a
//! shared folder. Any user who can write there could then choose the stored token of every user who
//! works below it. A file is therefore trusted only if it and its folder belong to this user or to
//! root, and other users can write to neither. As in git, write access for a group is accepted,
//! since teams share checkouts that way, and root also trusts the user who called `sudo`. A sticky
//! bit does not help: in such a folder any user can still create a file.
//!
//! The owner is read from the opened file, so replacing the path later has no effect, and a
//! symbolic link is judged by its target. On Windows, owners are not checked.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::env::{self, Environment};

/// The trusted users, and the folders that are trusted regardless of their owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The IDs of the trusted users.
    #[cfg(unix)]
    owners: Vec<u32>,
    safe_directories: Vec<PathBuf>,
}

impl Trust {
    /// Reads the environment.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        Self {
            #[cfg(unix)]
            owners: owners(
                rustix::process::geteuid().as_raw(),
                env::text(environment, env::SUDO_UID).as_deref(),
            ),
            safe_directories: environment
                .get(env::HUBTOKEN_SAFE_DIRECTORIES)
                .map(|value| std::env::split_paths(&value).collect())
                .unwrap_or_default(),
        }
    }

    /// The same, with the folders listed in the user's own configuration.
    #[must_use]
    pub(super) fn with_safe_directories(&self, more: &[PathBuf]) -> Self {
        let mut trust = self.clone();
        trust.safe_directories.extend_from_slice(more);
        trust
    }

    /// Why a file in a folder is not trusted, phrased to follow "it was passed over"; `None` if it
    /// is.
    #[cfg(unix)]
    #[must_use]
    pub(super) fn objection(&self, folder: &Path, file: &Metadata) -> Option<String> {
        let objection = self
            .objection_to(file, "it")
            .or_else(|| self.objection_to_folder(folder))?;
        (!self.is_safe(folder)).then_some(objection)
    }

    /// Why files of this user in a folder are not trusted; `None` if they are.
    #[cfg(unix)]
    #[must_use]
    pub(super) fn objection_to_any(&self, folder: &Path) -> Option<String> {
        let objection = self.objection_to_folder(folder)?;
        (!self.is_safe(folder)).then_some(objection)
    }

    /// Whether a file belongs to this user or to root, regardless of its folder.
    #[cfg(unix)]
    #[must_use]
    pub(super) fn is_own(&self, path: &Path) -> bool {
        path.metadata()
            .is_ok_and(|metadata| self.objection_to(&metadata, "it").is_none())
    }

    #[cfg(unix)]
    fn objection_to_folder(&self, folder: &Path) -> Option<String> {
        match folder.metadata() {
            Ok(metadata) => self.objection_to(&metadata, "its folder"),
            Err(error) => Some(format!(
                "its folder cannot be inspected ({})",
                crate::bounded_file::io_error_text(&error)
            )),
        }
    }

    #[cfg(unix)]
    fn objection_to(&self, metadata: &Metadata, what: &str) -> Option<String> {
        use std::os::unix::fs::MetadataExt as _;
        if !self.owners.contains(&metadata.uid()) {
            return Some(format!(
                "{what} belongs to another user ({})",
                metadata.uid()
            ));
        }
        (metadata.mode() & 0o002 != 0).then(|| format!("any user can write to {what}"))
    }

    /// Whether a folder is one of the exceptions. Compares whole paths.
    #[cfg(unix)]
    fn is_safe(&self, folder: &Path) -> bool {
        // The working directory has no symbolic links in its path, but the exceptions may have
        // some.
        let same = |safe: &PathBuf| {
            safe == folder
                || matches!((safe.canonicalize(), folder.canonicalize()),
                    (Ok(safe), Ok(folder)) if safe == folder)
        };
        self.safe_directories
            .iter()
            .filter(|safe| safe.is_absolute())
            .any(same)
    }

    /// On other systems, the owner of a file is not checked.
    #[cfg(not(unix))]
    #[must_use]
    pub(super) fn objection(&self, _folder: &Path, _file: &Metadata) -> Option<String> {
        None
    }

    /// On other systems, the owner of a file is not checked.
    #[cfg(not(unix))]
    #[must_use]
    pub(super) fn is_own(&self, _path: &Path) -> bool {
        true
    }

    /// On other systems, the owner of a folder is not checked.
    #[cfg(not(unix))]
    #[must_use]
    pub(super) fn objection_to_any(&self, _folder: &Path) -> Option<String> {
        None
    }
}

/// This user and root; for root, also the user who called `sudo`.
#[cfg(unix)]
fn owners(user: u32, sudo: Option<&str>) -> Vec<u32> {
    const ROOT: u32 = 0;
    let mut owners = vec![user, ROOT];
    if user == ROOT {
        owners.extend(sudo.and_then(|text| text.trim().parse::<u32>().ok()));
    }
    owners
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;
    use crate::env::StaticEnvironment;

    fn objection(folder: &Path, trust: &Trust) -> Option<String> {
        let file = folder.join("hubtoken.toml");
        trust.objection(folder, &file.metadata().unwrap())
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hubtoken.toml"), "").unwrap();
        set_mode(&folder.path().join("hubtoken.toml"), 0o644);
        folder
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn sudo_is_heard_by_root_alone() {
        assert_eq!(owners(1000, Some("1001")), [1000, 0]);
        assert_eq!(owners(0, Some("1001")), [0, 0, 1001]);
        assert_eq!(owners(0, Some("alice")), [0, 0]);
        assert_eq!(owners(0, None), [0, 0]);
    }

    #[test]
    fn what_everybody_may_write_does_not_count() {
        let folder = folder();
        let trust = Trust::read(&StaticEnvironment::default());
        for (folder_mode, file_mode, counts) in [
            (0o755, 0o644, true),
            (0o700, 0o600, true),
            // Teams share a checkout through its group, and git trusts that.
            (0o2775, 0o664, true),
            (0o777, 0o644, false),
            (0o1777, 0o644, false),
            (0o702, 0o600, false),
            (0o755, 0o666, false),
        ] {
            set_mode(folder.path(), folder_mode);
            set_mode(&folder.path().join("hubtoken.toml"), file_mode);
            let objection = objection(folder.path(), &trust);
            assert_eq!(objection.is_none(), counts, "{folder_mode:o} {file_mode:o}");
        }
    }

    #[test]
    fn another_owner_does_not_count_unless_the_folder_is_listed() {
        let folder = folder();
        let path = folder.path();
        let owner = path.metadata().unwrap().uid();
        let trust = |safe: &[&Path]| Trust {
            owners: vec![owner + 1],
            safe_directories: safe.iter().map(|path| (*path).to_owned()).collect(),
        };
        let reason = objection(path, &trust(&[])).unwrap();
        assert!(reason.contains("another user"), "{reason}");
        for (safe, counts) in [
            (path.to_owned(), true),
            (path.join(""), true),
            (path.join("."), true),
            (path.parent().unwrap().to_owned(), false),
            (path.join("below"), false),
            (PathBuf::from("*"), false),
            (PathBuf::from("."), false),
            (PathBuf::new(), false),
        ] {
            let objection = objection(path, &trust(&[&safe]));
            assert_eq!(objection.is_none(), counts, "{}", safe.display());
        }
    }

    #[test]
    fn exceptions_are_listed_in_a_variable() {
        let folder = folder();
        set_mode(folder.path(), 0o777);
        let list = std::env::join_paths([Path::new("/elsewhere"), folder.path()]).unwrap();
        let mut environment = StaticEnvironment::default();
        assert!(objection(folder.path(), &Trust::read(&environment)).is_some());
        environment.set(env::HUBTOKEN_SAFE_DIRECTORIES, list);
        assert!(objection(folder.path(), &Trust::read(&environment)).is_none());
    }

    #[test]
    fn a_link_is_judged_by_what_it_points_to() {
        let (shared, own) = (folder(), folder());
        let link = own.path().join("link");
        std::os::unix::fs::symlink(shared.path().join("hubtoken.toml"), &link).unwrap();
        set_mode(&shared.path().join("hubtoken.toml"), 0o666);
        let trust = Trust::read(&StaticEnvironment::default());
        let opened = fs::File::open(&link).unwrap().metadata().unwrap();
        assert!(trust.objection(own.path(), &opened).is_some());
    }
}
