//! Creates the private folders that hold tokens and cached identities.
//!
//! Several parts of hubtoken can be the first to need `HF_HOME`: a login, the lock taken before it,
//! or the identity cache. They all use this function, so the folder's mode does not depend on which
//! of them came first.
//!
//! Root often works in a user's home: with `sudo`, or in a container. What it creates there belongs
//! to that user ([`HomeUser`]), who could not use it otherwise.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// In whose home this process works, as the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeUser {
    /// The user who called `sudo`.
    pub sudo: Option<u32>,
    /// The home folder.
    pub home: Option<PathBuf>,
}

impl HomeUser {
    /// The ID of the user to whom files in that user's folders belong; `None` if this process is
    /// not root's, or works in root's own home.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            if !rustix::process::geteuid().is_root() {
                return None;
            }
            let owner = || Some(self.home.as_deref()?.metadata().ok()?.uid());
            self.sudo.or_else(owner).filter(|id| *id != 0)
        }
        #[cfg(not(unix))]
        {
            None
        }
    }
}

/// Gives a new file or folder to the user of the home, if it is in a folder of that user.
///
/// Without the privilege, the current user stays the owner.
pub fn give(new: &File, parent: &Path, user: Option<u32>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let (Some(user), Ok(parent), Ok(metadata)) = (user, parent.metadata(), new.metadata())
        else {
            return;
        };
        // What someone else put in its place meanwhile is not given away.
        let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
        if parent.uid() == user && is_own {
            let _ = fchown(new, Some(parent.uid()), Some(parent.gid()));
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (new, parent, user);
    }
}

/// Creates a folder that only its owner can access. An existing folder keeps its mode.
///
/// `outermost` is the folder itself or one of its ancestors. It and the folders below it get mode
/// 0700. The folders above it, such as `~/.cache`, do not belong to hubtoken and get the default
/// mode. `user` is the [user of the home](HomeUser).
///
/// # Errors
///
/// Those of the operating system.
pub fn make_private(folder: &Path, outermost: &Path, user: Option<u32>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let outermost = if folder.starts_with(outermost) {
        outermost
    } else {
        folder
    };
    let mut missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        .collect();
    missing.reverse();
    missing.into_iter().try_for_each(|folder| {
        let is_private = folder.starts_with(outermost);
        make_one(folder, is_private, user)
    })
}

fn make_one(folder: &Path, is_private: bool, user: Option<u32>) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    if is_private {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    #[cfg(not(unix))]
    let _ = is_private;
    match builder.create(folder) {
        // It already existed, or another process created it in the meantime.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Ok(()) => {
            if user.is_some()
                && let Some(parent) = folder.parent()
                && let Ok(made) = open_folder(folder)
            {
                give(&made, parent, user);
            }
            Ok(())
        }
        made => made,
    }
}

/// Opens a folder itself, not what a symbolic link in its place leads to.
fn open_folder(folder: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        #[expect(
            clippy::cast_possible_wrap,
            reason = "the system's flags fit into its own type"
        )]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits() as i32);
    }
    options.open(folder)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(folder: &Path) -> u32 {
        folder.metadata().unwrap().permissions().mode() & 0o777
    }

    /// The default mode of a new folder here.
    fn ordinary(root: &Path) -> u32 {
        let folder = root.join("ordinary");
        fs::create_dir(&folder).unwrap();
        mode(&folder)
    }

    #[test]
    fn the_outermost_folder_and_those_below_it_are_private() {
        let root = tempfile::tempdir().unwrap();
        let ordinary = ordinary(root.path());
        let home = root.path().join("cache/huggingface");
        make_private(&home.join("hubtoken/identities"), &home, None).unwrap();
        assert_eq!(mode(&root.path().join("cache")), ordinary);
        for below in ["", "hubtoken", "hubtoken/identities"] {
            assert_eq!(mode(&home.join(below)), 0o700, "{below}");
        }
    }

    #[test]
    fn a_folder_that_is_there_keeps_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o750)).unwrap();
        make_private(&home, &home, None).unwrap();
        make_private(&home.join("hubtoken"), &home, None).unwrap();
        assert_eq!(mode(&home), 0o750);
        assert_eq!(mode(&home.join("hubtoken")), 0o700);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        fs::write(&home, "").unwrap();
        assert!(make_private(&home, &home, None).is_err());
        assert!(make_private(&home.join("below"), &home, None).is_err());
    }

    #[test]
    fn what_root_makes_in_a_users_folder_is_that_users() {
        use std::os::unix::fs::{MetadataExt as _, chown};
        const USER: u32 = 12_345;
        let root = tempfile::tempdir().unwrap();
        let of = |sudo, home: &Path| HomeUser {
            sudo,
            home: Some(home.to_owned()),
        };
        let home = root.path().join("home");
        fs::create_dir(&home).unwrap();
        if !rustix::process::geteuid().is_root() {
            assert_eq!(of(Some(USER), &home).id(), None);
            return;
        }
        assert_eq!(of(None, &home).id(), None);
        assert_eq!(of(Some(USER), &home).id(), Some(USER));
        chown(&home, Some(USER), Some(USER)).unwrap();
        assert_eq!(of(None, &home).id(), Some(USER));
        let cache = home.join(".cache/huggingface");
        make_private(&cache.join("hubtoken"), &cache, of(None, &home).id()).unwrap();
        let owner = |path: &Path| path.metadata().unwrap().uid();
        for made in [
            ".cache",
            ".cache/huggingface",
            ".cache/huggingface/hubtoken",
        ] {
            assert_eq!(owner(&home.join(made)), USER, "{made}");
        }
        // Not what is elsewhere.
        let elsewhere = root.path().join("elsewhere/hubtoken");
        make_private(&elsewhere, &elsewhere, Some(USER)).unwrap();
        assert_eq!(owner(&elsewhere), 0);
        // Nor what a link leads to.
        std::os::unix::fs::symlink(&elsewhere, home.join("link")).unwrap();
        assert!(open_folder(&home.join("link")).is_err());
    }
}
