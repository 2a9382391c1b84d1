//! The policy as a table: every kind of caller against every kind of repository.

mod accounts;
mod namespaces;

use std::sync::OnceLock;
use std::sync::atomic::AtomicI64;

use time::OffsetDateTime;

use super::*;
use crate::registry::{
    FineGrained, Gate, GrantedScope, Membership, NamespaceType, Organization, TokenInfo, User,
};

const ALICE: &str = "a1";
const ACME: &str = "b1";
const REPOSITORY: &str = "d1";

fn principal(user: &str, role_in_acme: Option<OrganizationRole>, role: GrantedRole) -> Principal {
    let epoch = OffsetDateTime::UNIX_EPOCH;
    let text = str::to_owned;
    let organization = Organization {
        id: text(ACME),
        name: text("acme"),
        fullname: text("Acme"),
        created_at: epoch,
    };
    Principal {
        owner: TokenOwner::User(User {
            id: text(user),
            name: text("someone"),
            fullname: text(""),
            email: None,
            created_at: epoch,
        }),
        memberships: role_in_acme
            .map(|role| Membership { organization, role })
            .into_iter()
            .collect(),
        restrictions: Vec::new(),
        token: TokenInfo {
            id: text("t1"),
            name: text("ci"),
            role,
            last4: text("abcd"),
            created_at: epoch,
            last_used_at: None,
            expires_at: None,
            inference_requests: 0,
        },
        whoami: OnceLock::new(),
        last_touched: AtomicI64::new(i64::MIN),
    }
}

fn repository(namespace_id: &str) -> Repository {
    Repository {
        namespace_id: namespace_id.to_owned(),
        namespace: "ns".to_owned(),
        creator_id: "someone else".to_owned(),
        ..Repository::example(REPOSITORY)
    }
}

fn public(repository: &Repository) -> Repository {
    Repository {
        private: false,
        ..repository.clone()
    }
}

fn scope(id: &str, kind: EntityType, permissions: &[&str]) -> GrantedScope {
    GrantedScope {
        entity: Entity {
            id: id.to_owned(),
            kind,
            name: String::new(),
        },
        permissions: permissions.iter().map(|each| (*each).to_owned()).collect(),
    }
}

fn fine(scoped: Vec<GrantedScope>) -> GrantedRole {
    GrantedRole::FineGrained(FineGrained {
        can_read_gated_repos: false,
        global: vec![],
        scoped,
    })
}

/// See, read, write, manage: `.` if allowed, otherwise a letter that identifies the denial.
fn row(caller: Option<&Principal>, repository: &Repository, granted: bool) -> String {
    [Action::See, Action::Read, Action::Write, Action::Manage]
        .into_iter()
        .map(|action| match decide(caller, repository, granted, action) {
            Ok(()) => '.',
            Err(Denial::LoginRequired) => 'l',
            Err(Denial::LoginRequiredToWrite) => 'w',
            Err(Denial::NotFound) => 'i',
            Err(Denial::GateClosedToAnonymous) => 'a',
            Err(Denial::GateClosed) => 'g',
            Err(Denial::GateClosedToToken) => 't',
            Err(Denial::Disabled) => 'd',
            Err(Denial::ReadOnly) => 'r',
            Err(Denial::BlockedByPolicy(_)) => 'k',
        })
        .collect()
}

#[test]
fn plain_roles_in_the_own_namespace() {
    let private = repository(ALICE);
    let public = public(&private);
    let alice_reads = principal(ALICE, None, GrantedRole::Read);
    let alice_writes = principal(ALICE, None, GrantedRole::Write);
    let bob = principal("a2", None, GrantedRole::Write);
    for (caller, on_private, on_public) in [
        (None, "llll", "..ww"),
        (Some(&alice_reads), "..rr", "..rr"),
        (Some(&alice_writes), "....", "...."),
        (Some(&bob), "iiii", "..rr"),
    ] {
        assert_eq!(row(caller, &private, false), on_private, "{caller:?}");
        assert_eq!(row(caller, &public, false), on_public, "{caller:?}");
    }
}

