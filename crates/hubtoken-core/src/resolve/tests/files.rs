//! Tests configurations, mounted secrets, and folders that disappear.

use super::super::project_defaults::Defaults;
use super::*;
use crate::role::Role;

#[test]
fn a_project_cannot_bring_back_what_the_user_left_out() {
    let machine = Machine::new();
    machine.write(FILE, FIRST);
    machine.write(".config/hubtoken/config.toml", "sources = [\"config\"]");
    machine.write("hubtoken.toml", "sources = [\"config\", \"file\"]");
    assert!(matches!(machine.error(None), Error::TokenNotFound { .. }));
}

#[test]
fn a_project_says_what_it_needs() {
    let machine = Machine::new();
    let folder = Some(machine.home.path().join("project"));
    let defaults = || {
        machine.resolver.clear_cache();
        machine
            .resolver
            .defaults(&machine.environment, folder.as_deref())
    };
    assert_eq!(defaults().unwrap(), Defaults::default());
    machine.write(".config/hubtoken/config.toml", "role = \"read\"");
    machine.write("hubtoken.toml", "repo = \"datasets/acme/x\"");
    let found = defaults().unwrap();
    assert_eq!(found.role, Some(Role::Read));
    assert_eq!(found.repo.as_deref(), Some("datasets/acme/x"));
    machine.write("hubtoken.toml", "role = \"write\"");
    assert_eq!(defaults().unwrap().role, Some(Role::Write));
    machine.write("hubtoken.toml", "repo = \"a/b/c/d\"");
    assert!(matches!(defaults(), Err(Error::Configuration(_))));
}

#[test]
fn a_folder_that_is_gone_has_no_project() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    let inputs = Inputs::read(&machine.environment, None);
    assert!(machine.resolver.resolve(&AMBIENT, &inputs).is_ok());
    // One that disappears while its configuration is searched for.
    let folder = Some(machine.home.path().join("gone/further/below"));
    let defaults = machine
        .resolver
        .defaults(&machine.environment, folder.as_deref());
    assert_eq!(defaults.unwrap(), Defaults::default());
}

#[cfg(unix)]
#[test]
fn a_mounted_secret_that_is_swapped_is_seen() {
    use std::os::unix::fs::symlink;
    // As in Kubernetes: the file is a link into a folder that is itself a link, which is replaced.
    for configured in [false, true] {
        let mut machine = Machine::new();
        let mount = machine.home.path().join("mount");
        for (version, value) in [("1", FIRST), ("2", SECOND)] {
            machine.write(&format!("mount/..{version}/token"), value);
        }
        symlink("..1", mount.join("..data")).unwrap();
        symlink("..data/token", mount.join("token")).unwrap();
        let named = mount.join("token");
        if configured {
            let text = format!("token_file = '{}'", named.display());
            machine.write(".config/hubtoken/config.toml", text);
        } else {
            machine.set("HF_TOKEN_PATH", named.to_str().unwrap());
        }
        for (version, value) in [("..1", FIRST), ("..2", SECOND), ("..1", FIRST)] {
            let new = mount.join("..new");
            symlink(version, &new).unwrap();
            std::fs::rename(&new, mount.join("..data")).unwrap();
            let found = machine.ask(Argument::Ambient, None).unwrap();
            assert_eq!(found.credential.unwrap().token.expose(), value);
        }
    }
}
