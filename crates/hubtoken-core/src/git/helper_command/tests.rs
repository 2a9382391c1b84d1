//! Tests which value is written, and which values are recognized.

use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::env::StaticEnvironment;

fn found(hubtoken: Option<&Path>, path: impl AsRef<std::ffi::OsStr>) -> Result<String, String> {
    let mut environment = StaticEnvironment::default();
    environment.set("PATH", path.as_ref());
    helper(hubtoken, &environment)
}

#[test]
fn a_path_is_quoted_for_the_shell() {
    for path in ["/plain/hubtoken", "/it's/a $HOME `x` \"y\"/hubtoken"] {
        let helper = format!("!{}{VERB}", quoted(Path::new(path)).unwrap());
        assert!(is_ours(&helper));
        let words = format!("printf '%s|' {}", helper.strip_prefix('!').unwrap());
        let output = Command::new("sh").args(["-c", &words]).output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("{path}|git-credential|")
        );
    }
    assert!(is_ours("!hubtoken git-credential"));
    for ours in [
        "!'/opt/bin/git-credential-hubtoken'",
        "!'C:/Program Files/Python/Scripts/git-credential-hubtoken.exe'",
        "!'/it'\\''s/git-credential-hubtoken'",
    ] {
        assert!(is_ours(ours), "{ours}");
    }
    for other in [
        "",
        "store",
        "!gh auth git-credential",
        "!'/usr/bin/gh' auth git-credential",
        "hubtoken",
        "/opt/bin/git-credential-hubtoken",
        "!'/opt/bin/git-credential-hubtoken' --mine",
        "!'/opt/bin/my-git-credential-hubtoken'",
        "!'git-credential-hubtoken'",
        "!'",
    ] {
        assert!(!is_ours(other), "{other}");
    }
}

/// An empty file that can be run.
fn program(path: &Path) {
    std::fs::write(path, "").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// A folder with empty files that stand for programs.
fn programs(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        program(&folder.path().join(name));
    }
    folder
}

#[test]
fn the_program_that_does_nothing_else_is_preferred_where_it_is() {
    let name = format!("git-credential-hubtoken{EXE_SUFFIX}");
    let both = programs(&["hubtoken", &name]);
    let value = found(Some(&both.path().join("hubtoken")), "").unwrap();
    assert_eq!(
        value,
        format!("!{}", quoted(&both.path().join(&name)).unwrap())
    );
    assert!(is_ours(&value));
    let verb_alone = programs(&["hubtoken"]);
    let value = found(Some(&verb_alone.path().join("hubtoken")), "").unwrap();
    assert!(value.ends_with("hubtoken' git-credential"), "{value}");

    let windows = programs(&["hubtoken.exe", "git-credential-hubtoken.exe"]);
    let hubtoken = windows.path().join("hubtoken.exe");
    assert_eq!(
        alone(&hubtoken, ".exe"),
        Some(windows.path().join("git-credential-hubtoken.exe"))
    );
    assert_eq!(alone(&verb_alone.path().join("hubtoken"), ".exe"), None);
    std::fs::create_dir(verb_alone.path().join("git-credential-hubtoken")).unwrap();
    assert_eq!(alone(&verb_alone.path().join("hubtoken"), ""), None);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_only_where_nothing_lies_beside_it() {
    let name = "git-credential-hubtoken";
    let real = programs(&["hubtoken", name]);
    let links = programs(&[]);
    let link = links.path().join("hubtoken");
    std::os::unix::fs::symlink(real.path().join("hubtoken"), &link).unwrap();
    let real = real.path().canonicalize().unwrap();
    assert_eq!(alone(&link, ""), Some(real.join(name)));
    std::os::unix::fs::symlink(real.join(name), links.path().join(name)).unwrap();
    assert_eq!(alone(&link, ""), Some(links.path().join(name)));
}

#[test]
fn a_helper_that_is_not_there_is_not_written() {
    let (empty, there) = (programs(&[]), programs(&["hubtoken"]));
    let plain = tempfile::tempdir().unwrap();
    std::fs::write(plain.path().join("hubtoken"), "").unwrap();
    std::fs::create_dir(empty.path().join("hubtoken")).unwrap();
    let missing = empty.path().join("gone");
    let folder = empty.path().join("hubtoken");
    let relative = Path::new("bin/hubtoken");
    for hubtoken in [None, Some(&*missing), Some(&*folder), Some(relative)] {
        for path in ["", "bin:.", empty.path().to_str().unwrap()] {
            let problem = found(hubtoken, path).unwrap_err();
            assert!(
                problem.contains("no program") && problem.contains("PATH"),
                "{problem}"
            );
        }
        // The one on PATH, by its absolute path.
        let path = std::env::join_paths([empty.path(), there.path()]).unwrap();
        let value = found(hubtoken, path).unwrap();
        let quoted = quoted(&there.path().join("hubtoken")).unwrap();
        assert_eq!(value, format!("!{quoted} git-credential"));
    }
    #[cfg(unix)]
    assert!(found(Some(&plain.path().join("hubtoken")), plain.path()).is_err());
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_text_is_an_error() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
    if std::fs::create_dir(&odd).is_ok() {
        program(&odd.join("hubtoken"));
        let problem = found(Some(&odd.join("hubtoken")), "").unwrap_err();
        assert!(problem.contains("not text"), "{problem}");
    }
}

#[test]
fn whether_a_written_helper_is_still_there_is_known() {
    let folder = programs(&["hubtoken", "it's", "git-credential-hubtoken"]);
    let mut environment = StaticEnvironment::default();
    let at = |name: &str| quoted(&folder.path().join(name)).unwrap();
    for (value, exists) in [
        (format!("!{} git-credential", at("hubtoken")), Some(true)),
        (format!("!{} git-credential", at("it's")), Some(true)),
        (format!("!{} git-credential", at("gone")), Some(false)),
        (format!("!{}", at("git-credential-hubtoken")), Some(true)),
        (format!("!{}", at("x/git-credential-hubtoken")), Some(false)),
        ("!hubtoken git-credential".to_owned(), Some(false)),
        ("hubtoken".to_owned(), Some(false)),
        ("store".to_owned(), None),
        (String::new(), None),
        ("!'/usr/bin/gh' auth git-credential".to_owned(), None),
    ] {
        assert_eq!(program_exists(&value, &environment), exists, "{value}");
    }
    // The interpreter of a script may be gone while the script is there.
    for (first, exists) in [
        ("#!/gone/python\n", false),
        ("#! /gone/python -I\n", false),
        ("#!/gone/python", false),
        ("#!/bin/sh\n", cfg!(unix)),
        ("#!python\n", true),
        ("\u{7f}ELF", true),
    ] {
        std::fs::write(folder.path().join("it's"), first).unwrap();
        let value = format!("!{} git-credential", at("it's"));
        assert_eq!(
            program_exists(&value, &environment),
            Some(exists),
            "{first}"
        );
    }
    environment.set("PATH", folder.path());
    for value in ["!hubtoken git-credential", "hubtoken"] {
        assert_eq!(program_exists(value, &environment), Some(true), "{value}");
    }
}
