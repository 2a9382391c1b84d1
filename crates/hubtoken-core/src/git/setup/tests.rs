//! Tests the setup with the real git and a temporary home folder.

use super::*;
use crate::git::test_machine::Machine;

const KEY: &str = "credential.https://huggingface.co.helper";
const OURS: &str = "!'/opt/hubtoken' git-credential";

#[test]
fn setting_up_twice_is_setting_up_once_and_undoing_restores_the_file() {
    for before in [
        "",
        "[credential]\n\thelper = store\n",
        "[credential \"https://huggingface.co\"]\n\thelper = cache\n\tusername = me\n",
        "# mine\n[credential \"https://huggingface.co\"]\n\thelper = \n\thelper = cache\n",
    ] {
        let machine = Machine::new(before);
        let git = machine.git(Scope::Global);
        let values = git.values(KEY).unwrap();
        assert!(git.set_up(KEY, OURS).unwrap());
        let after = machine.config();
        assert!(!git.set_up(KEY, OURS).unwrap());
        assert_eq!(machine.config(), after);
        let set = git.values(KEY).unwrap();
        assert_eq!(set[..values.len()], values);
        assert_eq!(set[values.len()..], [String::new(), OURS.to_owned()]);

        // The program was moved.
        assert!(git.set_up(KEY, "!'/new/it'\\''s' git-credential").unwrap());
        let moved = git.values(KEY).unwrap();
        assert_eq!(moved.len(), set.len());
        assert_eq!(moved[values.len() + 1], "!'/new/it'\\''s' git-credential");

        assert!(git.undo(KEY).unwrap());
        assert_eq!(git.values(KEY).unwrap(), values);
        assert_eq!(machine.config(), before);
        assert!(!git.undo(KEY).unwrap());
    }
}

#[test]
fn a_repository_has_its_own() {
    let machine = Machine::new("");
    let problem = machine.git(Scope::Local).set_up(KEY, OURS).unwrap_err();
    assert!(problem.contains("git's local configuration"), "{problem}");
    let made = Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(machine.home())
        .status()
        .unwrap();
    assert!(made.success());
    assert!(machine.git(Scope::Local).set_up(KEY, OURS).unwrap());
    assert_eq!(machine.config(), "");
    assert!(machine.git(Scope::Global).values(KEY).unwrap().is_empty());
}

#[test]
fn what_keeps_git_from_writing_is_told() {
    let mut machine = Machine::new("[broken\n");
    let problem = machine.git(Scope::Global).set_up(KEY, OURS).unwrap_err();
    assert!(problem.contains("cannot be read"), "{problem}");
    assert_eq!(machine.config(), "[broken\n");
    let nowhere = machine.home().join("missing/config");
    machine.environment.set("GIT_CONFIG_GLOBAL", nowhere);
    let problem = machine.git(Scope::Global).set_up(KEY, OURS).unwrap_err();
    assert!(problem.contains("cannot be written"), "{problem}");
    let home = machine.home().to_owned();
    machine.environment.set("PATH", home);
    let problem = machine.git(Scope::Global).set_up(KEY, OURS).unwrap_err();
    assert!(problem.contains("no git program"), "{problem}");
}

#[test]
fn one_kind_takes_the_other_ones_place_and_both_are_undone() {
    let alone = "!'/opt/bin/git-credential-hubtoken'";
    for (old, new) in [(OURS, alone), (alone, OURS)] {
        let before = "[credential \"https://huggingface.co\"]\n\thelper = cache\n";
        let machine = Machine::new(before);
        let git = machine.git(Scope::Global);
        assert!(git.set_up(KEY, old).unwrap());
        assert!(git.set_up(KEY, new).unwrap());
        assert_eq!(git.values(KEY).unwrap(), ["cache", "", new]);
        assert!(!git.set_up(KEY, new).unwrap());
        assert!(git.undo(KEY).unwrap());
        assert_eq!(machine.config(), before);
    }
}

#[cfg(unix)]
#[test]
fn a_write_that_fails_half_way_leaves_no_empty_value() {
    use std::os::unix::fs::PermissionsExt as _;
    let before = "[credential \"https://huggingface.co\"]\n\thelper = cache\n";
    let mut machine = Machine::new(before);
    let programs = tempfile::tempdir().unwrap();
    let path = env::ProcessEnvironment.get(env::PATH).unwrap();
    // A git that cannot write our value, as if another process held the lock at that moment.
    let program = programs.path().join("git");
    std::fs::write(
        &program,
        "#!/bin/sh\ncase \"$*\" in *--add*git-credential*) exit 255;; esac\nPATH=$REAL exec git \"$@\"\n"
            .replace("$REAL", &format!("'{}'", path.to_str().unwrap())),
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let folders = [programs.path().to_owned()];
    let folders = folders.into_iter().chain(std::env::split_paths(&path));
    machine
        .environment
        .set("PATH", std::env::join_paths(folders).unwrap());
    let problem = machine.git(Scope::Global).set_up(KEY, OURS).unwrap_err();
    assert!(problem.contains("cannot be written"), "{problem}");
    assert_eq!(machine.config(), before);
}

#[test]
fn the_users_file_is_written_from_a_folder_that_cannot_be_entered() {
    let machine = Machine::new("");
    let folder = machine.home().join("gone");
    let git = |scope| Git {
        folder: Some(&folder),
        ..machine.git(scope)
    };
    assert_eq!(git(Scope::Global).set_up(KEY, OURS), Ok(true));
    assert!(git(Scope::Local).set_up(KEY, OURS).is_err());
}
