//! Trusted publishers: what they are for, that an id token is used once, and that the tokens which
//! were issued for one end with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::{Fixture, log, model};
use crate::error::HubError;
use crate::registry::{
    Actor, AuditContext, Entity, EntityType, GrantedRole, IssuedGrant, LoginScope, LoginScopes,
    NewIssuedToken, NewPublisher, OrganizationRole, Publisher, PublisherTarget, PublisherTrust,
    Registry, Repository, Restriction, TokenPolicy, UsedIdToken,
};
use crate::secret::{self, Secret};

fn trust(subject: &str) -> PublisherTrust {
    PublisherTrust {
        issuer: "https://ci.example".to_owned(),
        claims: BTreeMap::from([("sub".to_owned(), subject.to_owned())]),
        keys: None,
    }
}

async fn publisher(
    registry: &Arc<dyn Registry>,
    target: PublisherTarget<'_>,
    user: &str,
    context: &AuditContext,
) -> Publisher {
    let new = NewPublisher {
        target,
        user: &registry.user(user).await.unwrap(),
        trust: trust("repo:acme/train"),
    };
    registry.create_publisher(new, context).await.unwrap()
}

/// Exchanges the id token with this number; returns the value of the token that is issued.
async fn exchange(
    fixture: &Fixture,
    registry: &Arc<dyn Registry>,
    publisher: &Publisher,
    repository: Option<&Repository>,
    number: u8,
) -> Result<Secret, HubError> {
    let value = Secret::access_token().unwrap();
    let grant = match repository {
        Some(repository) => IssuedGrant::Repository(Entity {
            id: repository.id.clone(),
            kind: EntityType::Model,
            name: repository.full_name(),
        }),
        None => IssuedGrant::Scopes(LoginScopes::of([LoginScope::GatedRepos])),
    };
    let expires_at: OffsetDateTime = fixture.now() + Duration::HOUR;
    let new = NewIssuedToken {
        id: &secret::object_id().unwrap(),
        user: &registry.user(&publisher.user).await.unwrap(),
        name: "repo:acme/train",
        grant: &grant,
        value: &value,
        expires_at,
        used: Some(UsedIdToken {
            publisher_id: &publisher.id,
            digest: &[number; 32],
            expires_at: fixture.now() + Duration::minutes(5),
        }),
    };
    let context = AuditContext {
        actor: Actor::Nobody,
        address: None,
        at: fixture.now(),
    };
    registry.issue_token(new, &context).await.map(|()| value)
}

pub(super) async fn publishers_are_added_listed_and_deleted(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let bob = fixture.by(&registry, "bob").await;
    let repository = registry
        .repository(crate::registry::RepositoryType::Model, "acme", "m")
        .await
        .unwrap();
    let of_repository = PublisherTarget::Repository(&repository);
    let first = publisher(&registry, of_repository, "bob", &bob).await;
    fixture.pass(Duration::SECOND);
    let bob = fixture.by(&registry, "bob").await;
    let second = publisher(&registry, PublisherTarget::User, "bob", &bob).await;
    assert_eq!(
        (
            first.resource.as_str(),
            first.user.as_str(),
            second.resource.as_str()
        ),
        ("acme/m", "bob", "bob")
    );
    assert_eq!(
        registry.publishers().await.unwrap(),
        [first.clone(), second.clone()]
    );
    let fresh = fixture.open().await;
    assert_eq!(
        fresh
            .publishers_of_repository(&repository.id)
            .await
            .unwrap(),
        std::slice::from_ref(&first)
    );
    let bob_id = registry.user("bob").await.unwrap().id;
    assert_eq!(
        fresh.publishers_of_user(&bob_id).await.unwrap(),
        std::slice::from_ref(&second)
    );
    let alice_id = registry.user("alice").await.unwrap().id;
    assert_eq!(fresh.publishers_of_user(&alice_id).await.unwrap(), []);
    fresh.close().await;

    let refused = NewPublisher {
        target: PublisherTarget::User,
        user: &registry.user("bob").await.unwrap(),
        trust: PublisherTrust {
            claims: BTreeMap::new(),
            ..trust("x")
        },
    };
    assert!(matches!(
        registry.create_publisher(refused, &bob).await,
        Err(HubError::InvalidOption { .. })
    ));
    registry.delete_publisher(&first.id, &bob).await.unwrap();
    assert!(matches!(
        registry.delete_publisher(&first.id, &bob).await,
        Err(HubError::UnknownPublisher { .. })
    ));
    assert_eq!(registry.publishers().await.unwrap(), [second]);

    let written: Vec<_> = log(&registry)
        .await
        .into_iter()
        .filter(|entry| entry.act.as_str().starts_with("publisher"))
        .map(|entry| {
            let subject = entry.subject;
            (
                entry.act.as_str(),
                subject.repository,
                subject.organization,
                subject.detail,
            )
        })
        .collect();
    let detail = Some("https://ci.example sub=repo:acme/train".to_owned());
    let (model, acme) = (Some("acme/m".to_owned()), Some("acme".to_owned()));
    assert_eq!(
        written,
        [
            ("publisher.add", model.clone(), acme.clone(), detail.clone()),
            ("publisher.add", None, None, detail.clone()),
            ("publisher.remove", model, acme, detail),
        ]
    );
}

