//! A table of who may do what, as far as whoami can tell.

use super::*;
use crate::endpoint::Endpoint;
use crate::error::DenialKind;
use crate::identity::model::{Identity, Organization, Scope};
use crate::repository::RepositoryType;

/// An identity. `acme: write` and so on are the user's organizations.
fn identity(
    role: Option<&str>,
    organizations: &[(&str, &str)],
    scopes: &[(&str, &str, &[&str])],
) -> Identity {
    Identity {
        endpoint: Endpoint::default_hub(),
        user: "alice".to_owned(),
        kind: "user".to_owned(),
        full_name: None,
        email: None,
        is_pro: None,
        organizations: organizations
            .iter()
            .map(|(name, role)| Organization {
                name: (*name).to_owned(),
                full_name: None,
                role_in_org: (!role.is_empty()).then(|| OrganizationRole::from_wire(role)),
                security_restrictions: Vec::new(),
                has_resource_groups: false,
            })
            .collect(),
        authentication: Some(
            if role.is_some() {
                "access_token"
            } else {
                "oauth"
            }
            .to_owned(),
        ),
        token_name: Some("test".to_owned()),
        role: role.map(TokenRole::from_wire),
        created_at: None,
        expires_at: None,
        scopes: scopes
            .iter()
            .map(|(kind, name, permissions)| Scope {
                entity_type: Some((*kind).to_owned()),
                entity_name: Some((*name).to_owned()),
                permissions: permissions.iter().map(|&text| text.to_owned()).collect(),
            })
            .collect(),
        global_permissions: vec!["discussion.write".to_owned()],
        can_read_gated_repos: false,
    }
}

fn target(text: &str) -> Target {
    match text {
        "-" => Target::Anything,
        text => Target::repository(text, RepositoryType::Model, "alice")
            .unwrap_or_else(|_| Target::Namespace(text.trim_end_matches('/').to_owned())),
    }
}

fn outcome(identity: &Identity, required: &str, on: &str) -> &'static str {
    let required = Role::parse(required).map_or_else(
        |_| Required::Permission(required.to_owned()),
        Required::Role,
    );
    authorize(identity, &required, &target(on)).outcome.name()
}

#[test]
fn plain_roles() {
    let organizations = [
        ("admins", "admin"),
        ("writers", "write"),
        ("makers", "contributor"),
        ("readers", "read"),
        ("strangers", "no_access"),
        ("silent", ""),
    ];
    let read = identity(Some("read"), &organizations, &[]);
    let write = identity(Some("write"), &organizations, &[]);
    let god = identity(Some("god"), &organizations, &[]);
    // What is needed, on what; the outcome with a read token and with a write token.
    for (required, on, with_read, with_write) in [
        ("read", "-", "allowed", "allowed"),
        ("write", "-", "denied", "allowed"),
        ("read", "alice/x", "allowed", "allowed"),
        ("write", "Alice/x", "denied", "allowed"),
        ("write", "x", "denied", "allowed"),
        ("read", "admins/x", "allowed", "allowed"),
        ("write", "admins/x", "denied", "allowed"),
        ("write", "WRITERS/x", "denied", "allowed"),
        ("write", "makers/x", "denied", "unknown"),
        ("write", "makers/", "denied", "allowed"),
        ("read", "makers/x", "allowed", "allowed"),
        ("read", "readers/x", "allowed", "allowed"),
        ("write", "readers/x", "denied", "denied"),
        ("read", "strangers/x", "unknown", "unknown"),
        ("write", "strangers/x", "denied", "denied"),
        ("write", "silent/x", "denied", "unknown"),
        ("read", "bob/x", "unknown", "unknown"),
        ("write", "bob/x", "denied", "denied"),
        ("repo.write", "-", "denied", "allowed"),
        ("repo.content.read", "-", "allowed", "allowed"),
        ("inference.serverless.write", "-", "allowed", "allowed"),
        ("job.write", "alice/", "denied", "allowed"),
    ] {
        assert_eq!(
            outcome(&read, required, on),
            with_read,
            "read token: {required} on {on}"
        );
        assert_eq!(
            outcome(&write, required, on),
            with_write,
            "write token: {required} on {on}"
        );
        assert_eq!(
            outcome(&god, required, on),
            with_write,
            "god token: {required} on {on}"
        );
    }
}

