//! Service accounts: who changes them, what their tokens may do, and that these end at once.

use std::sync::Arc;

use super::{Fixture, actions, log, model};
use crate::error::HubError;
use crate::registry::{
    AccountTokenChange, Actor, AuditContext, CreatedAccountToken, GrantedRole, NewServiceAccount,
    OrganizationRole, Registry, ServiceAccount, TokenOwner,
};

async fn account(registry: &Arc<dyn Registry>, name: &str, by: &AuditContext) -> ServiceAccount {
    let new = NewServiceAccount {
        name: name.to_owned(),
        description: Some("what runs at night".to_owned()),
    };
    registry
        .create_service_account("ACME", new, by)
        .await
        .unwrap()
}

async fn token(
    registry: &Arc<dyn Registry>,
    account: &ServiceAccount,
    permissions: &[&str],
    by: &AuditContext,
) -> CreatedAccountToken {
    registry
        .create_account_token("acme", &account.id, on_organization(permissions), by)
        .await
        .unwrap()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn on_organization(permissions: &[&str]) -> AccountTokenChange {
    AccountTokenChange {
        permissions: Some(texts(permissions)),
        ..AccountTokenChange::default()
    }
}

pub(super) async fn an_account_and_its_tokens_live_and_die(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let alice = fixture.by(&registry, "alice").await;
    assert_eq!(registry.service_accounts("acme").await.unwrap(), []);
    let first = account(&registry, "Nightly build", &alice).await;
    fixture.pass(time::Duration::SECOND);
    let alice = fixture.by(&registry, "alice").await;
    // Display names may repeat.
    let second = account(&registry, "Nightly build", &alice).await;
    let listed = registry.service_accounts("acme").await.unwrap();
    assert_eq!(listed, [first.clone(), second.clone()]);
    assert_ne!(first.user, second.user);

    let kept = token(&registry, &second, &["repo.write"], &alice).await;
    let made = token(&registry, &first, &["repo.write"], &alice).await;
    let known = fixture.identify(&registry, &made.value).await.unwrap();
    assert_eq!(known.owner, TokenOwner::ServiceAccount(first.clone()));
    assert_eq!(known.token, made.token.info);
    registry
        .touch_token(&made.token.info.id, fixture.now())
        .await
        .unwrap();
    let (found, tokens) = registry.service_account("acme", &first.id).await.unwrap();
    assert_eq!(found, first);
    assert_eq!(tokens[0].info.last_used_at, Some(fixture.now()));

    let id = &made.token.info.id;
    let rotated = registry
        .rotate_account_token("acme", &first.id, id, &alice)
        .await
        .unwrap();
    assert_eq!(rotated.token.info.id, *id);
    assert!(fixture.identify(&registry, &made.value).await.is_none());
    assert!(fixture.identify(&registry, &rotated.value).await.is_some());
    registry
        .delete_account_token("acme", &first.id, id, &alice)
        .await
        .unwrap();
    assert!(fixture.identify(&registry, &rotated.value).await.is_none());
    assert!(matches!(
        registry
            .rotate_account_token("acme", &first.id, id, &alice)
            .await,
        Err(HubError::UnknownAccountToken { .. })
    ));

    // A token is found in its own account alone.
    let foreign = registry
        .delete_account_token("acme", &first.id, &kept.token.info.id, &alice)
        .await;
    assert!(matches!(foreign, Err(HubError::UnknownAccountToken { .. })));
    let leaked = token(&registry, &second, &[], &alice).await;
    let nobody = AuditContext {
        actor: Actor::Nobody,
        ..alice.clone()
    };
    assert!(fixture.identify(&registry, &leaked.value).await.is_some());
    registry
        .revoke(&[leaked.value.digest()], &nobody)
        .await
        .unwrap();
    assert!(fixture.identify(&registry, &leaked.value).await.is_none());

    assert!(fixture.identify(&registry, &kept.value).await.is_some());
    registry
        .delete_service_account("acme", &second.id, &alice)
        .await
        .unwrap();
    assert!(fixture.identify(&registry, &kept.value).await.is_none());
    assert_eq!(registry.service_accounts("acme").await.unwrap(), [first]);
    assert!(matches!(
        registry.service_account("acme", &second.id).await,
        Err(HubError::UnknownServiceAccount { .. })
    ));
    let written: Vec<_> = log(&registry)
        .await
        .into_iter()
        .filter(|entry| entry.subject.user.as_deref() == Some(&second.user))
        .map(|entry| (entry.act.as_str(), entry.subject.detail.unwrap_or_default()))
        .collect();
    assert_eq!(
        written,
        [
            ("service-account.create", String::new()),
            ("token.create", "repo.write".to_owned()),
            ("token.create", "nothing".to_owned()),
            ("token.revoke", String::new()),
            ("service-account.delete", "with 1 of its tokens".to_owned()),
        ]
    );
}

pub(super) async fn only_administrators_change_accounts(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let alice = fixture.by(&registry, "alice").await;
    let existing = account(&registry, "ci", &alice).await;
    let made = token(&registry, &existing, &["org.serviceAccounts.write"], &alice).await;
    let before = actions(&registry).await;
    let of = |actor| AuditContext {
        actor,
        ..alice.clone()
    };
    let as_account = fixture
        .identify(&registry, &made.value)
        .await
        .unwrap()
        .actor();
    for context in [
        fixture.by(&registry, "bob").await,
        fixture.by(&registry, "carol").await,
        of(Actor::Nobody),
        of(as_account),
    ] {
        let new = NewServiceAccount {
            name: "x".to_owned(),
            description: None,
        };
        let (id, token) = (&existing.id, &made.token.info.id);
        let change = on_organization(&["repo.write"]);
        let results = [
            registry
                .create_service_account("acme", new, &context)
                .await
                .map(drop),
            registry
                .create_account_token("acme", id, change.clone(), &context)
                .await
                .map(drop),
            registry
                .change_account_token("acme", id, token, change, &context)
                .await
                .map(drop),
            registry
                .rotate_account_token("acme", id, token, &context)
                .await
                .map(drop),
            registry
                .delete_account_token("acme", id, token, &context)
                .await,
            registry.delete_service_account("acme", id, &context).await,
        ];
        for result in results {
            assert!(
                matches!(result, Err(HubError::NotAdministrator { .. })),
                "{context:?}: {result:?}"
            );
        }
    }
    assert_eq!(actions(&registry).await, before);
    assert!(fixture.identify(&registry, &made.value).await.is_some());

    // What a former administrator made stays.
    let program = fixture.embedder_context();
    registry
        .set_member("acme", "alice", OrganizationRole::Read, &program)
        .await
        .unwrap();
    assert!(fixture.identify(&registry, &made.value).await.is_some());
    registry
        .delete_service_account("acme", &existing.id, &program)
        .await
        .unwrap();
}

pub(super) async fn grants_are_on_the_organization_and_on_repositories(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let alice = fixture.by(&registry, "alice").await;
    let own = model(&registry, "acme", "own", &alice).await;
    let private = model(&registry, "carol", "private", &alice).await;
    let public = model(&registry, "carol", "public", &alice).await;
    let change = crate::registry::RepositoryChange {
        private: Some(false),
        ..crate::registry::RepositoryChange::default()
    };
    registry
        .update_repository(&public.id, change, &alice)
        .await
        .unwrap();
    let account = account(&registry, "ci", &alice).await;
    let on = |ids: &[&str]| AccountTokenChange {
        name: Some("deploy".to_owned()),
        repository_ids: Some(texts(ids)),
        repository_permissions: Some(texts(&["repo.write"])),
        ..on_organization(&["repo.content.read"])
    };
    for id in [private.id.as_str(), &"0".repeat(24)] {
        let refused = registry
            .create_account_token("acme", &account.id, on(&[id]), &alice)
            .await;
        assert!(matches!(refused, Err(HubError::InvalidToken { .. })));
    }
    let made = registry
        .create_account_token("acme", &account.id, on(&[&own.id, &public.id]), &alice)
        .await
        .unwrap();
    let GrantedRole::FineGrained(fine) = &made.token.info.role else {
        panic!("an account's token is fine-grained");
    };
    let scopes: Vec<_> = fine
        .scoped
        .iter()
        .map(|scope| (scope.entity.path(), scope.permissions.join(" ")))
        .collect();
    let scope = |path: &str, permissions: &str| (path.to_owned(), permissions.to_owned());
    assert_eq!(
        scopes,
        [
            scope("acme", "repo.content.read"),
            scope("acme/own", "repo.write"),
            scope("carol/public", "repo.write"),
        ]
    );
    let (id, token) = (&account.id, &made.token.info.id);
    // Only what is named changes, and a change without effect is not logged.
    let change = on_organization(&["repo.content.read"]);
    let before = actions(&registry).await;
    let same = registry
        .change_account_token("acme", id, token, change, &alice)
        .await
        .unwrap();
    assert_eq!(same, made.token);
    assert_eq!(actions(&registry).await, before);
    let change = AccountTokenChange {
        name: Some("laptop".to_owned()),
        repository_ids: Some(Vec::new()),
        ..AccountTokenChange::default()
    };
    let changed = registry
        .change_account_token("acme", id, token, change, &alice)
        .await
        .unwrap();
    assert_eq!(changed.info.name, "laptop");
    assert_eq!(changed.grants.permissions, ["repo.content.read"]);
    assert_eq!(changed.grants.repositories, []);
    let known = fixture.identify(&registry, &made.value).await.unwrap();
    assert_eq!(known.token, changed.info);
    assert_eq!(
        actions(&registry).await[before.len()..],
        ["token.rename", "token.change"]
    );
}
