//! Managing service accounts at an embedded Hub.

use super::live::Site;
use super::*;

const CREATE: [&str; 5] = ["token", "create", "acme", "Nightly build", "runner"];
const ROTATE: [&str; 5] = ["token", "rotate", "acme", "Nightly build", "runner"];

/// A site whose user administers `acme`, which has an account.
fn site() -> Site {
    let mut site = Site::new(None);
    let ran = site.hub(&["member", "set", "acme", "alice", "admin"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let value = site.token("root", &["--role", "write"]);
    site.log_in(value);
    let made = site.accounts_json(&["create", "acme", "Nightly build"], 0);
    assert_eq!(made["account"]["name"], "Nightly build");
    site
}

impl Site {
    fn accounts(&self, arguments: &[&str]) -> Ran {
        self.machine
            .run(&[&["service-accounts"], arguments].concat())
    }

    fn accounts_json(&self, arguments: &[&str], code: u8) -> Value {
        self.machine
            .json(&[&["service-accounts"], arguments].concat(), code)
    }

    /// The tokens that the Hub lists.
    fn account_tokens(&self) -> Vec<Value> {
        let shown = self.accounts_json(&["show", "acme", "Nightly build"], 0);
        shown["account"]["tokens"].as_array().unwrap().clone()
    }

    /// The names and values in the store.
    fn stored_values(&self) -> Vec<(String, String)> {
        let path = self.machine.home.path();
        let path = path.join(".cache/huggingface/stored_tokens");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let stored = crate::store::ini::parse(&text).unwrap();
        stored
            .iter()
            .map(|section| {
                let value = section.get("hf_token").unwrap();
                (section.name.clone(), value.to_string())
            })
            .collect()
    }

    /// Whether the Hub accepts a stored token.
    fn is_alive(&self, value: &str) -> bool {
        let mut machine = Machine::with(&[("HF_TOKEN", value)]);
        machine.set("HF_ENDPOINT", self.hub.endpoint());
        let ran = machine.run(&["whoami"]);
        assert!(
            ran.code == 0 || ran.err.contains("does not recognize"),
            "{ran:?}"
        );
        ran.code == 0
    }

    /// The same at a terminal, with an answer to a question.
    fn accounts_at_terminal(&self, arguments: &[&str], answer: &str) -> Ran {
        let arguments = [&["service-accounts"], arguments].concat();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let streams: (&mut dyn Write, &mut dyn Write) = (&mut out, &mut err);
        let given = (answer.as_bytes(), &Nobody as &dyn Exec);
        let code = self
            .machine
            .run_in(&arguments, streams, Some(200), &NeverInterrupted, given);
        Ran {
            code,
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        }
    }

    fn give(&self, number: i32, found: Descriptor, written: std::io::Result<String>) {
        let mut descriptors = self.machine.descriptors.lock().unwrap();
        descriptors.insert(number, (found, written));
    }

    fn written(&self, number: i32) -> String {
        let descriptors = self.machine.descriptors.lock().unwrap();
        descriptors[&number].1.as_ref().unwrap().clone()
    }
}

#[test]
fn accounts_are_listed_shown_created_and_deleted() {
    let site = site();
    let ran = site.accounts(&["create", "acme", "second", "--description", "for tests"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("`second` was created"), "{ran:?}");
    let listed = site.accounts_json(&["list", "acme"], 0);
    let names = listed["accounts"].as_array().unwrap().iter();
    let names: Vec<_> = names
        .map(|account| account["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Nightly build", "second"]);
    assert_eq!(listed["organization"], "acme");
    assert_eq!(listed["endpoint"], site.hub.endpoint());
    let ran = site.accounts(&["list", "acme"]);
    assert!(ran.out.contains("acme--nightly-build-"), "{ran:?}");
    let ran = site.accounts(&["show", "acme", "second"]);
    assert!(
        ran.out.contains("for tests") && ran.out.contains("tokens        none"),
        "{ran:?}"
    );
    // Nothing is deleted without a question or a yes.
    let ran = site.accounts(&["delete", "acme", "second"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("--yes") && ran.err.contains("Nothing was deleted"));
    let ran = site.accounts_at_terminal(&["delete", "acme", "second"], "n\n");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("`second`") && ran.err.contains("no tokens"),
        "{ran:?}"
    );
    let ran = site.accounts_at_terminal(&["delete", "acme", "second"], "y\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    let deleted = site.accounts_json(&["delete", "acme", "Nightly build", "--yes"], 0);
    assert_eq!(deleted["deleted"]["name"], "Nightly build");
    let ran = site.accounts(&["list", "acme"]);
    assert_eq!(ran.out, "acme has no service accounts\n");
}

#[test]
fn a_new_value_is_stored_and_shown_nowhere() {
    let site = site();
    let ran = site.accounts(&[&CREATE[..], &["--permission", "repo.write"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("stored as `nightly-build-runner`"),
        "{ran:?}"
    );
    let [(name, value)] = &site.stored_values()[..] else {
        panic!("one token is stored");
    };
    assert_eq!(name, "nightly-build-runner");
    assert!(value.starts_with("hf_app_") && site.is_alive(value));
    assert!(!ran.out.contains(value) && !ran.err.contains(value));
    let listed = site.machine.json(&["list"], 0);
    assert_eq!(listed["tokens"][0]["active"], false);
    let user = listed["tokens"][0]["user"].as_str().unwrap();
    assert!(user.starts_with("acme--nightly-build-"), "{user}");
    // The administrator goes on with their own.
    assert_eq!(site.machine.run(&["whoami"]).out, "alice (write)\n");
    // A second token of the same names gets another name, and the first one is kept.
    let second = site.accounts_json(&CREATE, 0);
    let id = second["token"]["id"].as_str().unwrap();
    let name = format!("nightly-build-runner~{}", &id[id.len() - 6..]);
    assert_eq!(second["stored_as"], serde_json::json!([name]));
    assert_eq!(site.stored_values().len(), 2);
    assert!(site.is_alive(value));
    assert!(second.get("value").is_none());
    // A name that is taken is found before anything is created.
    let ran = site.accounts(&[&CREATE[..], &["--store", "nightly-build-runner"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("there is a stored token"), "{ran:?}");
    let ran = site.accounts(&[&CREATE[..], &["--store", "ci"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(site.account_tokens().len(), 3);
    let ran = site.accounts(&["show", "acme", "Nightly build"]);
    assert!(
        ran.out.contains("repo.write") && ran.out.contains("never"),
        "{ran:?}"
    );
}

#[test]
fn a_rotation_replaces_the_old_value_where_it_is_stored() {
    let mut site = site();
    site.accounts_json(&CREATE, 0);
    let old = site.stored_values()[0].1.clone();
    let ran = site.machine.run(&["switch", "nightly-build-runner"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.machine.secrets.push(old.clone());
    let ran = site.accounts(&ROTATE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out
            .contains("`nightly-build-runner`, and is the active token"),
        "{ran:?}"
    );
    let stored = site.stored_values();
    assert_eq!(stored.len(), 1);
    assert!(!site.is_alive(&old) && site.is_alive(&stored[0].1));
    let path = site.machine.home.path().join(".cache/huggingface/token");
    assert_eq!(std::fs::read_to_string(path).unwrap(), stored[0].1);
    // Elsewhere, the entry that is dead now is named.
    site.give(9, Descriptor::default(), Ok(String::new()));
    let rotated = site.accounts_json(&[&ROTATE[..], &["--fd", "9"]].concat(), 0);
    assert_eq!(
        (&rotated["fd"], &rotated["active"]),
        (&9.into(), &false.into())
    );
    let warning = rotated["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("old value") && warning.ends_with("nightly-build-runner"),
        "{warning}"
    );
    let written = site.written(9);
    assert!(site.is_alive(written.trim_end()));
    assert!(!site.is_alive(&stored[0].1));
    // Its name is not the new value's to take.
    let ran = site.accounts(&[&ROTATE[..], &["--store", "nightly-build-runner"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(site.is_alive(written.trim_end()), "nothing was rotated");
}

#[test]
fn a_descriptor_gets_the_value_alone() {
    let site = site();
    site.give(1, Descriptor::default(), Ok(String::new()));
    let ran = site.accounts(&[&CREATE[..], &["--fd", "1"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert!(ran.err.contains("was created"), "{ran:?}");
    let value = site.written(1);
    assert!(value.ends_with('\n') && site.is_alive(value.trim_end()));
    assert!(!ran.err.contains(value.trim_end()));
    assert!(site.stored_values().is_empty());
    let exposed = Descriptor {
        is_exposed: true,
        ..Descriptor::default()
    };
    site.give(9, exposed, Ok(String::new()));
    let ran = site.accounts(&[&CREATE[..], &["--fd", "9"]].concat());
    assert!(
        ran.code == 0 && ran.err.contains("can read the file of descriptor 9"),
        "{ran:?}"
    );
    assert!(ran.out.contains("written to descriptor 9"), "{ran:?}");
    let made = site.accounts_json(&[&CREATE[..], &["--fd", "9"]].concat(), 0);
    let warning = made["warnings"][0].as_str().unwrap();
    assert!(warning.contains("descriptor 9"), "{warning}");
    // What cannot take it is found before anything is created.
    let terminal = Descriptor {
        is_terminal: true,
        ..Descriptor::default()
    };
    site.give(8, terminal, Ok(String::new()));
    for (number, part) in [
        ("7", "Bad file descriptor"),
        ("8", "--reveal"),
        ("2", "standard error"),
    ] {
        let ran = site.accounts(&[&CREATE[..], &["--fd", number]].concat());
        assert!(ran.code == 2 && ran.err.contains(part), "{ran:?}");
    }
    let error = &site.accounts_json(&[&CREATE[..], &["--fd", "1"]].concat(), 2)["error"];
    assert!(
        error["message"].as_str().unwrap().contains("JSON"),
        "{error}"
    );
    assert_eq!(site.account_tokens().len(), 3);
    for number in ["-1", "x", "99999999999"] {
        let ran = site.accounts(&[&CREATE[..], &[&format!("--fd={number}")]].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
    }
}

#[test]
fn a_value_that_cannot_be_handed_over_is_to_be_rotated() {
    let site = site();
    for (kind, code) in [
        (std::io::ErrorKind::BrokenPipe, 2),
        (std::io::ErrorKind::Interrupted, 130),
    ] {
        site.give(9, Descriptor::default(), Err(kind.into()));
        let ran = site.accounts(&[&CREATE[..], &["--fd", "9"]].concat());
        assert_eq!(ran.code, code, "{ran:?}");
        let tokens = site.account_tokens();
        let id = tokens.last().unwrap()["id"].as_str().unwrap();
        assert!(
            ran.err.contains("a value now that nobody has") && ran.err.contains(id),
            "{ran:?}"
        );
    }
}

#[test]
fn the_terminal_shows_a_value_only_if_it_is_one_and_asked_to() {
    let site = site();
    let arguments = [&CREATE[..], &["--reveal"]].concat();
    let ran = site.accounts(&arguments);
    assert!(ran.code == 2 && ran.err.contains("--fd 1"), "{ran:?}");
    let ran = site.accounts_at_terminal(&[&arguments[..], &["--json"]].concat(), "");
    assert!(
        ran.code == 2 && ran.out.contains("never in the JSON"),
        "{ran:?}"
    );
    assert!(site.account_tokens().is_empty());
    let ran = site.accounts_at_terminal(&arguments, "");
    assert_eq!(ran.code, 0, "{ran:?}");
    let value = ran.out.lines().next().unwrap();
    assert!(
        value.starts_with("hf_app_") && site.is_alive(value),
        "{ran:?}"
    );
    assert!(ran.err.contains("shown this once") && !ran.err.contains(value));
    let ran = site.accounts_at_terminal(&CREATE, "");
    assert!(ran.code == 0 && !ran.out.contains("hf_app_"), "{ran:?}");
    let ran = site.accounts(&[&CREATE[..], &["--reveal", "--store", "x"]].concat());
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn a_deleted_token_is_dead_and_forgotten() {
    let site = site();
    for name in ["first", "second"] {
        let arguments = [
            "token",
            "create",
            "acme",
            "Nightly build",
            name,
            "--store",
            name,
        ];
        assert_eq!(site.accounts(&arguments).code, 0);
    }
    let values = site.stored_values();
    let arguments = ["token", "delete", "acme", "Nightly build", "first"];
    let ran = site.accounts(&arguments);
    assert!(
        ran.code == 2 && ran.err.contains("Nothing was deleted"),
        "{ran:?}"
    );
    let ran = site.accounts_at_terminal(&arguments, "yes\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("Delete the token `first`")
            && ran.out.contains("removed from this machine: first"),
        "{ran:?}"
    );
    assert!(!site.is_alive(&values[0].1) && site.is_alive(&values[1].1));
    let deleted = site.accounts_json(&["delete", "acme", "Nightly build", "--yes"], 0);
    assert_eq!(deleted["removed"], serde_json::json!(["second"]));
    assert!(!site.is_alive(&values[1].1) && site.stored_values().is_empty());
}

#[test]
fn a_change_keeps_what_is_not_given() {
    let site = site();
    let ran = site.hub(&["repository", "create", "acme/model"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let properties = [
        "--permission",
        "repo.content.read",
        "--repo",
        "acme/model",
        "--repo-permission",
        "repo.write",
    ];
    let made = site.accounts_json(&[&CREATE[..], &properties].concat(), 0);
    assert_eq!(made["token"]["repo_ids"].as_array().unwrap().len(), 1);
    let change = ["token", "change", "acme", "Nightly build", "runner"];
    let ran = site.accounts(&change);
    assert!(
        ran.code == 2 && ran.err.contains("nothing to change"),
        "{ran:?}"
    );
    let clear = [
        "--clear",
        "repos",
        "--clear",
        "repo-permissions",
        "--name",
        "deploy",
    ];
    let changed = site.accounts_json(&[&change[..], &clear].concat(), 0);
    assert_eq!(changed["token"]["name"], "deploy");
    assert_eq!(changed["token"]["repo_ids"], serde_json::json!([]));
    assert_eq!(changed["token"]["permissions"][0], "repo.content.read");
    let both = ["--permission", "repo.write", "--clear", "permissions"];
    let ran = site.accounts(&[&change[..4], &["deploy"], &both].concat());
    assert!(ran.code == 2 && ran.err.contains("not both"), "{ran:?}");
    let ran = site.accounts(&[&change[..4], &["deploy", "--permission", "repo.wirte"]].concat());
    assert!(ran.code == 2 && ran.err.contains("repo.write"), "{ran:?}");
    let ran = site.accounts(&[&change[..4], &["deploy", "--permission", "repo.write"]].concat());
    assert!(
        ran.code == 0 && ran.out.contains("may           repo.write"),
        "{ran:?}"
    );
}

#[test]
fn each_refusal_has_its_code() {
    let mut site = site();
    let error = |site: &Site, arguments: &[&str], code: u8| {
        let object = site.accounts_json(arguments, code);
        let text = |key: &str| object["error"][key].as_str().unwrap().to_owned();
        (text("kind"), text("message"))
    };
    let (kind, message) = error(&site, &["show", "acme", "other"], 1);
    assert_eq!(kind, "HubError");
    assert!(message.contains("there is `Nightly build`"), "{message}");
    let (kind, _) = error(&site, &["list", "nothing"], 1);
    assert_eq!(kind, "HubError");
    let (kind, _) = error(&site, &["list", "../x"], 2);
    assert_eq!(kind, "UsageError");
    let (kind, _) = error(&site, &["create", "acme", " "], 1);
    assert_eq!(kind, "HubError");
    // A name that two have is nobody's.
    site.accounts_json(&["create", "acme", "Nightly build"], 0);
    let (_, message) = error(&site, &["delete", "acme", "Nightly build", "--yes"], 1);
    assert!(message.contains("more than one"), "{message}");
    let reader = site.token("reader", &["--role", "read"]);
    site.log_in(reader);
    let (kind, message) = error(&site, &["create", "acme", "x"], 1);
    assert_eq!(kind, "InsufficientRoleError");
    assert!(message.contains("org.serviceAccounts.write"), "{message}");
    site.machine.set("HF_HUB_OFFLINE", "1");
    let (kind, _) = error(&site, &["list", "acme"], 3);
    assert_eq!(kind, "OfflineError");
    site.machine.set("HF_HUB_OFFLINE", "0");
    site.log_in(FIRST.to_owned());
    let (kind, _) = error(&site, &["list", "acme"], 1);
    assert_eq!(kind, "InvalidTokenError");
    site.machine.set("HF_TOKEN", "");
    let (kind, _) = error(&site, &["list", "acme"], 1);
    assert_eq!(kind, "TokenNotFoundError");
}