#[test]
fn fine_grained_scopes() {
    let token = identity(
        Some("fineGrained"),
        &[("acme", "read"), ("lab", "write")],
        &[
            ("user", "alice", &["repo.content.read"]),
            ("model", "alice/tiny", &["repo.write"]),
            ("org", "acme", &["repo.write", "inference.serverless.write"]),
            ("dataset", "lab/data", &["repo.content.read"]),
            ("model", "bob/shared", &["repo.content.read"]),
        ],
    );
    for (required, on, expected) in [
        ("read", "-", "denied"),
        ("write", "-", "denied"),
        ("read", "alice/x", "allowed"),
        ("write", "alice/x", "denied"),
        ("read", "alice/tiny", "allowed"),
        ("write", "alice/tiny", "allowed"),
        ("write", "datasets/alice/tiny", "denied"),
        ("read", "acme/x", "allowed"),
        // The scope allows it, but the role in the organization does not.
        ("write", "acme/x", "denied"),
        // No scope on the namespace: public repositories can still be read.
        ("read", "lab/x", "unknown"),
        ("read", "datasets/lab/data", "allowed"),
        ("read", "bob/shared", "unknown"),
        ("read", "bob/other", "unknown"),
        ("write", "bob/other", "denied"),
        ("inference.serverless.write", "-", "allowed"),
        ("inference.serverless.write", "acme/", "allowed"),
        ("inference.serverless.write", "alice/", "denied"),
        ("discussion.write", "-", "allowed"),
        ("job.write", "-", "denied"),
    ] {
        assert_eq!(
            outcome(&token, required, on),
            expected,
            "{required} on {on}"
        );
    }
}

#[test]
fn tokens_without_a_role_are_unknown() {
    for token in [
        identity(None, &[], &[]),
        identity(Some("tomorrow"), &[], &[]),
    ] {
        assert_eq!(outcome(&token, "read", "-"), "unknown");
        assert_eq!(outcome(&token, "write", "alice/x"), "unknown");
    }
}

#[test]
fn a_permission_that_nobody_knows_is_unknown_whatever_the_role() {
    let organizations = [("acme", "write")];
    let scopes: [(&str, &str, &[&str]); 2] = [
        ("user", "alice", &["repo.write"]),
        ("org", "acme", &["quantum.entangle", "repo.wirte"]),
    ];
    let fine = identity(Some("fineGrained"), &organizations, &scopes);
    for role in ["read", "write", "god", "fineGrained"] {
        let token = identity(Some(role), &organizations, &[]);
        for (name, meant) in [
            ("repo.read", None),
            ("quantum.entangle", None),
            ("repo.wirte", Some("repo.write")),
            (
                "inference.serverles.write",
                Some("inference.serverless.write"),
            ),
        ] {
            for on in ["-", "alice/", "alice/x", "acme/x"] {
                let required = Required::Permission(name.to_owned());
                let verdict = authorize(&token, &required, &target(on));
                assert_eq!(verdict.outcome, Outcome::Unknown, "{role}: {name} on {on}");
                assert_eq!(verdict.suggestion, meant, "{role}: {name} on {on}");
                assert_eq!(verdict.misspelling().is_some(), meant.is_some());
                assert_eq!(verdict.denial.remedy_url, None, "{role}: {name} on {on}");
            }
        }
    }
    // What a scope lists counts as granted, on the scope's entity.
    for name in ["quantum.entangle", "repo.wirte"] {
        assert_eq!(outcome(&fine, name, "-"), "allowed");
        assert_eq!(outcome(&fine, name, "acme/"), "allowed");
        assert_eq!(outcome(&fine, name, "alice/"), "denied");
    }
}

#[test]
fn a_namespace_of_others_is_marked() {
    let token = identity(Some("write"), &[("acme", "read")], &[]);
    for (on, foreign) in [
        ("-", None),
        ("Alice/x", None),
        ("ACME/x", None),
        ("acmee/x", Some("acmee")),
        ("bob/", Some("bob")),
    ] {
        let verdict = authorize(&token, &Required::Role(Role::Write), &target(on));
        assert_eq!(verdict.foreign_namespace.as_deref(), foreign, "{on}");
    }
}

