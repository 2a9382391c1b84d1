//! Things that do not exist: misspelled permissions, repositories that would be created, unknown
//! namespaces.

use serde_json::json;

use super::live::Site;
use super::*;

const SLIP: &str = "inference.serverles.write";
const MEANT: &str = "inference.serverless.write";

fn site(role: &str) -> Site {
    let mut site = Site::new(None);
    let value = site.token("ci", &["--role", role]);
    site.log_in(value);
    site
}

#[test]
fn a_misspelled_permission_is_wrong_usage_with_a_suggestion() {
    for role in ["read", "write"] {
        let site = site(role);
        let ran = site.machine.run(&["require", "--permission", SLIP]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(
            ran.err.contains(&format!("did you mean `{MEANT}`?")),
            "{ran:?}"
        );
        for words in ["write", "repo..write", "repo write"] {
            assert_eq!(
                site.machine.run(&["require", "--permission", words]).code,
                2,
                "{words}"
            );
        }
        let known = site.machine.run(&["require", "--permission", MEANT]);
        assert_eq!(known.code, 0, "{known:?}");
        // Another last component is a different permission, which this version does not know.
        let value = site
            .machine
            .json(&["require", "--permission", "repo.read"], 3);
        assert_eq!(value["allowed"], Value::Null);
        assert_eq!(value["error"]["kind"], "VerdictUnknownError");
    }
}

#[test]
fn the_hub_takes_no_misspelled_permission_from_its_command_line() {
    let site = Site::new(None);
    let fine = [
        "token",
        "create",
        "alice",
        "--name",
        "x",
        "--role",
        "fine-grained",
    ];
    let scope = format!("alice=repo.content.read,{SLIP}");
    for slip in [["--scope", &scope], ["--global", SLIP]] {
        let ran = site.hub(&[&fine[..], &slip[..]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(
            ran.err.contains(&format!("did you mean `{MEANT}`?")),
            "{ran:?}"
        );
    }
    let new = site.hub(&[&fine[..], &["--scope", "alice=quantum.entangle"]].concat());
    assert_eq!(new.code, 0, "{new:?}");
    let change = ["token", "change", "alice", "x", "--role", "fine-grained"];
    let ran = site.hub(&[&change[..], &["--scope", "alice=repo.wirte"]].concat());
    assert_eq!(ran.code, 2, "{ran:?}");
    // A malformed permission is a different mistake, which the Hub reports.
    let ran = site.hub(&[&change[..], &["--scope", "alice=write"]].concat());
    assert!(
        ran.code == 1 && ran.err.contains("is not a valid permission"),
        "{ran:?}"
    );
}

#[test]
fn a_repository_that_would_be_created_is_said_to_be_missing() {
    let site = site("write");
    let ran = site
        .machine
        .run(&["require", "write", "--repo", "alice/brand-new"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let plain = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        plain.starts_with("allowed: write on alice/brand-new"),
        "{plain}"
    );
    assert!(
        plain.contains("does not exist on") && plain.contains("would be created"),
        "{plain}"
    );
    let there = site
        .machine
        .json(&["require", "write", "--repo", "tiny"], 0);
    assert_eq!(
        (&there["exists"], &there["similar"]),
        (&json!(true), &json!([]))
    );
    let anywhere = site.machine.json(&["require", "write"], 0);
    assert_eq!(anywhere["exists"], Value::Null);
    let missing = site
        .machine
        .json(&["require", "write", "--repo", "alice/brand-new"], 0);
    assert_eq!(
        (&missing["allowed"], &missing["exists"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(missing["warnings"], json!([]));
    let quiet = site
        .machine
        .run(&["require", "write", "-q", "--repo", "alice/tinyy"]);
    assert_eq!((quiet.code, quiet.out + &quiet.err), (0, String::new()));
}

#[test]
fn what_may_have_been_meant_is_a_warning() {
    let site = site("write");
    let slip = site
        .machine
        .json(&["require", "write", "--repo", "alice/tinny"], 0);
    assert_eq!(
        slip["similar"],
        json!([{ "repo": "alice/tiny", "repo_type": "model" }])
    );
    let dataset = [
        "require",
        "write",
        "--repo",
        "alice/tiny",
        "--repo-type",
        "dataset",
    ];
    let ran = site.machine.run(&dataset);
    let plain = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        plain.contains("there is a model of that name: --repo-type model"),
        "{plain}"
    );
}

#[test]
fn what_must_exist_and_does_not_is_not_found() {
    let site = site("write");
    let must = ["require", "write", "--must-exist", "--repo"];
    let found = site.machine.json(&[&must[..], &["alice/tiny"]].concat(), 0);
    assert_eq!(found["exists"], true);
    let missing = site
        .machine
        .json(&[&must[..], &["alice/brand-new"]].concat(), 1);
    assert_eq!(missing["error"]["kind"], "RepositoryNotFoundError");
    assert_eq!(
        (&missing["allowed"], &missing["exists"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(missing["similar"], json!([]));
    let slip = site
        .machine
        .json(&[&must[..], &["alice/tinny"]].concat(), 1);
    assert_eq!(
        slip["similar"],
        json!([{ "repo": "alice/tiny", "repo_type": "model" }])
    );
    let usage = site.machine.run(&["require", "write", "--must-exist"]);
    assert!(usage.code == 2 && usage.err.contains("--repo"), "{usage:?}");
    for (rest, code) in [
        (&["--role", "write", "--repo", "alice/brand-new"][..], 1),
        (&["--role", "write"], 2),
        (&[], 2),
    ] {
        let words = [&["run", "--must-exist"], rest, &["--", "true"]].concat();
        let ran = site.machine.run(&words);
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
    }
}

#[test]
fn run_says_what_would_be_created() {
    let site = site("write");
    let ran = site.machine.run(&[
        "run",
        "--role",
        "write",
        "--repo",
        "alice/tinyy",
        "--",
        "true",
    ]);
    let plain = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("would be created"), "{plain}");
    assert!(plain.contains("did you mean alice/tiny?"), "{plain}");
}

#[test]
fn run_with_json_says_what_would_be_created_on_standard_error() {
    let site = site("write");
    let command = ["run", "--role", "write", "--repo", "alice/tinyy", "--"];
    let words = [&["--json"], &command[..], &["true"]].concat();
    let ran = site.machine.run(&words);
    let plain = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("would be created"), "{plain}");
    assert!(plain.contains("did you mean alice/tiny?"), "{plain}");
}

#[test]
fn a_slip_that_is_allowed_as_unknown_is_warned_of() {
    let machine = Machine::with(&[("HF_TOKEN", FIRST), ("HF_HUB_OFFLINE", "1")]);
    for (name, on_unknown, is_warned_of) in [
        (SLIP, "allow", true),
        (SLIP, "warn", true),
        (MEANT, "warn", true),
        (MEANT, "allow", false),
    ] {
        let words = ["require", "--permission", name, "--on-unknown", on_unknown];
        let ran = machine.run(&words);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
        assert_eq!(ran.err.contains("warning:"), is_warned_of, "{ran:?}");
        assert_eq!(ran.err.contains("did you mean"), name == SLIP, "{ran:?}");
    }
}

#[test]
fn a_namespace_that_does_not_exist_is_said_to_be_missing() {
    let site = site("write");
    for (where_, near) in [
        ("acmee", "`acme`"),
        ("alcie", "`alice`"),
        ("nowhere-else", ""),
    ] {
        let repo = format!("{where_}/x");
        for rest in [["--repo", &repo], ["--namespace", where_]] {
            let value = site
                .machine
                .json(&[&["require", "write"], &rest[..]].concat(), 1);
            let message = value["error"]["message"].as_str().unwrap().to_owned();
            let says = format!("there is no user or organization `{where_}` on");
            assert!(
                message.contains(&says) && message.contains(near),
                "{message}"
            );
            assert!(!message.contains("not a member") && !message.contains("Create a token"));
            assert_eq!(value["error"]["remedy_url"], Value::Null);
        }
    }
}
