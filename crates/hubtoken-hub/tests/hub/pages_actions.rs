//! Actions on the pages and their audit log entries: each action is recorded exactly once, and
//! nothing else is recorded.

use hubtoken_hub::{
    AuditEntry, AuditFilter, Hub, HubOptions, NewToken, OrganizationRole, Scope, Secret, TokenRole,
};

use super::support::browser::{Browser, PASSWORD};

const TOKENS: &str = "/settings/tokens";
const MEMBERS: &str = "/organizations/acme/settings/members";
const ORGANIZATION_TOKENS: &str = "/organizations/acme/settings/tokens";

/// A Hub with alice, who administers acme, bob, who has the role read there, and carol; each has a
/// browser.
struct Stage {
    hub: Hub,
    alice: Browser<'static>,
    bob: Browser<'static>,
}

impl Stage {
    fn new() -> Self {
        let hub = Hub::start(&HubOptions::default()).unwrap();
        for name in ["alice", "bob", "carol"] {
            let password = Secret::new(PASSWORD.to_owned());
            hub.create_user(name, name, None, Some(password)).unwrap();
        }
        hub.create_organization("acme", "Acme").unwrap();
        hub.set_member("acme", "alice", OrganizationRole::Admin)
            .unwrap();
        hub.set_member("acme", "bob", OrganizationRole::Read)
            .unwrap();
        let alice = Browser::over(&hub);
        assert_eq!(alice.sign_in("alice", PASSWORD).status, 303);
        let bob = Browser::over(&hub);
        Self { hub, alice, bob }
    }

    fn entries(&self) -> Vec<AuditEntry> {
        let mut entries = self.hub.audit(&AuditFilter::default()).unwrap();
        entries.reverse();
        entries
    }

    /// Opens a page as alice and submits its form.
    fn by_alice(&self, path: &str, fields: &[(&str, &str)]) {
        let answer = self.alice.submit(path, path, fields);
        assert!(
            matches!(answer.status, 200 | 201 | 303),
            "{path}: {}",
            answer.text()
        );
    }

    fn id(&self, user: &str, name: &str) -> String {
        let tokens = self.hub.list_tokens(user).unwrap();
        let found = tokens.into_iter().find(|token| token.name == name);
        found.expect("a token").id
    }

    /// Creates a token of bob's that requests approval.
    fn asking(&self, name: &str) {
        let role = TokenRole::FineGrained {
            scopes: vec![Scope {
                entity: "acme".to_owned(),
                permissions: vec!["repo.content.read".to_owned()],
            }],
            global: Vec::new(),
            can_read_gated_repos: false,
        };
        let new = NewToken {
            name: name.to_owned(),
            role,
            expires_at: None,
        };
        self.hub.create_token("bob", new).unwrap();
    }

    fn decide(&self, name: &str, decision: &str) {
        let id = self.id("bob", name);
        self.by_alice(&format!("{ORGANIZATION_TOKENS}/{id}/{decision}"), &[]);
    }

    fn own(&self, name: &str, page: &str, fields: &[(&str, &str)]) {
        let id = self.id("alice", name);
        self.by_alice(&format!("{TOKENS}/{id}/{page}"), fields);
    }
}

