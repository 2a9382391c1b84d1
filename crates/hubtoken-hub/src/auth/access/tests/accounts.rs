//! Service accounts: their organization alone, and there what the token says.

use super::*;
use crate::registry::ServiceAccount;

/// A token of a service account of acme.
fn account(scoped: Vec<GrantedScope>) -> Principal {
    let known = principal("c1", Some(OrganizationRole::Read), fine(scoped));
    let organization = known.memberships[0].organization.clone();
    Principal {
        owner: TokenOwner::ServiceAccount(ServiceAccount {
            id: "c1".to_owned(),
            organization,
            user: "acme--ci-c1".to_owned(),
            name: "ci".to_owned(),
            description: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }),
        memberships: Vec::new(),
        ..known
    }
}

#[test]
fn a_token_does_what_it_says_in_its_organization() {
    let (of_acme, of_alice) = (repository(ACME), repository(ALICE));
    let whole = |permissions: &[&str]| scope(ACME, EntityType::Org, permissions);
    let on_one = |permissions: &[&str]| scope(REPOSITORY, EntityType::Model, permissions);
    for (scopes, on_private, on_public) in [
        (vec![], "iiii", "..rr"),
        (vec![whole(&["org.write"])], "iiii", "..rr"),
        (vec![whole(&["repo.content.read"])], "..rr", "..rr"),
        (vec![whole(&["repo.write"])], "....", "...."),
        (vec![on_one(&["repo.write"])], "....", "...."),
        (
            vec![whole(&["repo.content.read"]), on_one(&["repo.write"])],
            "....",
            "....",
        ),
        // The repository's own permissions replace the organization's.
        (
            vec![whole(&["repo.write"]), on_one(&["repo.content.read"])],
            "..rr",
            "..rr",
        ),
        (vec![whole(&["repo.write"]), on_one(&[])], "iiii", "..rr"),
    ] {
        let caller = account(scopes);
        let caller = Some(&caller);
        assert_eq!(row(caller, &of_acme, false), on_private, "{caller:?}");
        assert_eq!(row(caller, &public(&of_acme), false), on_public);
        // Elsewhere it is nobody, even with a scope there.
        assert_eq!(row(caller, &of_alice, false), "iiii", "{caller:?}");
        assert_eq!(row(caller, &public(&of_alice), false), "..rr");
    }
}

#[test]
fn gates_are_open_in_its_organization_alone() {
    let caller = account(vec![
        scope(ACME, EntityType::Org, &["repo.content.read"]),
        scope("d2", EntityType::Model, &["repo.content.read"]),
    ]);
    let gated = |namespace, id: &str| Repository {
        gated: Some(Gate::Manual),
        id: id.to_owned(),
        ..public(&repository(namespace))
    };
    assert_eq!(row(Some(&caller), &gated(ACME, REPOSITORY), false), "..rr");
    assert_eq!(row(Some(&caller), &gated(ALICE, REPOSITORY), false), ".trr");
    assert_eq!(row(Some(&caller), &gated(ALICE, "d2"), false), ".grr");
}

#[test]
fn it_creates_repositories_but_manages_no_account() {
    let permissions = ["repo.write", "org.serviceAccounts.write"];
    let caller = account(vec![scope(ACME, EntityType::Org, &permissions)]);
    let namespace = |id: &str, kind| Namespace {
        id: id.to_owned(),
        name: id.to_owned(),
        kind,
    };
    assert!(may_create(&caller, &namespace(ACME, NamespaceType::Organization)).is_ok());
    for (id, kind) in [
        ("b2", NamespaceType::Organization),
        (ALICE, NamespaceType::User),
        ("c1", NamespaceType::User),
    ] {
        assert!(may_create(&caller, &namespace(id, kind)).is_err(), "{id}");
    }
    let reader = account(vec![scope(ACME, EntityType::Org, &["repo.content.read"])]);
    assert!(may_create(&reader, &namespace(ACME, NamespaceType::Organization)).is_err());
    assert!(may_manage_accounts(&caller, ACME, Managing::Read));
    assert!(!may_manage_accounts(&caller, ACME, Managing::Write));
    assert!(!may_manage_accounts(&reader, ACME, Managing::Read));
}

#[test]
fn a_users_token_manages_accounts_by_role_or_permission() {
    let admin = Some(OrganizationRole::Admin);
    let with = |permission| fine(vec![scope(ACME, EntityType::Org, &[permission])]);
    for (role, reads, writes) in [
        (GrantedRole::Write, true, true),
        (GrantedRole::Read, true, false),
        (with("org.serviceAccounts.write"), true, true),
        (with("org.serviceAccounts.read"), true, false),
        (with("org.write"), false, false),
        (
            fine(vec![scope(
                "b2",
                EntityType::Org,
                &["org.serviceAccounts.write"],
            )]),
            false,
            false,
        ),
    ] {
        let caller = principal(ALICE, admin, role);
        assert_eq!(may_manage_accounts(&caller, ACME, Managing::Read), reads);
        assert_eq!(may_manage_accounts(&caller, ACME, Managing::Write), writes);
    }
}