#[test]
fn fine_grained_tokens_do_what_their_scopes_say() {
    let private = repository(ALICE);
    let public = public(&private);
    let (user, model, dataset) = (EntityType::User, EntityType::Model, EntityType::Dataset);
    for (scopes, on_private, on_public) in [
        (vec![], "iiii", "..rr"),
        (
            vec![scope(ALICE, user, &["repo.content.read"])],
            "..rr",
            "..rr",
        ),
        (vec![scope(ALICE, user, &["repo.write"])], "....", "...."),
        (
            vec![scope(REPOSITORY, model, &["repo.content.read"])],
            "..rr",
            "..rr",
        ),
        (
            vec![scope(REPOSITORY, model, &["repo.write"])],
            "....",
            "....",
        ),
        // The same id under another type is a different repository.
        (
            vec![scope(REPOSITORY, dataset, &["repo.write"])],
            "iiii",
            "..rr",
        ),
        (vec![scope(ALICE, model, &["repo.write"])], "iiii", "..rr"),
        (vec![scope("d2", model, &["repo.write"])], "iiii", "..rr"),
        // Unrelated permissions, and one that only looks similar.
        (
            vec![scope(
                ALICE,
                user,
                &["inference.serverless.write", "repo.access.read"],
            )],
            "iiii",
            "..rr",
        ),
        (vec![scope(ALICE, user, &["repo.write.x"])], "iiii", "..rr"),
        // The strongest of several scopes applies.
        (
            vec![
                scope(ALICE, user, &["repo.content.read"]),
                scope(REPOSITORY, model, &["repo.write"]),
            ],
            "....",
            "....",
        ),
    ] {
        let alice = principal(ALICE, None, fine(scopes));
        assert_eq!(
            row(Some(&alice), &private, false),
            on_private,
            "{:?}",
            alice.token.role
        );
        assert_eq!(
            row(Some(&alice), &public, false),
            on_public,
            "{:?}",
            alice.token.role
        );
    }
    // A scope cannot grant more than the user has.
    let bob = principal("a2", None, fine(vec![scope(ALICE, user, &["repo.write"])]));
    assert_eq!(row(Some(&bob), &private, true), "iiii");
    let of_acme = repository(ACME);
    let scopes = || fine(vec![scope(ACME, EntityType::Org, &["repo.write"])]);
    let member = |role| principal("a2", Some(role), scopes());
    assert_eq!(
        row(Some(&member(OrganizationRole::Write)), &of_acme, false),
        "...."
    );
    assert_eq!(
        row(Some(&member(OrganizationRole::Read)), &of_acme, false),
        "..rr"
    );
    assert_eq!(
        row(Some(&member(OrganizationRole::NoAccess)), &of_acme, false),
        "iiii"
    );
}

#[test]
fn the_gate() {
    let gated = Repository {
        private: false,
        gated: Some(Gate::Manual),
        ..repository(ALICE)
    };
    let can_read_gated = GrantedRole::FineGrained(FineGrained {
        can_read_gated_repos: true,
        ..FineGrained::default()
    });
    let scoped = fine(vec![scope(
        REPOSITORY,
        EntityType::Model,
        &["repo.content.read"],
    )]);
    let owner = principal(ALICE, None, GrantedRole::Read);
    assert_eq!(row(None, &gated, false), ".aww");
    assert_eq!(row(Some(&owner), &gated, false), "..rr");
    for (role, without_grant, with_grant) in [
        (GrantedRole::Read, ".grr", "..rr"),
        (GrantedRole::Write, ".grr", "..rr"),
        (fine(vec![]), ".trr", ".trr"),
        (can_read_gated.clone(), ".grr", "..rr"),
        (scoped, ".grr", "..rr"),
    ] {
        let bob = principal("a2", None, role);
        assert_eq!(
            row(Some(&bob), &gated, false),
            without_grant,
            "{:?}",
            bob.token.role
        );
        assert_eq!(
            row(Some(&bob), &gated, true),
            with_grant,
            "{:?}",
            bob.token.role
        );
    }
    // The owner's own token needs a scope or the gated-repositories switch like any other.
    assert_eq!(
        row(Some(&principal(ALICE, None, fine(vec![]))), &gated, false),
        ".trr"
    );
    assert_eq!(
        row(Some(&principal(ALICE, None, can_read_gated)), &gated, false),
        "..rr"
    );
    // Access through the gate does not open a private repository.
    let closed = Repository {
        private: true,
        ..gated
    };
    assert_eq!(
        row(
            Some(&principal("a2", None, GrantedRole::Write)),
            &closed,
            true
        ),
        "iiii"
    );
}

#[test]
fn disabled() {
    let disabled = Repository {
        disabled: true,
        ..repository(ALICE)
    };
    assert_eq!(row(None, &disabled, false), "llll");
    assert_eq!(
        row(
            Some(&principal(ALICE, None, GrantedRole::Write)),
            &disabled,
            false
        ),
        "ddd."
    );
    assert_eq!(
        row(
            Some(&principal("a2", None, GrantedRole::Write)),
            &disabled,
            false
        ),
        "iiii"
    );
    let public = Repository {
        private: false,
        ..disabled
    };
    assert_eq!(row(None, &public, false), "dddw");
}
