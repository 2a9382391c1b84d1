//! The verbs that send requests to a Hub, against an embedded one.

use super::*;
use crate::hub::{Hub, HubOptions, RateLimit};

/// A Hub with alice, who may write in acme and read in others, and a machine that uses it.
pub(super) struct Site {
    pub(super) machine: Machine,
    pub(super) hub: Hub,
    _data: TempDir,
}

impl Site {
    pub(super) fn new(whoami_limit: Option<RateLimit>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let hub = Hub::start(&HubOptions {
            data: Some(data.path().to_owned()),
            whoami_limit,
            ..HubOptions::default()
        })
        .unwrap();
        let folder = data.path().to_str().unwrap();
        let mut machine = Machine::with(&[
            ("HF_ENDPOINT", hub.endpoint()),
            ("HUBTOKEN_HUB_DATA", folder),
        ]);
        machine.secrets.push(hub.admin_key().reveal().to_owned());
        let site = Self {
            machine,
            hub,
            _data: data,
        };
        for arguments in [
            &["user", "create", "alice", "--fullname", "Alice Doe"][..],
            &["organization", "create", "acme"],
            &["organization", "create", "others"],
            &["member", "set", "acme", "alice", "write"],
            &["member", "set", "others", "alice", "read"],
            &["repository", "create", "alice/tiny", "--private"],
        ] {
            let ran = site.hub(arguments);
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        site
    }

    pub(super) fn hub(&self, arguments: &[&str]) -> Ran {
        self.machine.run(&[&["hub"], arguments].concat())
    }

    /// Creates a token through the command line and returns its value.
    pub(super) fn token(&self, name: &str, rest: &[&str]) -> String {
        let ran = self.hub(&[&["token", "create", "alice", "--name", name], rest].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        // The value is written alone to standard output, for `$(…)`.
        let value = ran.out.trim_end().to_owned();
        assert!(value.starts_with("hf_") && !value.contains(char::is_whitespace));
        assert!(!ran.err.contains(&value));
        value
    }

    /// Uses a token from here on; no later output may contain it.
    pub(super) fn log_in(&mut self, value: String) {
        self.machine.set("HF_TOKEN", &value);
        self.machine.secrets.push(value);
    }
}

#[test]
fn status_and_whoami_say_who_and_what() {
    let mut site = Site::new(None);
    let value = site.token("laptop", &["--role", "write", "--expires-in", "864000"]);
    site.log_in(value);
    site.machine.write(".cache/huggingface/token", SECOND);
    let ran = site.machine.run(&["status"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    for part in [
        "from env:HF_TOKEN",
        site.hub.endpoint(),
        "alice (Alice Doe)",
        "role          write",
        "laptop",
        "in 9 days",
        "acme    write",
        "others  read",
        "hf_…akBB, shadowed by env:HF_TOKEN",
    ] {
        assert!(ran.out.contains(part), "{part}: {ran:?}");
    }
    let value = site.machine.json(&["status"], 0);
    assert_eq!(value["identity"]["user"], "alice");
    assert_eq!(value["identity"]["role"], "write");
    assert_eq!(value["identity"]["token_name"], "laptop");
    assert_eq!(value["identity"]["organizations"][1]["role_in_org"], "read");
    assert_eq!(value["error"], Value::Null);
    assert_eq!(site.machine.run(&["whoami"]).out, "alice (write)\n");
    assert_eq!(
        site.machine.json(&["whoami"], 0)["identity"]["role"],
        "write"
    );
}

#[test]
fn require_answers_by_its_code() {
    let mut site = Site::new(None);
    let read = site.token("reader", &["--role", "read"]);
    let write = site.token("writer", &["--role", "write"]);
    site.log_in(read);
    assert_eq!(
        site.machine
            .run(&["require", "read", "--repo", "alice/tiny"])
            .code,
        0
    );
    let ran = site.machine.run(&["require", "write", "--repo", "tiny"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(
        ran.err.contains("tokenType=write") && ran.err.contains("env:HF_TOKEN")
            || ran.err.contains("HF_TOKEN")
    );
    let value = site
        .machine
        .json(&["require", "write", "--repo", "alice/tiny"], 1);
    assert_eq!(value["allowed"], false);
    assert_eq!(value["error"]["kind"], "InsufficientRoleError");
    assert_eq!(
        (&value["error"]["required"], &value["error"]["actual"]),
        (&"write".into(), &"read".into())
    );
    assert!(
        value["error"]["remedy_url"]
            .as_str()
            .unwrap()
            .starts_with(site.hub.endpoint())
    );
    let missing = site
        .machine
        .json(&["require", "read", "--repo", "alice/nothing"], 1);
    assert_eq!(missing["error"]["kind"], "RepositoryNotFoundError");

    site.log_in(write);
    let ran = site
        .machine
        .run(&["require", "write", "--repo", "alice/tiny"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(
        ran.out
            .starts_with("allowed: write on alice/tiny, with hf_…"),
        "{ran:?}"
    );
    assert_eq!(
        site.machine
            .run(&["require", "write", "--repo", "acme/new-model"])
            .code,
        0
    );
    assert_eq!(
        site.machine
            .run(&["require", "write", "--namespace", "others"])
            .code,
        1
    );
    assert_eq!(
        site.machine
            .json(&["require", "write", "--repo", "alice/tiny"], 0)["allowed"],
        true
    );
    let quiet = site.machine.run(&["require", "write", "-q"]);
    assert_eq!((quiet.code, quiet.out + &quiet.err), (0, String::new()));
    assert_eq!(
        site.machine
            .run(&["require", "write", "--repo", "a/b/c"])
            .code,
        2
    );
    let elsewhere = site.machine.json(
        &["require", "read", "--endpoint", "https://huggingface.co"],
        2,
    );
    assert_eq!(elsewhere["error"]["kind"], "UntrustedEndpointError");
}

#[test]
fn a_fine_grained_token_is_made_and_shown_by_its_scopes() {
    let mut site = Site::new(None);
    let fine = site.token(
        "scoped",
        &[
            "--role",
            "fine-grained",
            "--scope",
            "alice/tiny=repo.content.read,repo.write",
            "--global",
            "discussion.write",
        ],
    );
    site.log_in(fine);
    let ran = site.machine.run(&["status"]);
    for part in [
        "fine-grained",
        "model alice/tiny",
        "repo.content.read, repo.write",
        "everywhere",
    ] {
        assert!(ran.out.contains(part), "{part}: {ran:?}");
    }
    assert_eq!(
        site.machine
            .run(&["require", "write", "--repo", "alice/tiny"])
            .code,
        0
    );
    assert_eq!(
        site.machine
            .run(&[
                "require",
                "--permission",
                "repo.write",
                "--repo",
                "alice/tiny"
            ])
            .code,
        0
    );
    assert_eq!(
        site.machine
            .run(&["require", "write", "--namespace", "acme"])
            .code,
        1
    );
    let refused = site.hub(&[
        "token", "create", "alice", "--name", "x", "--role", "read", "--gated",
    ]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let wrong = site.hub(&[
        "token",
        "create",
        "alice",
        "--name",
        "x",
        "--role",
        "fine-grained",
        "--scope",
        "alice",
    ]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn a_rate_limit_is_unknown_and_says_how_long() {
    let mut site = Site::new(Some(RateLimit {
        quota: 1,
        window_seconds: 60,
    }));
    let value = site.token("ci", &["--role", "write"]);
    site.log_in(value);
    assert_eq!(site.machine.run(&["status"]).code, 0);
    let value = site.machine.json(&["status"], 3);
    assert_eq!(value["error"]["kind"], "RateLimitedError");
    assert!(value["error"]["retry_after"].as_u64().unwrap() <= 60);
    assert_eq!(value["token"]["source"], "env:HF_TOKEN");
}
