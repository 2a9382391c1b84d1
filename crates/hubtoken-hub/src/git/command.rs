//! Finds the program `git` and defines the environment that it runs in.
//!
//! It inherits only `PATH` from this process's environment. It reads neither user nor system
//! configuration, and runs no hooks but the Hub's. Everything it needs is passed in dedicated
//! variables, none of which contains a secret.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tokio::process::Command;

/// Settings for every run, which override the repository's own configuration.
const SETTINGS: &[(&str, &str)] = &[
    // The data folder may belong to another user, such as root in a container.
    ("safe.directory", "*"),
    ("safe.bareRepository", "all"),
    // Git streams larger files: it does not hold them in memory or try to delta-compress them.
    ("core.bigFileThreshold", "16m"),
    // Acknowledged data must be on disk.
    ("core.fsync", "all"),
    ("core.fsyncMethod", "fsync"),
    // An API commit briefly locks a branch.
    ("core.filesRefLockTimeout", "5000"),
    ("core.packedRefsTimeout", "5000"),
    // Nothing may keep running after a request, or move objects that another program is reading.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("receive.autogc", "false"),
    ("transfer.fsckObjects", "true"),
    ("receive.denyDeleteCurrent", "refuse"),
    ("receive.denyCurrentBranch", "ignore"),
    ("uploadpack.allowFilter", "true"),
    // About half of the memory that a push or a clone may need is caches, which can be smaller.
    ("core.deltaBaseCacheLimit", "16m"),
    ("core.packedGitWindowSize", "16m"),
    ("core.packedGitLimit", "64m"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "32m"),
    ("pack.deltaCacheSize", "16m"),
];

/// Finds git in the folders of `PATH`, given its value.
pub(super) fn find_git(search_path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("git"))
        .find(|program| program.is_file() && is_executable(program))
}

pub(super) fn is_executable(program: &Path) -> bool {
    access(program, Access::EXEC_OK).is_ok()
}

/// A git command, without a repository and with nothing connected.
pub(super) fn build(program: &Path, search_path: &OsStr, hooks: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", search_path)
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1");
    let none = Path::new("/dev/null");
    let settings = SETTINGS
        .iter()
        .map(|(name, value)| (*name, OsString::from(value)))
        .chain([(
            "core.hooksPath",
            hooks.unwrap_or(none).as_os_str().to_owned(),
        )]);
    let mut count = 0;
    for (name, value) in settings {
        command.env(format!("GIT_CONFIG_KEY_{count}"), name);
        command.env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    command.env("GIT_CONFIG_COUNT", count.to_string());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_found_in_absolute_folders_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let program = folder.path().join("git");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        let path = std::env::join_paths([Path::new("."), folder.path()]).unwrap();
        assert_eq!(find_git(&path), None);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        assert_eq!(find_git(&path), Some(program));
        assert_eq!(find_git(OsStr::new("")), None);
    }

    #[test]
    fn nothing_of_our_environment_is_passed_on() {
        let command = build(Path::new("/bin/git"), OsStr::new("/bin"), None);
        let names: Vec<_> = command.as_std().get_envs().map(|(name, _)| name).collect();
        let ours = |name: &&OsStr| {
            let name = name.to_str().unwrap();
            name.starts_with("GIT_") || ["PATH", "LC_ALL", "HOME"].contains(&name)
        };
        assert!(names.iter().all(ours), "{names:?}");
    }
}
