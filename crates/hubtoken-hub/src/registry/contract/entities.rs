//! Users, organizations, tokens and repositories.

use time::Duration;

use super::{Fixture, fine, model, token, user};
use crate::error::HubError;
use crate::registry::{
    Gate, GateChange, GrantedRole, NewToken, OrganizationRole, RepositoryChange, RepositoryType,
    TokenRole,
};

pub(super) async fn names_are_shared_and_case_makes_no_difference(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    for name in ["alice", "ALICE", "acme"] {
        let taken = registry.create_user(user(name), &context).await;
        assert!(matches!(taken, Err(HubError::NameTaken { .. })), "{name}");
        let taken = registry.create_organization(name, "x", &context).await;
        assert!(matches!(taken, Err(HubError::NameTaken { .. })), "{name}");
    }
    assert_eq!(registry.user("Alice").await.unwrap().name, "alice");
    assert_eq!(registry.organization("ACME").await.unwrap().name, "acme");
    assert_eq!(registry.users().await.unwrap().len(), 3);
    assert_eq!(registry.organizations().await.unwrap().len(), 1);
    assert!(matches!(
        registry.user("acme").await,
        Err(HubError::UnknownUser { .. })
    ));
    assert!(matches!(
        registry.organization("alice").await,
        Err(HubError::UnknownOrganization { .. })
    ));
    assert!(matches!(
        registry.namespace("nobody").await,
        Err(HubError::UnknownNamespace { .. })
    ));
}

pub(super) async fn members_come_and_go(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    let made = registry
        .create_token("carol", token("w", TokenRole::Write), &context)
        .await
        .unwrap();
    let role = async || {
        let principal = fixture.identify(&registry, &made.value).await.unwrap();
        principal.memberships.first().map(|member| member.role)
    };
    assert_eq!(role().await, None);
    for wanted in [OrganizationRole::Read, OrganizationRole::Contributor] {
        registry
            .set_member("acme", "carol", wanted, &context)
            .await
            .unwrap();
        assert_eq!(role().await, Some(wanted));
    }
    let carol = registry.user("carol").await.unwrap();
    assert_eq!(registry.memberships(&carol.id).await.unwrap().len(), 1);
    let names: Vec<String> = registry
        .members("acme")
        .await
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    for _ in 0..2 {
        registry
            .remove_member("acme", "carol", &context)
            .await
            .unwrap();
        assert_eq!(role().await, None);
    }
    assert!(matches!(
        registry
            .set_member("acme", "nobody", OrganizationRole::Read, &context)
            .await,
        Err(HubError::UnknownUser { .. })
    ));
}

pub(super) async fn a_token_lives_and_dies(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    let first = registry
        .create_token("alice", token("ci", TokenRole::Write), &context)
        .await
        .unwrap();
    let id = first.info.id.clone();
    let known = fixture.identify(&registry, &first.value).await.unwrap();
    assert_eq!((known.owner.name(), &known.token), ("alice", &first.info));

    let renamed = registry
        .rename_token("alice", "ci", "laptop", &context)
        .await
        .unwrap();
    assert_eq!((renamed.name.as_str(), &renamed.id), ("laptop", &id));
    let known = fixture.identify(&registry, &first.value).await.unwrap();
    assert_eq!(known.token.name, "laptop");

    registry
        .change_token("alice", "laptop", TokenRole::Read, &context)
        .await
        .unwrap();
    let known = fixture.identify(&registry, &first.value).await.unwrap();
    assert_eq!(known.token.role, GrantedRole::Read);

    registry.touch_token(&id, fixture.now()).await.unwrap();
    let used = registry.list_tokens("alice").await.unwrap()[0].last_used_at;
    assert_eq!(used, Some(fixture.now()));

    let counted = [(id.clone(), 2), ("0".repeat(24), 9)].into();
    registry.count_inference(&counted).await.unwrap();
    registry.count_inference(&counted).await.unwrap();
    let counted = registry.list_tokens("alice").await.unwrap()[0].inference_requests;
    assert_eq!(counted, 4);

    let second = registry
        .refresh_token("alice", &id, &context)
        .await
        .unwrap();
    assert_eq!(second.info.id, id);
    assert_ne!(second.value.reveal(), first.value.reveal());
    assert!(fixture.identify(&registry, &first.value).await.is_none());
    let known = fixture.identify(&registry, &second.value).await.unwrap();
    assert_eq!(
        (known.token.last_used_at, &known.token.last4),
        (None, &second.info.last4)
    );

    registry.delete_token("alice", &id, &context).await.unwrap();
    assert!(fixture.identify(&registry, &second.value).await.is_none());
    assert!(registry.list_tokens("alice").await.unwrap().is_empty());
    assert!(matches!(
        registry.refresh_token("alice", &id, &context).await,
        Err(HubError::UnknownToken { .. })
    ));
}

