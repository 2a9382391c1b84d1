//! Tests with the real git, which reads a temporary configuration.

use super::*;
use crate::git::setup::Scope;
use crate::git::test_machine::Machine;

fn helpers(machine: &Machine) -> Result<Vec<ConfiguredHelper>, String> {
    machine.git(Scope::Global).configured_helpers()
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
    let found = helpers(&machine).unwrap();
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
    assert_eq!(helpers(&machine), Ok(Vec::new()));
    let made = std::process::Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(machine.home())
        .status()
        .unwrap();
    assert!(made.success());
    let git = machine.git(Scope::Local);
    let key = "credential.https://me:hunter2@hub.example.helper";
    git.set_up(key, "!'/gone' git-credential").unwrap();
    let found = helpers(&machine).unwrap();
    let warning = found[0].warning().unwrap();
    assert!(
        warning.contains("--local --endpoint https://hub.example") && !warning.contains("hunter2")
    );
}

#[test]
fn a_configuration_that_git_cannot_read_is_an_error() {
    assert!(helpers(&Machine::new("[broken\n")).is_err());
}
