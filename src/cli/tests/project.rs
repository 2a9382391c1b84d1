//! A folder's token, and the requirements of its project.

use super::*;

const STORED: &str = ".cache/huggingface/stored_tokens";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.write(
        STORED,
        &format!("[ci]\nhf_token = {FIRST}\n\n[lab]\nhf_token = {SECOND}\n"),
    );
    machine
}

fn source(machine: &Machine) -> (Value, Value) {
    let token = machine.json(&["explain"], 0)["token"].take();
    (token["source"].clone(), token["mask"].clone())
}

#[test]
fn a_folder_uses_its_own_token_until_that_is_undone() {
    let machine = machine();
    let file = machine.home.path().join("hubtoken.toml");
    let value = machine.json(&["use", "ci"], 0);
    assert_eq!(value["profile"], "ci");
    assert_eq!(value["changed"], true);
    assert_eq!(value["file"], file.to_str().unwrap());
    assert_eq!(source(&machine).1, "hf_…keAA");
    let ran = machine.run(&["use", "lab"]);
    let done = "`lab` is the token of this folder: ~/hubtoken.toml\n";
    assert!(ran.out.starts_with(done), "{ran:?}");
    assert_eq!(source(&machine).1, "hf_…akBB");
    assert_eq!(machine.json(&["use", "lab"], 0)["changed"], false);
    assert_eq!(machine.json(&["use", "--undo"], 0)["profile"], Value::Null);
    assert!(!file.exists());
    assert_eq!(machine.run(&["explain"]).code, 1);
    // Only the folder's file was changed.
    assert!(
        !machine
            .home
            .path()
            .join(".cache/huggingface/token")
            .exists()
    );
}

#[test]
fn a_name_that_is_not_stored_changes_nothing() {
    let machine = machine();
    machine.write("hubtoken.toml", "profile = \"ci\"\n");
    for (arguments, code, part) in [
        (&["use", "gone"][..], 1, "stored tokens are: ci, lab"),
        (&["use"], 2, "<NAME>"),
        (&["use", "ci", "--undo"], 2, "--undo"),
        (&["use", FIRST], 2, "looks like a token"),
    ] {
        let ran = machine.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{ran:?}");
        assert!(ran.err.contains(part), "{ran:?}");
    }
    let text = std::fs::read_to_string(machine.home.path().join("hubtoken.toml")).unwrap();
    assert_eq!(text, "profile = \"ci\"\n");
}

#[test]
fn what_goes_before_the_folders_token_is_told() {
    let mut machine = machine();
    machine.set("HUGGING_FACE_HUB_TOKEN", SECOND);
    let value = machine.json(&["use", "ci"], 0);
    let warning = value["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("HUGGING_FACE_HUB_TOKEN is set"),
        "{warning}"
    );
    assert_eq!(source(&machine).0, "env:HUGGING_FACE_HUB_TOKEN");
}

#[test]
fn a_broken_project_is_told_and_left() {
    let machine = machine();
    machine.write("hubtoken.toml", &format!("profile = \"{FIRST}\""));
    for arguments in [
        &["use", "ci"][..],
        &["require", "write"],
        &["run", "--", "x"],
    ] {
        let ran = machine.run(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("holds a token"), "{ran:?}");
    }
}

/// With the token in a variable, a file that names what it may not is an error only where its role
/// or its repository would count.
#[test]
fn an_invalid_project_is_told_by_every_verb() {
    let mut machine = machine();
    machine.set("HF_TOKEN", FIRST);
    machine.set("HF_HUB_OFFLINE", "1");
    machine.secrets.retain(|secret| secret != FIRST);
    let warned = [
        (&["whoami"][..], 3),
        (&["status"], 3),
        (&["token"], 0),
        (&["token", "--profile", "lab"], 0),
        (&["require", "write", "--repo", "a/b"], 3),
        (&["require", "write", "--no-repo"], 3),
        (&["require", "write", "--namespace", "a"], 3),
        (&["require", "--permission", "job.write"], 3),
        (&["run", "--no-check", "--", "x"], 126),
        (&["run", "--role", "read", "--repo", "a/b", "--", "x"], 3),
    ];
    let refused = [
        &["require"][..],
        &["require", "write"],
        &["require", "--repo", "a/b"],
        &["run", "--", "x"],
        &["run", "--role", "read", "--", "x"],
    ];
    for text in [
        "token_command = [\"sh\"]",
        "endpoint = \"https://evil.example\"",
        "token = \"hf_ProjectFakeFakeFakeFakeFakeFakeFakeAA\"",
    ] {
        machine.write("hubtoken.toml", text);
        machine.secrets = vec![SECOND.to_owned(), text[7..].to_owned()];
        for (arguments, code) in warned {
            machine
                .secrets
                .retain(|secret| secret != SECOND || !arguments.contains(&"lab"));
            let ran = machine.run(arguments);
            assert_eq!(ran.code, code, "{arguments:?} {ran:?}");
            let warning = "warning: config was passed over: ";
            assert_eq!(ran.err.matches(warning).count(), 1, "{arguments:?} {ran:?}");
        }
        for arguments in refused {
            let ran = machine.run(arguments);
            assert_eq!(ran.code, 2, "{arguments:?} {ran:?}");
            assert!(!ran.err.contains("passed over"), "{ran:?}");
        }
    }
    let value = machine.json(&["require", "write", "--no-repo"], 3);
    assert_eq!(value["warnings"].as_array().unwrap().len(), 1, "{value}");
}

