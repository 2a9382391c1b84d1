//! The verbs of `hubtoken hub` that administer a running Hub.

use super::live::Site;
use super::*;

#[test]
fn tokens_are_listed_renamed_refreshed_and_deleted() {
    let mut site = Site::new(None);
    let first = site.token("ci", &["--role", "read"]);
    site.log_in(first);
    assert_eq!(site.machine.run(&["whoami"]).code, 0);
    assert_eq!(
        site.hub(&["token", "rename", "alice", "ci", "build"]).code,
        0
    );
    let listed = site.machine.json(&["hub", "token", "list", "alice"], 0);
    assert_eq!(listed["tokens"][0]["name"], "build");
    assert_eq!(listed["tokens"][0]["role"], "read");
    assert!(listed["tokens"][0]["created_at"].is_string());
    assert!(site.hub(&["token", "list", "alice"]).out.contains("build"));

    let refreshed = site
        .machine
        .json(&["hub", "token", "refresh", "alice", "build"], 0);
    assert_eq!(refreshed["info"]["name"], "build");
    assert_eq!(
        site.machine.json(&["status"], 1)["error"]["kind"],
        "InvalidTokenError"
    );
    assert_eq!(site.machine.run(&["require", "read"]).code, 1);
    site.log_in(refreshed["token"].as_str().unwrap().to_owned());
    assert_eq!(site.machine.run(&["whoami"]).out, "alice (read)\n");
    let deleted = site
        .machine
        .json(&["hub", "token", "delete", "alice", "build"], 0);
    assert_eq!(deleted["deleted"]["token"], "build");
    assert_eq!(site.machine.run(&["status"]).code, 1);
    let gone = site
        .machine
        .json(&["hub", "token", "delete", "alice", "build"], 1);
    assert_eq!(gone["error"]["kind"], "HubError");
    assert_eq!(site.hub(&["token", "list", ".."]).code, 2);
}

