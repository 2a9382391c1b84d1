//! Passwords, and the sessions started with them.

use std::sync::Arc;

use time::Duration;

use super::{Fixture, actions, user};
use crate::registry::{Lifetimes, NewUser, Registry, User};
use crate::secret::{Digest, Secret};

const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::hours(1),
    absolute: Duration::hours(12),
};

/// A user with a password, signed in from two browsers.
async fn signed_in(
    fixture: &Fixture,
    registry: &Arc<dyn Registry>,
    name: &str,
) -> (User, [Digest; 2]) {
    let context = fixture.embedder_context();
    let known = registry.user(name).await.unwrap();
    registry
        .set_password(&known, "hash", &context)
        .await
        .unwrap();
    let digests = ["one", "two"].map(|id| Secret::new(format!("{name}-{id}")).digest());
    for digest in &digests {
        assert!(
            registry
                .begin_session(digest, &known, "hash", LIFETIMES, &context)
                .await
                .unwrap()
        );
    }
    (known, digests)
}

async fn lives(fixture: &Fixture, registry: &Arc<dyn Registry>, digest: &Digest) -> bool {
    let found = registry.session(digest, fixture.now(), LIFETIMES).await;
    found.unwrap().is_some()
}

async fn audit_entries(registry: &Arc<dyn Registry>) -> usize {
    let is_password = |act: &&&str| **act == "user.password";
    actions(registry).await.iter().filter(is_password).count()
}

pub(super) async fn a_new_password_ends_the_sessions_of_its_user(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let (alice, hers) = signed_in(fixture, &registry, "alice").await;
    let (_, his) = signed_in(fixture, &registry, "bob").await;
    let before = audit_entries(&registry).await;
    registry
        .set_password(&alice, "other", &fixture.embedder_context())
        .await
        .unwrap();
    for (hers, his) in hers.iter().zip(&his) {
        assert!(!lives(fixture, &registry, hers).await);
        assert!(lives(fixture, &registry, his).await);
    }
    assert_eq!(audit_entries(&registry).await, before + 1);
    // A session that was about to start with the old password does not start.
    let late = Secret::new("late".to_owned()).digest();
    let context = fixture.embedder_context();
    let began = registry
        .begin_session(&late, &alice, "hash", LIFETIMES, &context)
        .await;
    assert!(!began.unwrap());
}

/// A session that someone else holds for a user must not become an administrator's session.
pub(super) async fn the_first_administrators_password_ends_sessions_too(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let (alice, hers) = signed_in(fixture, &registry, "alice").await;
    let (_, his) = signed_in(fixture, &registry, "bob").await;
    let before = audit_entries(&registry).await;
    let new = NewUser {
        password_hash: Some("other".to_owned()),
        ..user("Alice")
    };
    let context = fixture.embedder_context();
    let made = registry.create_first_administrator(new, &context).await;
    assert_eq!(made.unwrap().id, alice.id);
    for (hers, his) in hers.iter().zip(&his) {
        assert!(!lives(fixture, &registry, hers).await);
        assert!(lives(fixture, &registry, his).await);
    }
    assert_eq!(audit_entries(&registry).await, before + 1);
    let (_, hash) = registry.find_password("alice").await.unwrap().unwrap();
    assert_eq!(hash.as_deref(), Some("other"));

    // A second first administrator is rejected, and the attempt changes nothing.
    let new = NewUser {
        password_hash: Some("third".to_owned()),
        ..user("bob")
    };
    let refused = registry.create_first_administrator(new, &context).await;
    assert!(refused.is_err());
    assert!(lives(fixture, &registry, &his[0]).await);
    let (_, hash) = registry.find_password("bob").await.unwrap().unwrap();
    assert_eq!(hash.as_deref(), Some("hash"));
}
