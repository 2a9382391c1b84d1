//! Tests which file applies and which files are skipped.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::env::StaticEnvironment;

fn trust() -> Trust {
    Trust::read(&StaticEnvironment::default())
}

fn find(folder: &Path) -> Result<Option<Configuration>, Error> {
    Ok(find_project(folder, &trust())?.found)
}

#[test]
fn the_nearest_file_counts() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(root.path().join(PROJECT_FILE), "profile = \"outer\"").unwrap();
    std::fs::write(
        root.path().join("a").join(PYPROJECT_FILE),
        "[tool.ruff]\nx = 1",
    )
    .unwrap();
    let found = find(&inner).unwrap().unwrap();
    assert_eq!(found.profile.as_deref(), Some("outer"));
    std::fs::write(
        root.path().join("a").join(PYPROJECT_FILE),
        "[tool.hubtoken]\nprofile = \"inner\"",
    )
    .unwrap();
    let found = find(&inner).unwrap().unwrap();
    assert_eq!(found.profile.as_deref(), Some("inner"));
}

#[test]
fn a_broken_file_of_other_tools_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join(PYPROJECT_FILE), "[project").unwrap();
    assert!(find(root.path()).is_ok());
    let dependency = "[project]\ndependencies = [\"hubtoken\"";
    std::fs::write(root.path().join(PYPROJECT_FILE), dependency).unwrap();
    assert!(find(root.path()).is_ok());
    std::fs::write(root.path().join(PYPROJECT_FILE), "[tool.hubtoken").unwrap();
    assert!(find(root.path()).is_err());
}

#[cfg(unix)]
mod passed_over {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A folder that any user can write to, inside one that belongs to this user.
    fn shared(text: &str, name: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(PROJECT_FILE), "profile = \"own\"").unwrap();
        let shared = root.path().join("shared");
        fs::create_dir_all(shared.join("work")).unwrap();
        fs::write(shared.join(name), text).unwrap();
        set_mode(&shared, 0o1777);
        root
    }

    fn search(root: &tempfile::TempDir) -> Search {
        find_project(&root.path().join("shared/work"), &trust()).unwrap()
    }

    #[test]
    fn a_file_in_a_folder_of_all_is_passed_over_for_the_next() {
        let root = shared("profile = \"admin\"", PROJECT_FILE);
        let search = search(&root);
        assert_eq!(search.found.unwrap().profile.as_deref(), Some("own"));
        let [file] = &search.passed_over[..] else {
            panic!("{:?}", search.passed_over);
        };
        assert_eq!(file.path, root.path().join("shared").join(PROJECT_FILE));
        assert_eq!((file.why, file.role), (Why::Distrusted, Mention::Absent));
        let warning = file.warning().unwrap();
        assert!(
            warning.contains("any user can write to its folder"),
            "{warning}"
        );
        assert!(warning.contains("HUBTOKEN_SAFE_DIRECTORIES"), "{warning}");
    }

    #[test]
    fn a_role_in_a_passed_over_file_is_seen_however_it_is_written() {
        for (text, name, role) in [
            ("role = \"write\"", PROJECT_FILE, Some(Mention::Present)),
            ("role = 3", PROJECT_FILE, Some(Mention::Present)),
            (
                "unknown = 1\nrole = \"write\"",
                PROJECT_FILE,
                Some(Mention::Present),
            ),
            ("profile = \"role\"", PROJECT_FILE, Some(Mention::Absent)),
            ("role = ", PROJECT_FILE, Some(Mention::Possible)),
            (
                "[tool.hubtoken]\nrole = ",
                PYPROJECT_FILE,
                Some(Mention::Possible),
            ),
            (
                "dependencies = [\"hubtoken\", \"roles\"",
                PYPROJECT_FILE,
                None,
            ),
            ("profile", PROJECT_FILE, Some(Mention::Absent)),
            (
                "[tool.hubtoken]\nrole = \"read\"",
                PYPROJECT_FILE,
                Some(Mention::Present),
            ),
            (
                "[tool.hubtoken]\nrepo = \"a/b\"",
                PYPROJECT_FILE,
                Some(Mention::Absent),
            ),
            ("[tool.ruff]\nrole = 1 # hubtoken", PYPROJECT_FILE, None),
            ("[project]", PYPROJECT_FILE, None),
        ] {
            let root = shared(text, name);
            let search = search(&root);
            let shown: Vec<Mention> = search.passed_over.iter().map(|file| file.role).collect();
            assert_eq!(shown, role.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn nothing_that_others_write_is_an_error() {
        for text in ["token_command = [\"sh\"]", "[[[", "profile = 3", "\u{0}"] {
            let root = shared(text, PROJECT_FILE);
            assert_eq!(search(&root).passed_over.len(), 1, "{text}");
        }
        // A file that is too large may name a role; a folder of that name cannot.
        let root = shared(&"#".repeat(2 * 1024 * 1024), PROJECT_FILE);
        assert_eq!(search(&root).passed_over[0].role, Mention::Possible);
        let root = shared("", "unused");
        fs::create_dir(root.path().join("shared").join(PROJECT_FILE)).unwrap();
        assert_eq!(search(&root).passed_over[0].role, Mention::Absent);
        // In the user's own folder, it is the user's own mistake.
        set_mode(&root.path().join("shared"), 0o755);
        let folder = root.path().join("shared");
        assert!(find_project(&folder, &trust()).is_err());
    }

    #[test]
    fn a_link_in_a_folder_of_all_does_not_count_wherever_it_leads() {
        let root = shared("", "unused");
        let link = root.path().join("shared").join(PROJECT_FILE);
        symlink(root.path().join(PROJECT_FILE), link).unwrap();
        let search = search(&root);
        assert_eq!(search.passed_over.len(), 1);
    }

    #[test]
    fn a_link_to_itself_and_a_path_that_is_too_long_are_absent() {
        let root = shared("", "unused");
        set_mode(&root.path().join("shared"), 0o755);
        let link = root.path().join("shared").join(PROJECT_FILE);
        symlink(&link, &link).unwrap();
        let found = search(&root);
        assert_eq!(found.found.unwrap().profile.as_deref(), Some("own"));
        let file = &found.passed_over[0];
        assert_eq!((file.why, file.role), (Why::Unreadable, Mention::Possible));
        let long = root.path().join("x".repeat(250)).join("y".repeat(5000));
        let found = find_project(&long, &trust()).unwrap();
        assert_eq!(found.found.unwrap().profile.as_deref(), Some("own"));
        assert_eq!(found.passed_over[0].why, Why::Hidden);
        assert_eq!(found.passed_over[0].warning(), None);
    }

    #[test]
    fn a_fifo_is_no_configuration_and_keeps_no_one_waiting() {
        let root = shared("", "unused");
        let path = root.path().join("shared").join(PROJECT_FILE);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert_eq!(search(&root).passed_over.len(), 1);
    }

    #[test]
    fn a_folders_name_writes_no_control_characters_to_a_terminal() {
        let file = PassedOver {
            path: "/a\u{1b}[31m\u{7}/hubtoken.toml".into(),
            reason: "/a\u{1b}[31m is odd".to_owned(),
            why: Why::Distrusted,
            role: Mention::Present,
        };
        let warning = file.warning().unwrap();
        let defaults = crate::resolve::project_defaults::Defaults {
            passed_over: [file].into(),
            ..Default::default()
        };
        let error = defaults.needed_role().unwrap_err().to_string();
        for shown in [warning, error] {
            assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
        }
    }
}