#[test]
fn the_other_lists_have_what_was_made() {
    let site = Site::new(None);
    let names = |field: &str, verb: &[&str], name: &str| {
        let value = site.machine.json(&[&["hub"], verb].concat(), 0);
        let items = value[field].as_array().unwrap();
        items
            .iter()
            .map(|item| item[name].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("users", &["user", "list"], "name"), ["alice"]);
    assert_eq!(
        names("organizations", &["organization", "list"], "name").len(),
        2
    );
    assert_eq!(
        names("members", &["member", "list", "acme"], "user"),
        ["alice"]
    );
    assert_eq!(
        names("repositories", &["repository", "list"], "name"),
        ["alice/tiny"]
    );
    assert!(site.hub(&["repository", "list"]).out.contains("private"));
    assert_eq!(site.hub(&["repository", "delete", "alice/tiny"]).code, 0);
    assert_eq!(site.hub(&["member", "remove", "acme", "alice"]).code, 0);
    let taken = site.machine.json(&["hub", "user", "create", "alice"], 1);
    assert!(
        taken["error"]["message"]
            .as_str()
            .unwrap()
            .contains("taken")
    );
    let help = site.hub(&["token", "create", "--help"]);
    assert_eq!(help.code, 0);
}

#[test]
fn an_organization_sets_a_policy_and_decides() {
    let site = Site::new(None);
    assert!(
        site.hub(&["policy", "get", "acme"])
            .out
            .contains("allow-all")
    );
    let set = site
        .machine
        .json(&["hub", "policy", "set", "acme", "require-approval"], 0);
    assert_eq!(set["policy"], "require-approval");
    assert_eq!(site.hub(&["policy", "set", "acme", "none"]).code, 2);
    let value = site.token(
        "ci",
        &["--role", "fine-grained", "--scope", "acme=repo.write"],
    );
    let listed = site.machine.json(&["hub", "approval", "list", "acme"], 0);
    let id = listed["approvals"][0]["id"].as_str().unwrap();
    assert_eq!(listed["approvals"][0]["status"], "pending");
    let shown = site.hub(&["approval", "list", "acme"]).out;
    assert!(
        shown.contains("pending") && shown.contains("fine-grained"),
        "{shown}"
    );
    for (verb, which, says) in [
        ("deny", "ci", "denied by acme"),
        ("approve", id, "approved by acme"),
        ("revoke", "ci", "revoked by acme"),
    ] {
        let ran = site.hub(&["approval", verb, "acme", which]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains(says), "{ran:?}");
    }
    let again = site
        .machine
        .json(&["hub", "approval", "approve", "acme", "ci"], 0);
    assert_eq!(again["approval"]["decided_by"], "admin-key");
    let change = ["token", "change", "alice", "ci", "--role", "fine-grained"];
    let scope = ["--scope", "acme=repo.content.read"];
    assert_eq!(site.hub(&[&change[..], &scope].concat()).code, 0);
    let refused = site.hub(&[
        "token", "change", "alice", "ci", "--role", "read", "--gated",
    ]);
    assert_eq!(refused.code, 2);
    let missing = site
        .machine
        .json(&["hub", "approval", "deny", "acme", "nothing"], 1);
    assert_eq!(missing["error"]["kind"], "HubError");

    let ran = site.hub(&["audit", "--organization", "acme", "--act", "approval"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out.matches("approval.").count(), 6, "{}", ran.out);
    assert!(
        ran.out.contains("admin-key") && ran.out.contains("127.0.0.1"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains(&value));
    let entries = site.machine.json(&["hub", "audit", "--limit", "2"], 0);
    assert_eq!(entries["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(entries["entries"][0]["token_name"], "ci");
    let none = site
        .machine
        .json(&["hub", "audit", "--since", "2999-01-01"], 0);
    assert_eq!(none["entries"], serde_json::json!([]));
    assert_eq!(site.hub(&["audit", "--since", "yesterday"]).code, 2);
}

#[test]
fn administration_without_a_hub_says_so_and_sends_no_key() {
    let machine = Machine::new();
    let nothing = machine.run(&["hub", "user", "list"]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.contains("HUBTOKEN_HUB_DATA"), "{nothing:?}");
    let empty = machine.run(&["hub", "user", "list", "--data", "empty"]);
    assert_eq!(empty.code, 3);
    assert!(empty.err.contains("no Hub is running"), "{empty:?}");

    // A Hub that crashed left its files behind, and another program has its port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    machine.write(
        "crashed/hub.json",
        &format!("{{\"endpoint\":\"{endpoint}\"}}"),
    );
    machine.write("crashed/admin-key", "hubtoken_admin_x");
    machine.write("crashed/hub.lock", "");
    let crashed = machine.run(&["hub", "user", "list", "--data", "crashed"]);
    assert_eq!(crashed.code, 3, "{crashed:?}");
    assert!(listener.accept().is_err(), "the key went elsewhere");
}

#[test]
fn publishers_are_added_listed_and_deleted() {
    fn create<'a>(rest: &[&'a str]) -> Vec<&'a str> {
        [&["hub", "publisher", "create"], rest].concat()
    }

    let site = Site::new(None);
    let keys = site.machine.write(
        "jwks.json",
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    );
    let claim = ["--claim", "repository=acme/train"];
    let first = create(&["alice/tiny", "--issuer", "github", claim[0], claim[1]]);
    let made = site.machine.json(&first, 0);
    assert_eq!(made["publisher"]["resource"], "alice/tiny");
    assert_eq!(made["publisher"]["claims"]["repository"], "acme/train");
    assert_eq!(made["publisher"]["has_keys"], false);
    let with_keys = create(&[
        "alice",
        "--issuer",
        "https://ci.example",
        "--claim",
        "aClaim=a=b",
        "--keys",
        keys.to_str().unwrap(),
    ]);
    assert_eq!(
        site.machine.json(&with_keys, 0)["publisher"]["claims"]["aClaim"],
        "a=b"
    );
    let listed = site.machine.json(&["hub", "publisher", "list"], 0);
    assert_eq!(listed["publishers"].as_array().unwrap().len(), 2);
    assert_eq!(listed["publishers"][1]["has_keys"], true);
    let shown = site.hub(&["publisher", "list", "alice/tiny"]).out;
    assert!(shown.contains("repository=acme/train") && !shown.contains("ci.example"));

    for (rest, code) in [
        (&["alice/tiny", "--issuer", "github"][..], 2),
        (
            &["alice/tiny", "--issuer", "github", "--claim", "repository"],
            2,
        ),
        (
            &[
                "alice/tiny",
                "--issuer",
                "github",
                "--claim",
                "ref=refs/heads/main",
            ],
            1,
        ),
        (&["alice/none", "--issuer", "github", claim[0], claim[1]], 1),
        (
            &[
                "alice/tiny",
                "--issuer",
                "github",
                claim[0],
                claim[1],
                claim[0],
                claim[1],
            ],
            2,
        ),
        (
            &[
                "alice/tiny",
                "--issuer",
                "github",
                claim[0],
                claim[1],
                "--keys",
                "/none",
            ],
            1,
        ),
    ] {
        assert_eq!(site.machine.run(&create(rest)).code, code, "{rest:?}");
    }
    let id = made["publisher"]["id"].as_str().unwrap();
    assert_eq!(site.hub(&["publisher", "delete", id]).code, 0);
    assert_eq!(site.hub(&["publisher", "delete", id]).code, 1);
}

#[test]
fn signing_keys_are_listed_and_replaced() {
    let site = Site::new(None);
    let listed = || site.machine.json(&["hub", "keys"], 0)["keys"].clone();
    let ids = |keys: &serde_json::Value| -> Vec<String> {
        let keys = keys.as_array().unwrap().iter();
        keys.map(|key| key["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = listed();
    assert_eq!(ids(&before).len(), 1);
    for field in ["created_at", "signs_until", "served_until"] {
        assert!(before[0][field].is_string(), "{before}");
    }
    assert!(site.hub(&["keys"]).out.contains(&ids(&before)[0]));
    let rotated = site.machine.json(&["hub", "keys", "--rotate"], 0);
    let second = rotated["rotated"]["id"].as_str().unwrap().to_owned();
    assert_eq!(ids(&listed()), [second.clone(), ids(&before)[0].clone()]);
    let ran = site.hub(&["keys", "--rotate", "--withdraw"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("served no longer"), "{ran:?}");
    let after = ids(&listed());
    assert_eq!(after.len(), 1);
    assert!(after[0] != second && ran.out.contains(&after[0]));
    assert_eq!(site.hub(&["keys", "--withdraw"]).code, 2);
    let log = site
        .machine
        .json(&["hub", "audit", "--act", "signing-key"], 0);
    assert_eq!(log["entries"].as_array().unwrap().len(), 2);
    assert_eq!(log["entries"][0]["act"], "signing-key.rotate");
}
