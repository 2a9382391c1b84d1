//! Tests what `hubtoken use` writes and what it preserves.
#![allow(clippy::unwrap_used)]

use tempfile::TempDir;

use super::*;
use crate::paths::PYPROJECT_FILE;

fn trust() -> Trust {
    Trust::read(&crate::env::StaticEnvironment::default())
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn written(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn a_folder_without_a_file_gets_one_and_loses_it() {
    let folder = folder();
    let pinned = pin(folder.path(), Some("ci"), &trust()).unwrap();
    assert_eq!(pinned.file, folder.path().join(PROJECT_FILE));
    assert!(pinned.changed);
    assert_eq!(written(&folder, PROJECT_FILE), "profile = \"ci\"\n");
    assert!(!pin(folder.path(), Some("ci"), &trust()).unwrap().changed);
    assert!(pin(folder.path(), None, &trust()).unwrap().changed);
    assert!(!folder.path().join(PROJECT_FILE).exists());
    assert!(!pin(folder.path(), None, &trust()).unwrap().changed);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_rest_of_a_file_stays_to_the_letter() {
    let folder = folder();
    let text = "# ours\nrole = 'write'   # needed\nprofile = \"old\" # mine\n\nrepo=\"acme/x\"\n";
    fs::write(folder.path().join(PROJECT_FILE), text).unwrap();
    assert!(
        pin(folder.path(), Some("ü [\"x\"]"), &trust())
            .unwrap()
            .changed
    );
    let expected = text.replace("\"old\"", "'ü [\"x\"]'");
    assert_eq!(written(&folder, PROJECT_FILE), expected);
    let read = search::of_folder(folder.path(), &trust())
        .unwrap()
        .found
        .unwrap();
    assert_eq!(read.profile.as_deref(), Some("ü [\"x\"]"));
    pin(folder.path(), None, &trust()).unwrap();
    assert!(written(&folder, PROJECT_FILE).contains("role = 'write'   # needed"));
    assert!(!written(&folder, PROJECT_FILE).contains("profile"));
}

#[test]
fn a_pyproject_with_a_table_is_the_place() {
    let folder = folder();
    let path = folder.path().join(PYPROJECT_FILE);
    let text =
        "[project]\nname = \"x\"\n\n[tool.hubtoken]\nrole = \"read\"\n\n[tool.ruff]\na = 1\n";
    fs::write(&path, text).unwrap();
    assert_eq!(pin(folder.path(), Some("ci"), &trust()).unwrap().file, path);
    let expected = text.replace("\"read\"\n", "\"read\"\nprofile = \"ci\"\n");
    assert_eq!(written(&folder, PYPROJECT_FILE), expected);
    pin(folder.path(), None, &trust()).unwrap();
    assert_eq!(written(&folder, PYPROJECT_FILE), text);
    // Without the table, the file belongs to other tools.
    fs::write(&path, "[tool.ruff]\n").unwrap();
    let pinned = pin(folder.path(), Some("ci"), &trust()).unwrap();
    assert_eq!(pinned.file, folder.path().join(PROJECT_FILE));
    assert_eq!(written(&folder, PYPROJECT_FILE), "[tool.ruff]\n");
    // An inline table.
    fs::remove_file(&pinned.file).unwrap();
    fs::write(&path, "[tool]\nhubtoken = { role = \"read\" }\n").unwrap();
    pin(folder.path(), Some("ci"), &trust()).unwrap();
    let read = search::of_folder(folder.path(), &trust())
        .unwrap()
        .found
        .unwrap();
    assert_eq!(read.profile.as_deref(), Some("ci"));
}

#[test]
fn a_broken_file_is_left_as_it_is() {
    for text in [
        "profile = ",
        "endpoint = \"https://evil.example\"",
        "token = \"hf_FakeFakeFakeFakeFakeFakeFakeFakeXX\"",
    ] {
        let folder = folder();
        fs::write(folder.path().join(PROJECT_FILE), text).unwrap();
        let error = pin(folder.path(), Some("ci"), &trust()).unwrap_err();
        assert!(matches!(error, Error::Configuration(_)), "{error}");
        assert!(!error.to_string().contains("Fake"), "{error}");
        assert_eq!(written(&folder, PROJECT_FILE), text);
    }
}

#[test]
fn a_file_above_is_hidden_and_named() {
    let folder = folder();
    let inner = folder.path().join("a/b");
    fs::create_dir_all(&inner).unwrap();
    pin(folder.path(), Some("outer"), &trust()).unwrap();
    let pinned = pin(&inner, Some("inner"), &trust()).unwrap();
    assert_eq!(pinned.shadows, Some(folder.path().join(PROJECT_FILE)));
    assert_eq!(written(&folder, PROJECT_FILE), "profile = \"outer\"\n");
    assert_eq!(pin(&inner, Some("other"), &trust()).unwrap().shadows, None);
}

#[cfg(unix)]
#[test]
fn modes_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = folder();
    let path = folder.path().join("shared.toml");
    fs::write(&path, "role = \"read\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    symlink("shared.toml", folder.path().join(PROJECT_FILE)).unwrap();
    pin(folder.path(), Some("ci"), &trust()).unwrap();
    let link = folder.path().join(PROJECT_FILE);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(written(&folder, "shared.toml").contains("ci"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o664);
}

#[cfg(unix)]
#[test]
fn the_target_of_a_link_is_made_if_it_is_missing() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let link = folder.path().join(PROJECT_FILE);
    symlink("one", &link).unwrap();
    symlink("two.toml", folder.path().join("one")).unwrap();
    pin(folder.path(), Some("ci"), &trust()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(written(&folder, "two.toml").contains("ci"));
    // Nothing is made where a folder is missing on the way, or where the links lead in a circle.
    for target in ["missing/hubtoken.toml", PROJECT_FILE] {
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        let error = pin(folder.path(), Some("ci"), &trust()).unwrap_err();
        assert!(!error.to_string().is_empty());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

#[test]
fn what_cannot_be_written_is_told() {
    let folder = folder();
    // A folder that no longer exists.
    let gone = folder.path().join("gone");
    let error = pin(&gone, Some("ci"), &trust()).unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    // Something other than a file.
    fs::create_dir(folder.path().join(PROJECT_FILE)).unwrap();
    let error = pin(folder.path(), Some("ci"), &trust()).unwrap_err();
    assert!(matches!(error, Error::Configuration(_)), "{error}");
}

#[cfg(unix)]
#[test]
fn in_a_folder_of_all_it_is_said_that_the_file_does_not_count() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let set_mode =
        |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o1777);
    for changed in [true, false] {
        let pinned = pin(folder.path(), Some("ci"), &trust()).unwrap();
        assert_eq!(pinned.changed, changed);
        assert!(pinned.objection.unwrap().contains("any user can write"));
    }
    let taken_back = pin(folder.path(), None, &trust()).unwrap();
    assert!(taken_back.changed && taken_back.objection.is_none());
    let listed = trust().with_safe_directories(&[folder.path().to_owned()]);
    let pinned = pin(folder.path(), Some("ci"), &listed).unwrap();
    assert_eq!(pinned.objection, None);
    // What others may have written must not become this user's own file.
    let file = folder.path().join(PROJECT_FILE);
    fs::write(&file, "sources = []\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let error = pin(folder.path(), Some("ci"), &trust()).unwrap_err();
    assert!(error.to_string().contains("left as it is"), "{error}");
    assert_eq!(written(&folder, PROJECT_FILE), "sources = []\n");
    set_mode(0o755);
    assert!(pin(folder.path(), Some("ci"), &trust()).is_err());
}
