//! Tests of namespace rules: organization roles, the token policy, and the rights to create and
//! administer.

use super::*;

fn namespace(id: &str, kind: NamespaceType) -> Namespace {
    Namespace {
        id: id.to_owned(),
        name: "ns".to_owned(),
        kind,
    }
}

#[test]
fn roles_in_an_organization_bound_the_token() {
    use OrganizationRole::{Admin, Contributor, NoAccess, Read, Write};
    let private = repository(ACME);
    let public = public(&private);
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
fn creating() {
    let of_alice = namespace(ALICE, NamespaceType::User);
    let of_acme = namespace(ACME, NamespaceType::Organization);
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
    let public = public(&private);
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
        // The policy does not reveal what the caller could not see without it.
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
    let of_acme = namespace(ACME, NamespaceType::Organization);
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
        Err(CreationDenial::BlockedByPolicy(Restriction::Pending))
    );
    assert_eq!(create(write, GrantedRole::Write, elsewhere()), Ok(()));
    // Without the right, the policy is not given as the reason.
    assert_eq!(
        create(write, GrantedRole::Read, pending()),
        Err(CreationDenial::NotPermitted)
    );
    assert_eq!(
        create(OrganizationRole::Read, GrantedRole::Write, pending()),
        Err(CreationDenial::NotPermitted)
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