#[test]
fn the_organization_is_named_when_it_is_at_fault() {
    let token = identity(Some("write"), &[("acme", "read")], &[]);
    let verdict = authorize(&token, &Required::Role(Role::Write), &target("acme/x"));
    assert!(
        verdict
            .reason
            .contains("role read in the organization acme"),
        "{}",
        verdict.reason
    );
    assert_eq!(verdict.denial.actual.as_deref(), Some("role read in acme"));
    assert_eq!(
        verdict.denial.remedy_url.as_deref(),
        Some("https://huggingface.co/organizations/acme/settings/members")
    );
}

#[test]
fn policies_and_resource_groups_count() {
    let mut token = identity(Some("write"), &[("acme", "write")], &[]);
    token.organizations[0].security_restrictions = vec!["token-policy".to_owned()];
    let verdict = authorize(&token, &Required::Role(Role::Write), &target("acme/x"));
    assert_eq!(
        (verdict.outcome, verdict.kind),
        (Outcome::Denied, DenialKind::OrganizationPolicy)
    );
    assert_eq!(outcome(&token, "read", "acme/x"), "unknown");

    let mut token = identity(Some("write"), &[("acme", "read")], &[]);
    token.organizations[0].has_resource_groups = true;
    assert_eq!(outcome(&token, "write", "acme/x"), "unknown");
}

#[test]
fn remedies_fill_in_the_form() {
    let url = |token: &Identity, required: &str, on: &str| {
        let required = Role::parse(required).map_or_else(
            |_| Required::Permission(required.to_owned()),
            Required::Role,
        );
        authorize(token, &required, &target(on))
            .denial
            .remedy_url
            .unwrap_or_default()
    };
    let read = identity(Some("read"), &[], &[]);
    assert!(url(&read, "write", "-").ends_with("/settings/tokens/new?tokenType=write"));
    let fine = identity(Some("fineGrained"), &[("acme", "write")], &[]);
    assert!(
        url(&fine, "write", "acme/x")
            .ends_with("tokenType=fineGrained&orgs=acme&orgPermissions=repo.write")
    );
    assert!(
        url(&fine, "job.write", "-")
            .ends_with("tokenType=fineGrained&ownUserPermissions=job.write")
    );
}