pub(super) async fn names_of_tokens_may_repeat(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = registry
            .create_token("alice", token("x", TokenRole::Read), &context)
            .await
            .unwrap();
        ids.push(made.info.id);
        fixture.pass(Duration::SECOND);
    }
    let refused = registry.delete_token("alice", "x", &context).await;
    assert!(
        matches!(&refused, Err(HubError::AmbiguousToken { ids: named, .. }) if named.len() == 2),
        "{refused:?}"
    );
    // A name that looks like an id does not shadow that id.
    registry
        .rename_token("alice", &ids[0], &ids[1], &context)
        .await
        .unwrap();
    registry
        .delete_token("alice", &ids[1], &context)
        .await
        .unwrap();
    let left = registry.list_tokens("alice").await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, ids[0]);
    // Users cannot delete each other's tokens.
    assert!(matches!(
        registry.delete_token("bob", &ids[0], &context).await,
        Err(HubError::UnknownToken { .. })
    ));
}

pub(super) async fn a_token_ends_on_time(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    let ending = NewToken {
        expires_at: Some(fixture.now() + Duration::seconds(10)),
        ..token("short", TokenRole::Read)
    };
    let made = registry
        .create_token("alice", ending.clone(), &context)
        .await
        .unwrap();
    fixture.pass(Duration::seconds(9));
    assert!(fixture.identify(&registry, &made.value).await.is_some());
    fixture.pass(Duration::SECOND);
    assert!(fixture.identify(&registry, &made.value).await.is_none());
    let late = registry
        .create_token("alice", ending, &fixture.embedder_context())
        .await;
    assert!(matches!(late, Err(HubError::InvalidToken { .. })));
}

pub(super) async fn a_value_that_is_known_ends_a_token(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    let mut values = Vec::new();
    for owner in ["alice", "bob", "carol"] {
        let made = registry
            .create_token(owner, token("x", TokenRole::Read), &context)
            .await
            .unwrap();
        assert!(fixture.identify(&registry, &made.value).await.is_some());
        values.push(made.value);
    }
    let found = [values[0].digest(), [0; 32], values[1].digest()];
    registry.revoke(&found, &context).await.unwrap();
    registry.revoke(&[[1; 32]], &context).await.unwrap();
    assert!(fixture.identify(&registry, &values[0]).await.is_none());
    assert!(fixture.identify(&registry, &values[1]).await.is_none());
    assert!(fixture.identify(&registry, &values[2]).await.is_some());
}

pub(super) async fn repositories_and_their_gates(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    let made = model(&registry, "alice", "tiny", &context).await;
    let kind = RepositoryType::Model;
    assert_eq!(
        registry.repository(kind, "Alice", "TINY").await.unwrap(),
        made
    );
    let other = registry
        .find_repository(RepositoryType::Dataset, "alice", "tiny")
        .await
        .unwrap();
    assert_eq!(other, None);
    for change in [
        RepositoryChange {
            private: Some(false),
            ..RepositoryChange::default()
        },
        RepositoryChange {
            gated: GateChange::Set(Some(Gate::Manual)),
            ..RepositoryChange::default()
        },
        RepositoryChange {
            disabled: Some(true),
            ..RepositoryChange::default()
        },
    ] {
        registry
            .update_repository(&made.id, change, &context)
            .await
            .unwrap();
    }
    let changed = registry.repository(kind, "alice", "tiny").await.unwrap();
    assert_eq!(
        (changed.private, changed.gated, changed.disabled),
        (false, Some(Gate::Manual), true)
    );
    let bob = registry.user("bob").await.unwrap();
    for (granted, names) in [(true, vec!["bob".to_owned()]), (false, Vec::new())] {
        for _ in 0..2 {
            if granted {
                registry.grant(&made.id, &bob.id, &context).await.unwrap();
            } else {
                registry
                    .revoke_grant(&made.id, &bob.id, &context)
                    .await
                    .unwrap();
            }
        }
        assert_eq!(
            registry.is_granted(&made.id, &bob.id).await.unwrap(),
            granted
        );
        assert_eq!(registry.grants(&made.id).await.unwrap(), names);
    }
    assert_eq!(registry.repositories().await.unwrap().len(), 2);
    assert!(
        registry
            .delete_repository(&made.id, &context)
            .await
            .unwrap()
    );
    assert!(
        !registry
            .delete_repository(&made.id, &context)
            .await
            .unwrap()
    );
    assert!(matches!(
        registry.repository(kind, "alice", "tiny").await,
        Err(HubError::UnknownRepository { .. })
    ));
}

pub(super) async fn everything_is_there_when_it_is_opened_again(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    let made = registry
        .create_token("bob", token("ci", fine(&["acme", "acme/m"])), &context)
        .await
        .unwrap();
    let before = super::log(&registry).await;
    registry.close().await;
    let registry = fixture.open().await;
    let known = fixture.identify(&registry, &made.value).await.unwrap();
    assert_eq!(known.token, made.info);
    assert_eq!(known.memberships[0].role, OrganizationRole::Write);
    assert_eq!(super::log(&registry).await, before);
    assert_eq!(registry.repositories().await.unwrap().len(), 1);
}
