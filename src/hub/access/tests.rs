//! The policy as a table: every kind of caller against every kind of repository.

use std::sync::OnceLock;
use std::sync::atomic::AtomicI64;

use time::OffsetDateTime;

use super::*;
use crate::hub::registry::{
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
        user: User {
            id: text(user),
            name: text("someone"),
            fullname: text(""),
            email: None,
            created_at: epoch,
        },
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
        noted: AtomicI64::new(i64::MIN),
    }
}

fn repository(namespace_id: &str) -> Repository {
    Repository {
        id: REPOSITORY.to_owned(),
        kind: RepositoryType::Model,
        namespace_id: namespace_id.to_owned(),
        namespace: "ns".to_owned(),
        name: "x".to_owned(),
        creator_id: "someone else".to_owned(),
        private: true,
        gated: None,
        disabled: false,
        created_at: OffsetDateTime::UNIX_EPOCH,
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

/// See, read, write: `.` allowed, otherwise the first letter that tells the denials apart.
fn row(caller: Option<&Principal>, repository: &Repository, granted: bool) -> String {
    [Action::See, Action::Read, Action::Write, Action::Manage]
        .into_iter()
        .map(|action| match decide(caller, repository, granted, action) {
            Ok(()) => '.',
            Err(Denial::LoginRequired) => 'l',
            Err(Denial::LoginRequiredToWrite) => 'w',
            Err(Denial::Invisible) => 'i',
            Err(Denial::GateClosedToAnonymous) => 'a',
            Err(Denial::GateClosed) => 'g',
            Err(Denial::GateClosedToToken) => 't',
            Err(Denial::Disabled) => 'd',
            Err(Denial::ReadOnly) => 'r',
            Err(Denial::KeptOut(_)) => 'k',
        })
        .collect()
}

#[test]
fn plain_roles_in_the_own_namespace() {
    let private = repository(ALICE);
    let public = Repository {
        private: false,
        ..private.clone()
    };
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
fn roles_in_an_organization_bound_the_token() {
    use OrganizationRole::{Admin, Contributor, NoAccess, Read, Write};
    let private = repository(ACME);
    let public = Repository {
        private: false,
        ..private.clone()
    };
    let own = Repository {
        creator_id: "a2".to_owned(),
        ..private.clone()
    };
    for (role, on_private, on_public, on_own_creation) in [
        (Some(Admin), "....", "....", "...."),
        (Some(Write), "....", "....", "...."),
        (Some(Contributor), "..rr", "..rr", "...."),
        (Some(Read), "..rr", "..rr", "..rr"),
        (Some(NoAccess), "iiii", "..rr", "iiii"),
        (None, "iiii", "..rr", "iiii"),
    ] {
        let writer = principal("a2", role, GrantedRole::Write);
        assert_eq!(row(Some(&writer), &private, false), on_private, "{role:?}");
        assert_eq!(row(Some(&writer), &public, false), on_public, "{role:?}");
        assert_eq!(row(Some(&writer), &own, false), on_own_creation, "{role:?}");
        let reader = principal("a2", role, GrantedRole::Read);
        assert!(
            !row(Some(&reader), &private, false)[2..].contains('.'),
            "{role:?}"
        );
    }
}

#[test]
fn fine_grained_tokens_do_what_their_scopes_say() {
    let private = repository(ALICE);
    let public = Repository {
        private: false,
        ..private.clone()
    };
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
        // The same id under another type is another thing.
        (
            vec![scope(REPOSITORY, dataset, &["repo.write"])],
            "iiii",
            "..rr",
        ),
        (vec![scope(ALICE, model, &["repo.write"])], "iiii", "..rr"),
        (vec![scope("d2", model, &["repo.write"])], "iiii", "..rr"),
        // Permissions about something else, and one that only looks alike.
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
        // The best of several counts.
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
    // A scope gives nothing that the user does not have.
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
    // The owner's own token needs a scope or the switch like any other.
    assert_eq!(
        row(Some(&principal(ALICE, None, fine(vec![]))), &gated, false),
        ".trr"
    );
    assert_eq!(
        row(Some(&principal(ALICE, None, can_read_gated)), &gated, false),
        "..rr"
    );
    // Let through the gate is not let into a private repository.
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

#[test]
fn creating() {
    let of_alice = Namespace {
        id: ALICE.to_owned(),
        name: "alice".to_owned(),
        kind: NamespaceType::User,
    };
    let of_acme = Namespace {
        id: ACME.to_owned(),
        name: "acme".to_owned(),
        kind: NamespaceType::Organization,
    };
    let create = |user, role_in_acme, role, namespace| {
        may_create(&principal(user, role_in_acme, role), namespace).is_ok()
    };
    assert!(create(ALICE, None, GrantedRole::Write, &of_alice));
    assert!(!create(ALICE, None, GrantedRole::Read, &of_alice));
    assert!(!create("a2", None, GrantedRole::Write, &of_alice));
    let may = |role| create("a2", Some(role), GrantedRole::Write, &of_acme);
    for role in [
        OrganizationRole::Admin,
        OrganizationRole::Write,
        OrganizationRole::Contributor,
    ] {
        assert!(may(role), "{role:?}");
    }
    for role in [OrganizationRole::Read, OrganizationRole::NoAccess] {
        assert!(!may(role), "{role:?}");
    }
    let write = |id, kind| fine(vec![scope(id, kind, &["repo.write"])]);
    assert!(create(
        ALICE,
        None,
        write(ALICE, EntityType::User),
        &of_alice
    ));
    assert!(!create(
        ALICE,
        None,
        write(REPOSITORY, EntityType::Model),
        &of_alice
    ));
    assert!(!create(ALICE, None, write(ACME, EntityType::Org), &of_acme));
    assert!(create(
        ALICE,
        Some(OrganizationRole::Write),
        write(ACME, EntityType::Org),
        &of_acme
    ));
    assert!(!create(
        ALICE,
        None,
        fine(vec![scope(ALICE, EntityType::User, &["repo.content.read"])]),
        &of_alice
    ));
}

#[test]
fn an_organization_keeps_a_token_out_of_what_is_not_for_everybody() {
    use OrganizationRole::{Admin, NoAccess, Read, Write};
    let private = repository(ACME);
    let public = Repository {
        private: false,
        ..private.clone()
    };
    let gated = Repository {
        gated: Some(Gate::Manual),
        ..public.clone()
    };
    let elsewhere = repository(ALICE);
    let scoped = || fine(vec![scope(ACME, EntityType::Org, &["repo.write"])]);
    for (role, token, on_private, on_public, on_gated) in [
        (Admin, GrantedRole::Write, "kkkk", "..kk", ".kkk"),
        (Write, GrantedRole::Write, "kkkk", "..kk", ".kkk"),
        (Write, scoped(), "kkkk", "..kk", ".kkk"),
        (Write, GrantedRole::Read, "kkrr", "..rr", ".krr"),
        (Read, GrantedRole::Write, "kkrr", "..rr", ".krr"),
        // What would not be seen without a policy is not told of by one.
        (NoAccess, GrantedRole::Write, "iiii", "..rr", ".grr"),
        (Write, fine(vec![]), "iiii", "..rr", ".trr"),
    ] {
        let mut caller = principal(ALICE, Some(role), token);
        caller.restrictions = vec![(ACME.to_owned(), Restriction::Pending)];
        assert_eq!(row(Some(&caller), &private, false), on_private, "{role:?}");
        assert_eq!(row(Some(&caller), &public, false), on_public, "{role:?}");
        assert_eq!(row(Some(&caller), &gated, false), on_gated, "{role:?}");
        assert!(
            !row(Some(&caller), &elsewhere, false).contains('k'),
            "{role:?}"
        );
    }
}

#[test]
fn an_organization_keeps_a_token_from_creating() {
    let of_acme = Namespace {
        id: ACME.to_owned(),
        name: "acme".to_owned(),
        kind: NamespaceType::Organization,
    };
    let create = |role, token, restrictions| {
        let mut caller = principal(ALICE, Some(role), token);
        caller.restrictions = restrictions;
        may_create(&caller, &of_acme)
    };
    let pending = || vec![(ACME.to_owned(), Restriction::Pending)];
    let elsewhere = || vec![("b2".to_owned(), Restriction::Pending)];
    let write = OrganizationRole::Write;
    assert_eq!(
        create(write, GrantedRole::Write, pending()),
        Err(NoCreation::KeptOut(Restriction::Pending))
    );
    assert_eq!(create(write, GrantedRole::Write, elsewhere()), Ok(()));
    // Without a right to, the policy is not the reason.
    assert_eq!(
        create(write, GrantedRole::Read, pending()),
        Err(NoCreation::NoRight)
    );
    assert_eq!(
        create(OrganizationRole::Read, GrantedRole::Write, pending()),
        Err(NoCreation::NoRight)
    );
}

#[test]
fn to_administer_takes_a_token_for_it() {
    let may = |token| {
        may_administer(
            &principal(ALICE, Some(OrganizationRole::Admin), token),
            ACME,
        )
    };
    assert!(may(GrantedRole::Write));
    assert!(!may(GrantedRole::Read));
    assert!(may(fine(vec![scope(
        ACME,
        EntityType::Org,
        &["org.write"]
    )])));
    assert!(!may(fine(vec![scope(
        "b2",
        EntityType::Org,
        &["org.write"]
    )])));
    assert!(!may(fine(vec![scope(
        ACME,
        EntityType::Org,
        &["repo.write"]
    )])));
}
