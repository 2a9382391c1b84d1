//! Tests with the real git, which reads a temporary configuration.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::env::StaticEnvironment;
use crate::git::setup::Scope;

struct Machine {
    home: TempDir,
    environment: StaticEnvironment,
}

impl Machine {
    fn new(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut environment = StaticEnvironment::default();
        environment.set("HOME", home.path());
        environment.set("GIT_CONFIG_GLOBAL", home.path().join("gitconfig"));
        environment.set("GIT_CONFIG_NOSYSTEM", "1");
        environment.set("GIT_CEILING_DIRECTORIES", home.path().parent().unwrap());
        let machine = Self { home, environment };
        machine.write("gitconfig", config);
        machine
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn helpers(&self) -> Result<Vec<ConfiguredHelper>, String> {
        let git = Git {
            environment: &self.environment,
            folder: Some(self.home.path()),
            scope: Scope::Global,
        };
        git.configured_helpers()
    }
}

#[test]
fn our_helpers_are_found_wherever_git_reads_them() {
    let machine = Machine::new(
        "[credential]\n\thelper\n\thelper = store\n\thelper = hubtoken\n\
         [credential \"https://huggingface.co\"]\n\thelper = \n\
         \thelper = \"!'/gone/git-credential-hubtoken'\"\n\tusername = me\n\
         [include]\n\tpath = more\n",
    );
    let more = machine.write(
        "more",
        "[credential \"http://127.0.0.1:8080\"]\n\thelper = !hubtoken git-credential\n",
    );
    let found = machine.helpers().unwrap();
    let urls: Vec<_> = found.iter().map(|helper| helper.url.as_deref()).collect();
    assert_eq!(
        urls,
        [
            None,
            Some("https://huggingface.co"),
            Some("http://127.0.0.1:8080")
        ]
    );
    assert_eq!(found[2].origin, format!("file:{}", more.display()));
    for helper in &found {
        assert!(!helper.exists, "{helper:?}");
        assert!(helper.warning().unwrap().contains("is not there"));
    }
    let warning = found[2].warning().unwrap();
    assert!(
        warning.contains("setup-git --endpoint http://127.0.0.1:8080"),
        "{warning}"
    );
    let there = ConfiguredHelper {
        exists: true,
        ..found[1].clone()
    };
    assert_eq!(there.warning(), None);
}

#[test]
fn a_helper_of_the_repository_is_named_as_such() {
    let machine = Machine::new("");
    assert_eq!(machine.helpers(), Ok(Vec::new()));
    let made = std::process::Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(machine.home.path())
        .status()
        .unwrap();
    assert!(made.success());
    let git = Git {
        environment: &machine.environment,
        folder: Some(machine.home.path()),
        scope: Scope::Local,
    };
    let key = "credential.https://me:hunter2@hub.example.helper";
    git.set_up(key, "!'/gone' git-credential").unwrap();
    let found = machine.helpers().unwrap();
    let warning = found[0].warning().unwrap();
    assert!(
        warning.contains("--local --endpoint https://hub.example") && !warning.contains("hunter2")
    );
}

#[test]
fn a_configuration_that_git_cannot_read_is_an_error() {
    assert!(Machine::new("[broken\n").helpers().is_err());
}
