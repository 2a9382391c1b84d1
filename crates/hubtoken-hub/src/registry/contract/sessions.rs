//! Passwords, and the sessions started with them.

use std::sync::Arc;

use time::Duration;

use super::{Place, acts, user};
use crate::registry::{Lifetimes, NewUser, Registry, User};
use crate::secret::{Digest, Secret};

const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::hours(1),
    absolute: Duration::hours(12),
};

/// A user with a password, signed in from two browsers.
async fn signed_in(place: &Place, registry: &Arc<dyn Registry>, name: &str) -> (User, [Digest; 2]) {
    let origin = place.program();
    let known = registry.user(name).await.unwrap();
    registry
        .set_password(&known, "hash", &origin)
        .await
        .unwrap();
    let digests = ["one", "two"].map(|id| Secret::new(format!("{name}-{id}")).digest());
    for digest in &digests {
        assert!(
            registry
                .begin_session(digest, &known, "hash", LIFETIMES, &origin)
                .await
                .unwrap()
        );
    }
    (known, digests)
}

async fn lives(place: &Place, registry: &Arc<dyn Registry>, digest: &Digest) -> bool {
    let found = registry.session(digest, place.now(), LIFETIMES).await;
    found.unwrap().is_some()
}

async fn deeds(registry: &Arc<dyn Registry>) -> usize {
    let is_password = |act: &&&str| **act == "user.password";
    acts(registry).await.iter().filter(is_password).count()
}

pub(super) async fn a_new_password_ends_the_sessions_of_its_user(place: &Place) {
    let registry = place.populated().await;
    let (alice, hers) = signed_in(place, &registry, "alice").await;
    let (_, his) = signed_in(place, &registry, "bob").await;
    let before = deeds(&registry).await;
    registry
        .set_password(&alice, "other", &place.program())
        .await
        .unwrap();
    for (hers, his) in hers.iter().zip(&his) {
        assert!(!lives(place, &registry, hers).await);
        assert!(lives(place, &registry, his).await);
    }
    assert_eq!(deeds(&registry).await, before + 1);
    // A session that was about to start with the old password does not start.
    let late = Secret::new("late".to_owned()).digest();
    let origin = place.program();
    let began = registry
        .begin_session(&late, &alice, "hash", LIFETIMES, &origin)
        .await;
    assert!(!began.unwrap());
}

/// A session that someone else holds for a user must not become an administrator's session.
pub(super) async fn the_first_administrators_password_ends_sessions_too(place: &Place) {
    let registry = place.populated().await;
    let (alice, hers) = signed_in(place, &registry, "alice").await;
    let (_, his) = signed_in(place, &registry, "bob").await;
    let before = deeds(&registry).await;
    let new = NewUser {
        password_hash: Some("other".to_owned()),
        ..user("Alice")
    };
    let origin = place.program();
    let made = registry.create_first_administrator(new, &origin).await;
    assert_eq!(made.unwrap().id, alice.id);
    for (hers, his) in hers.iter().zip(&his) {
        assert!(!lives(place, &registry, hers).await);
        assert!(lives(place, &registry, his).await);
    }
    assert_eq!(deeds(&registry).await, before + 1);
    let (_, hash) = registry.find_password("alice").await.unwrap().unwrap();
    assert_eq!(hash.as_deref(), Some("other"));

    // A second first administrator is rejected, and the attempt changes nothing.
    let new = NewUser {
        password_hash: Some("third".to_owned()),
        ..user("bob")
    };
    let refused = registry.create_first_administrator(new, &origin).await;
    assert!(refused.is_err());
    assert!(lives(place, &registry, &his[0]).await);
    let (_, hash) = registry.find_password("bob").await.unwrap().unwrap();
    assert_eq!(hash.as_deref(), Some("hash"));
}