/// The advice for a denied or unknown outcome, and the path of its page.
fn remedy(identity: &Identity, required: &str, on: &str) -> (&'static str, String) {
    let required = Role::parse(required).map_or_else(
        |_| Required::Permission(required.to_owned()),
        Required::Role,
    );
    let denial = authorize(identity, &required, &target(on)).denial;
    let url = denial.remedy_url.unwrap_or_default();
    let path = url.trim_start_matches("https://huggingface.co").to_owned();
    (denial.advice.unwrap_or_default(), path)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_remedy_would_help() {
    const TOKEN: &str = "Create a token that has it";
    const JOIN: &str =
        "Another token does not help: ask to be invited, or use a namespace of your own";
    const BOTH: &str = "Another token helps only if its user has the right as well";
    const HIGHER: &str = "Ask an administrator for a higher role";
    let organizations = [
        ("writers", "write"),
        ("makers", "contributor"),
        ("readers", "read"),
        ("strangers", "no_access"),
        ("silent", ""),
    ];
    let read = identity(Some("read"), &organizations, &[]);
    let write = identity(Some("write"), &organizations, &[]);
    let fine = identity(Some("fineGrained"), &organizations, &[]);
    let oauth = identity(None, &organizations, &[]);
    let members = |name: &str| format!("/organizations/{name}/settings/members");
    let new = |query: &str| format!("/settings/tokens/new?{query}");
    let scoped = |query: &str| new(&format!("tokenType=fineGrained&{query}"));
    for (token, required, on, advice, path) in [
        // The token lacks the right, but its user has it.
        (&read, "write", "-", TOKEN, new("tokenType=write")),
        (&read, "write", "alice/x", TOKEN, new("tokenType=write")),
        (&read, "write", "writers/x", TOKEN, new("tokenType=write")),
        (
            &read,
            "job.write",
            "-",
            TOKEN,
            scoped("ownUserPermissions=job.write"),
        ),
        (
            &fine,
            "job.write",
            "-",
            TOKEN,
            scoped("ownUserPermissions=job.write"),
        ),
        (
            &fine,
            "write",
            "x",
            TOKEN,
            scoped("ownUserPermissions=repo.write"),
        ),
        (
            &fine,
            "write",
            "writers/x",
            TOKEN,
            scoped("orgs=writers&orgPermissions=repo.write"),
        ),
        (
            &fine,
            "read",
            "alice/x",
            TOKEN,
            scoped("ownUserPermissions=repo.content.read"),
        ),
        (&oauth, "write", "alice/x", TOKEN, new("tokenType=write")),
        // A fine-grained token never has a role in general.
        (
            &fine,
            "write",
            "-",
            "Or create a token that has the role everywhere",
            new("tokenType=write"),
        ),
        // The user lacks the right, whatever the token.
        (&read, "write", "bob/x", JOIN, "/bob".to_owned()),
        (&write, "write", "bob/x", JOIN, "/bob".to_owned()),
        (&fine, "write", "bob/x", JOIN, "/bob".to_owned()),
        (&oauth, "write", "bob/x", JOIN, "/bob".to_owned()),
        (&read, "write", "readers/x", HIGHER, members("readers")),
        (&write, "write", "readers/x", HIGHER, members("readers")),
        (&fine, "write", "readers/x", HIGHER, members("readers")),
        (&oauth, "write", "readers/x", HIGHER, members("readers")),
        (&write, "write", "makers/x", HIGHER, members("makers")),
        (&write, "write", "strangers/x", HIGHER, members("strangers")),
        (&write, "read", "strangers/x", HIGHER, members("strangers")),
        // Whoami does not say whether the user has the right.
        (&read, "write", "makers/x", BOTH, String::new()),
        (&read, "write", "silent/x", BOTH, String::new()),
        (&fine, "write", "makers/x", BOTH, String::new()),
        (
            &fine,
            "inference.serverless.write",
            "bob/",
            BOTH,
            String::new(),
        ),
        (&fine, "collection.read", "bob/", BOTH, String::new()),
        (&fine, "user.billing.read", "bob/", BOTH, String::new()),
        (&fine, "org.members.read", "bob/", BOTH, String::new()),
        (&fine, "org.members.read", "silent/", BOTH, String::new()),
        // There is no known remedy.
        (&write, "read", "bob/x", "", String::new()),
        (&fine, "read", "bob/x", "", String::new()),
        (&write, "write", "silent/x", "", String::new()),
        (&write, "write", "-", "", String::new()),
    ] {
        assert_eq!(
            remedy(token, required, on),
            (advice, path),
            "{:?} {required} {on}",
            token.role
        );
    }
}

#[test]
fn a_policy_is_met_by_what_it_lets_in() {
    const FINE: &str = "Create a fine-grained token";
    const ADMISSION: &str = "Ask an administrator of the organization";
    let settings = || "/organizations/acme/settings".to_owned();
    let form = || {
        "/settings/tokens/new?tokenType=fineGrained&orgs=acme&orgPermissions=repo.write".to_owned()
    };
    let scopes: [(&str, &str, &[&str]); 1] = [("org", "acme", &["repo.write"])];
    for (role, scopes, restriction, advice, path) in [
        ("write", &[][..], "token-policy", FINE, form()),
        ("read", &[], "token-policy", FINE, form()),
        (
            "fineGrained",
            &scopes,
            "token-policy",
            ADMISSION,
            settings(),
        ),
        // Adding the scope also requests the approval.
        (
            "fineGrained",
            &[],
            "token-policy",
            "Create a token that has it",
            form(),
        ),
        ("write", &[], "token-revoked", ADMISSION, settings()),
        ("write", &[], "something-new", ADMISSION, settings()),
        (
            "write",
            &[],
            "mfa",
            "Turn on two-factor authentication",
            "/settings/authentication".to_owned(),
        ),
        (
            "write",
            &[],
            "sso",
            "Sign in to the organization by single sign-on",
            "/acme".to_owned(),
        ),
        (
            "write",
            &[],
            "ip",
            "Use it from a network that the organization allows",
            String::new(),
        ),
    ] {
        let mut token = identity(Some(role), &[("acme", "write")], scopes);
        token.organizations[0].security_restrictions = vec![restriction.to_owned()];
        assert_eq!(
            remedy(&token, "write", "acme/x"),
            (advice, path),
            "{role} {restriction}"
        );
    }
    // A user without the role would be denied with any token.
    let mut reader = identity(Some("write"), &[("acme", "read")], &[]);
    reader.organizations[0].security_restrictions = vec!["token-policy".to_owned()];
    assert_eq!(
        remedy(&reader, "write", "acme/x").0,
        "Ask an administrator for a higher role"
    );
}