pub(super) async fn an_id_token_is_used_once(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let alice = fixture.by(&registry, "alice").await;
    let repository = model(&registry, "alice", "m", &alice).await;
    let of_repository = PublisherTarget::Repository(&repository);
    let first = publisher(&registry, of_repository, "alice", &alice).await;
    let other = publisher(&registry, PublisherTarget::User, "alice", &alice).await;
    let used = exchange(fixture, &registry, &first, Some(&repository), 1)
        .await
        .unwrap();
    let listed = registry
        .publishers_of_repository(&repository.id)
        .await
        .unwrap();
    assert_eq!(listed[0].last_used_at, Some(fixture.now()));
    for again in [&first, &other] {
        assert!(matches!(
            exchange(fixture, &registry, again, Some(&repository), 1).await,
            Err(HubError::UsedIdToken)
        ));
    }
    // Not even after it expired, by a clock that was set forth and back.
    fixture.pass(Duration::DAY);
    exchange(fixture, &registry, &first, Some(&repository), 2)
        .await
        .unwrap();
    fixture.pass(-Duration::DAY);
    assert!(matches!(
        exchange(fixture, &registry, &first, Some(&repository), 1).await,
        Err(HubError::UsedIdToken)
    ));
    // What did not come about leaves nothing.
    registry.delete_publisher(&other.id, &alice).await.unwrap();
    assert!(matches!(
        exchange(fixture, &registry, &other, None, 3).await,
        Err(HubError::UnknownPublisher { .. })
    ));
    exchange(fixture, &registry, &first, Some(&repository), 3)
        .await
        .unwrap();

    let known = fixture.identify(&registry, &used).await.unwrap();
    assert!(
        matches!(&known.token.role, GrantedRole::Repository(entity) if entity.id == repository.id)
    );
    fixture.pass(Duration::HOUR);
    assert!(fixture.identify(&registry, &used).await.is_none());
}

pub(super) async fn tokens_end_with_their_publisher(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let alice = fixture.by(&registry, "alice").await;
    let repository = model(&registry, "alice", "m", &alice).await;
    let of_repository = PublisherTarget::Repository(&repository);
    let first = publisher(&registry, of_repository, "alice", &alice).await;
    let second = publisher(&registry, of_repository, "alice", &alice).await;
    let reader = publisher(&registry, PublisherTarget::User, "alice", &alice).await;
    let mut values = Vec::new();
    for (number, (publisher, repository)) in [
        (&first, Some(&repository)),
        (&second, Some(&repository)),
        (&reader, None),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u8::try_from(number).unwrap();
        values.push(
            exchange(fixture, &registry, publisher, repository, number)
                .await
                .unwrap(),
        );
    }
    let still_work = async || {
        let mut works = Vec::new();
        for value in &values {
            works.push(fixture.identify(&registry, value).await.is_some());
        }
        works
    };
    assert_eq!(still_work().await, [true, true, true]);
    registry.delete_publisher(&first.id, &alice).await.unwrap();
    assert_eq!(still_work().await, [false, true, true]);
    assert!(
        registry
            .delete_repository(&repository.id, &alice)
            .await
            .unwrap()
    );
    assert_eq!(still_work().await, [false, false, true]);
    assert_eq!(registry.publishers().await.unwrap().len(), 1);
    registry.delete_publisher(&reader.id, &alice).await.unwrap();
    assert_eq!(still_work().await, [false, false, false]);
}

pub(super) async fn an_organization_governs_tokens_of_publishers(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let alice = fixture.by(&registry, "alice").await;
    let repository = registry
        .repository(crate::registry::RepositoryType::Model, "acme", "m")
        .await
        .unwrap();
    let of_repository = PublisherTarget::Repository(&repository);
    let by_member = publisher(&registry, of_repository, "bob", &alice).await;
    let by_admin = publisher(&registry, of_repository, "alice", &alice).await;
    let members = exchange(fixture, &registry, &by_member, Some(&repository), 1)
        .await
        .unwrap();
    let admins = exchange(fixture, &registry, &by_admin, Some(&repository), 2)
        .await
        .unwrap();
    let organization = registry.organization("acme").await.unwrap().id;
    for (policy, expected) in [
        (TokenPolicy::AllowAll, None),
        (TokenPolicy::FineGrainedOnly, None),
        (
            TokenPolicy::RequireApproval,
            Some(Restriction::NotRequested),
        ),
    ] {
        registry
            .set_token_policy("acme", policy, &alice)
            .await
            .unwrap();
        let member = fixture.identify(&registry, &members).await.unwrap();
        assert_eq!(member.restriction(&organization), expected);
        let admin = fixture.identify(&registry, &admins).await.unwrap();
        assert_eq!(admin.restriction(&organization), None);
    }
    // Without the right of the user, the token has none.
    registry
        .set_member("acme", "bob", OrganizationRole::Read, &alice)
        .await
        .unwrap();
    let member = fixture.identify(&registry, &members).await.unwrap();
    assert_eq!(member.memberships[0].role, OrganizationRole::Read);
}
