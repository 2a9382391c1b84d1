//! Creates the private folders that hold tokens and cached identities.
//!
//! Several parts of hubtoken can be the first to need `HF_HOME`: a login, the lock taken before it,
//! or the identity cache. They all use this function, so the folder's mode does not depend on which
//! of them came first.

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Creates a folder that only its owner can access. An existing folder keeps its mode.
///
/// `outermost` is the folder itself or one of its ancestors. It and the folders below it get mode
/// 0700. The folders above it, such as `~/.cache`, do not belong to hubtoken and get the default
/// mode.
///
/// # Errors
///
/// Those of the operating system.
pub fn make_private(folder: &Path, outermost: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let outermost = if folder.starts_with(outermost) {
        outermost
    } else {
        folder
    };
    if let Some(above) = outermost.parent()
        && !above.as_os_str().is_empty()
    {
        DirBuilder::new().recursive(true).create(above)?;
    }
    let mut inner: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| folder.starts_with(outermost))
        .collect();
    inner.reverse();
    inner.into_iter().try_for_each(make_one)
}

fn make_one(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        // It already existed, or another process created it in the meantime.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made,
    }
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
        make_private(&home.join("hubtoken/identities"), &home).unwrap();
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
        make_private(&home, &home).unwrap();
        make_private(&home.join("hubtoken"), &home).unwrap();
        assert_eq!(mode(&home), 0o750);
        assert_eq!(mode(&home.join("hubtoken")), 0o700);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        fs::write(&home, "").unwrap();
        assert!(make_private(&home, &home).is_err());
        assert!(make_private(&home.join("below"), &home).is_err());
    }
}