/// Actor, action and object of an entry; time and address are the same for all actions here.
fn told(entry: &AuditEntry) -> String {
    let subject = &entry.subject;
    let parts = [
        subject.user.as_deref(),
        subject.organization.as_deref(),
        subject.token_name.as_deref(),
        subject.repository.as_deref(),
        subject.detail.as_deref(),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let actor = entry.actor_name.as_deref().unwrap_or(&entry.actor);
    format!("{actor} {} {}", entry.act.as_str(), parts.join("|"))
}

/// An action, and the entries it produces.
type Action = (&'static str, &'static [&'static str], fn(&Stage));

const ACTIONS: [Action; 20] = [
    ("a wrong password", &["nobody login.failed bob"], |stage| {
        assert_eq!(stage.bob.sign_in("bob", "wrong").status, 401);
    }),
    ("sign in", &["bob login.ok bob"], |stage| {
        assert_eq!(stage.bob.sign_in("bob", PASSWORD).status, 303);
    }),
    (
        "create",
        &["alice token.create alice|laptop|read"],
        |stage| {
            let path = format!("{TOKENS}/new");
            stage.by_alice(&path, &[("name", "laptop"), ("role", "read")]);
        },
    ),
    (
        "rename",
        &["alice token.rename alice|workspace|was laptop"],
        |stage| stage.own("laptop", "rename", &[("name", "workspace")]),
    ),
    ("look at other permissions", &[], |stage| {
        stage.own("workspace", "permissions", &[("role", "write")]);
    }),
    (
        "change",
        &["alice token.change alice|workspace|write"],
        |stage| {
            let fields = [("role", "write"), ("step", "confirm")];
            stage.own("workspace", "permissions", &fields);
        },
    ),
    (
        "refresh",
        &["alice token.refresh alice|workspace"],
        |stage| {
            stage.own("workspace", "refresh", &[]);
        },
    ),
    ("delete", &["alice token.delete alice|workspace"], |stage| {
        stage.own("workspace", "delete", &[]);
    }),
    (
        "add a member",
        &["alice member.set carol|acme|read"],
        |stage| {
            let fields = [("user", "carol"), ("role", "read"), ("step", "add")];
            stage.by_alice(MEMBERS, &fields);
        },
    ),
    (
        "change a role",
        &["alice member.set carol|acme|write"],
        |stage| {
            let fields = [("user", "carol"), ("role", "write"), ("step", "change")];
            stage.by_alice(MEMBERS, &fields);
        },
    ),
    (
        "remove a member",
        &["alice member.remove carol|acme"],
        |stage| stage.by_alice(&format!("{MEMBERS}/carol/remove"), &[]),
    ),
    ("look at another policy", &[], |stage| {
        stage.by_alice(ORGANIZATION_TOKENS, &[("policy", "require-approval")]);
    }),
    (
        "set the policy",
        &["alice policy.set acme|require-approval"],
        |stage| {
            let fields = [
                ("policy", "require-approval"),
                ("before", "allow-all"),
                ("step", "confirm"),
            ];
            stage.by_alice(ORGANIZATION_TOKENS, &fields);
        },
    ),
    (
        "make tokens that ask",
        &[
            "program token.create bob|ci|fineGrained",
            "program approval.request bob|acme|ci",
            "program token.create bob|other|fineGrained",
            "program approval.request bob|acme|other",
        ],
        |stage| {
            stage.asking("ci");
            stage.asking("other");
        },
    ),
    ("deny", &["alice approval.deny bob|acme|other"], |stage| {
        stage.decide("other", "deny");
    }),
    (
        "approve",
        &["alice approval.approve bob|acme|ci"],
        |stage| stage.decide("ci", "approve"),
    ),
    ("revoke", &["alice approval.revoke bob|acme|ci"], |stage| {
        stage.decide("ci", "revoke");
    }),
    ("look around", &[], |stage| {
        for path in [
            TOKENS,
            MEMBERS,
            ORGANIZATION_TOKENS,
            "/settings/audit-log",
            "/organizations/acme/settings/audit-log",
        ] {
            assert_eq!(stage.alice.get(path).status, 200, "{path}");
        }
        // A form submitted with a foreign CSRF token.
        assert_eq!(stage.alice.post(MEMBERS, &[("csrf", "x")]).status, 403);
    }),
    (
        "change the password",
        // All sessions end; this browser gets a new one.
        &["bob user.password bob", "bob login.ok bob"],
        |stage| {
            let page = "/settings/password";
            let fields = [
                ("current", PASSWORD),
                ("new", "another horse battery"),
                ("again", "another horse battery"),
            ];
            assert_eq!(stage.bob.submit(page, page, &fields).status, 303);
        },
    ),
    ("sign out", &["bob logout bob"], |stage| {
        assert_eq!(stage.bob.submit(TOKENS, "/logout", &[]).status, 303);
    }),
];

#[test]
fn every_deed_on_a_page_is_entered_once_with_who_did_it_and_from_where() {
    let stage = Stage::new();
    let mut before = stage.entries().len();
    for (what, expected, act) in ACTIONS {
        act(&stage);
        let entries = stage.entries();
        let new = &entries[before..];
        let found: Vec<String> = new.iter().map(told).collect();
        assert_eq!(found, expected, "{what}");
        for entry in new.iter().filter(|entry| entry.actor != "program") {
            assert_eq!(entry.address.as_deref(), Some("127.0.0.1"), "{what}");
            // The actor was a user, without a token.
            assert_eq!(entry.actor_token, None, "{what}");
        }
        before = entries.len();
    }
}
