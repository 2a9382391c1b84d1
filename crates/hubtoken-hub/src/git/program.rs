//! The program `git`: where it is, and in which surroundings it runs.
//!
//! It sees nothing of this process's environment but where programs are, no configuration of the user's or the
//! machine's, and no hooks but ours. What it needs to know is said in variables of its own; no secret is among them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tokio::process::Command;

/// What holds for every run, whatever the repository's own configuration says.
const SETTINGS: &[(&str, &str)] = &[
    // The data folder may be another user's, such as root's in a container.
    ("safe.directory", "*"),
    ("safe.bareRepository", "all"),
    // What is larger is streamed by git as well, not held in memory, and not compared with other files.
    ("core.bigFileThreshold", "16m"),
    // What is acknowledged is on the disk.
    ("core.fsync", "all"),
    ("core.fsyncMethod", "fsync"),
    // An API commit holds a branch for a moment.
    ("core.filesRefLockTimeout", "5000"),
    ("core.packedRefsTimeout", "5000"),
    // Nothing runs on after a request, and nothing moves objects that another program is reading.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("receive.autogc", "false"),
    ("transfer.fsckObjects", "true"),
    ("receive.denyDeleteCurrent", "refuse"),
    ("receive.denyCurrentBranch", "ignore"),
    ("uploadpack.allowFilter", "true"),
    // Half of the memory that a push or a clone may need is a cache that can be smaller.
    ("core.deltaBaseCacheLimit", "16m"),
    ("core.packedGitWindowSize", "16m"),
    ("core.packedGitLimit", "64m"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "32m"),
    ("pack.deltaCacheSize", "16m"),
];

/// Finds git, given the value of `PATH`.
pub(super) fn find(search_path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("git"))
        .find(|program| program.is_file() && is_executable(program))
}

pub(super) fn is_executable(program: &Path) -> bool {
    access(program, Access::EXEC_OK).is_ok()
}

/// A run of git, in no repository yet and with nothing connected.
pub(super) fn command(program: &Path, search_path: &OsStr, hooks: Option<&Path>) -> Command {
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
        assert_eq!(find(&path), None);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        assert_eq!(find(&path), Some(program));
        assert_eq!(find(OsStr::new("")), None);
    }

    #[test]
    fn nothing_of_our_environment_is_passed_on() {
        let command = command(Path::new("/bin/git"), OsStr::new("/bin"), None);
        let names: Vec<_> = command.as_std().get_envs().map(|(name, _)| name).collect();
        let ours = |name: &&OsStr| {
            let name = name.to_str().unwrap();
            name.starts_with("GIT_") || ["PATH", "LC_ALL", "HOME"].contains(&name)
        };
        assert!(names.iter().all(ours), "{names:?}");
    }
}