#[test]
fn the_projects_need_counts_where_nothing_is_said() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    machine.set("HF_HUB_OFFLINE", "1");
    assert!(machine.run(&["require"]).err.contains("name a role"));
    machine.write("hubtoken.toml", "role = \"write\"\nrepo = \"acme/tiny\"");
    for (arguments, required, target) in [
        (&["require"][..], "write", Value::from("acme/tiny")),
        (&["require", "read"], "read", "acme/tiny".into()),
        (&["require", "--repo", "a/b"], "write", "a/b".into()),
        (&["require", "--namespace", "a"], "write", "a".into()),
        (&["require", "--no-repo"], "write", Value::Null),
        (
            &["require", "--permission", "job.write"],
            "job.write",
            Value::Null,
        ),
    ] {
        let value = machine.json(arguments, 3);
        assert_eq!(value["required"], required, "{arguments:?}");
        assert_eq!(value["target"], target, "{arguments:?}");
    }
    // A command is checked as well, unless `--no-check` is given.
    assert_eq!(machine.run(&["run", "--", "x"]).code, 3);
    assert_eq!(machine.run(&["run", "--no-check", "--", "x"]).code, 126);
    for wrong in [
        &["run", "--no-check", "--role", "read", "--", "x"][..],
        &["require", "--no-repo", "--repo", "a/b"],
        &["require", "--permission", " "],
    ] {
        assert_eq!(machine.run(wrong).code, 2, "{wrong:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_name_a_role_lets_nothing_run() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    machine.set("HF_HUB_OFFLINE", "1");
    // In a folder that everybody may write to, and too large to be read.
    let everybodys = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(machine.home.path(), everybodys).unwrap();
    machine.write("hubtoken.toml", &"# \n".repeat(1 << 19));
    for arguments in [&["run", "--", "x"][..], &["require"]] {
        let ran = machine.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("may name a role"), "{ran:?}");
    }
    // What the caller says does not depend on the file.
    for (arguments, code) in [
        (&["run", "--role", "read", "--", "x"][..], 3),
        (&["run", "--no-check", "--", "x"], 126),
        (&["require", "read", "--no-repo"], 3),
    ] {
        let ran = machine.run(arguments);
        assert_eq!(ran.code, code, "{ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_command_of_the_users_configuration_hands_out_the_token() {
    use crate::env::{Environment as _, ProcessEnvironment};

    let mut machine = machine();
    machine
        .environment
        .set("PATH", ProcessEnvironment.get("PATH").unwrap());
    machine.set("VALUE", FIRST);
    let script = "token_command = ['sh', '-c', 'echo $VALUE']";
    machine.write(".config/hubtoken/config.toml", script);
    assert_eq!(source(&machine), ("command:sh".into(), "hf_…keAA".into()));
    // A folder's token takes precedence.
    assert_eq!(machine.run(&["use", "lab"]).code, 0);
    assert_eq!(source(&machine).1, "hf_…akBB");
    // Each run starts it once, even if both the token and the trace are needed.
    let counted = "token_command = ['sh', '-c', 'echo started >> started.txt; echo $VALUE']";
    machine.write(".config/hubtoken/config.toml", counted);
    assert_eq!(machine.run(&["use", "--undo"]).code, 0);
    machine.set("HF_HUB_OFFLINE", "1");
    assert_eq!(machine.run(&["status"]).code, 3);
    let started = machine.home.path().join(".config/hubtoken/started.txt");
    assert_eq!(std::fs::read_to_string(started).unwrap(), "started\n");
    // A project that names one is rejected.
    machine.write("hubtoken.toml", script);
    let ran = machine.run(&["explain"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("not for a project's file"), "{ran:?}");
}

#[test]
fn the_active_token_stays_while_another_name_has_its_value() {
    let machine = machine();
    machine.write(
        STORED,
        &format!("[ci]\nhf_token = {FIRST}\n\n[laptop]\nhf_token = {FIRST}\n\n"),
    );
    let active = machine.write(".cache/huggingface/token", FIRST);
    let value = machine.json(&["logout", "ci"], 0);
    assert_eq!(
        (&value["names"][0], &value["active"]),
        (&"ci".into(), &false.into())
    );
    assert_eq!(value["also_stored_as"], serde_json::json!(["laptop"]));
    assert!(active.exists());
    let ran = machine.run(&["logout", "laptop"]);
    assert_eq!(
        ran.out,
        "removed from this machine: laptop\nno token is active\n"
    );
    assert!(!active.exists());
    machine.write(
        STORED,
        &format!("[ci]\nhf_token = {FIRST}\n\n[laptop]\nhf_token = {FIRST}\n\n"),
    );
    let ran = machine.run(&["logout", "ci"]);
    assert!(
        ran.out
            .contains("the same token is still stored as: laptop\n"),
        "{ran:?}"
    );
}
