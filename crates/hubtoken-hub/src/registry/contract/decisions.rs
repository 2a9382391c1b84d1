//! Administrators' decisions about members' tokens.

use super::approvals::{decide, listed, make, restriction, set};
use super::{Fixture, actions, fine, token};
use crate::error::HubError;
use crate::registry::{
    ApprovalStatus, Decision, MemberToken, OrganizationRole, Restriction, TokenPolicy, TokenRole,
};

pub(super) async fn what_is_decided_stays_with_the_token(fixture: &Fixture) {
    let registry = fixture.populated().await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    let made = make(fixture, &registry, "bob", token("f", fine(&["acme"]))).await;
    for (decision, status, expected) in [
        (
            Decision::Deny,
            ApprovalStatus::Denied,
            Some(Restriction::Denied),
        ),
        (Decision::Approve, ApprovalStatus::Approved, None),
        (
            Decision::Revoke,
            ApprovalStatus::Revoked,
            Some(Restriction::Revoked),
        ),
        (Decision::Approve, ApprovalStatus::Approved, None),
    ] {
        for _ in 0..2 {
            let decided = decide(fixture, &registry, "f", decision).await.unwrap();
            assert_eq!(decided, status);
        }
        assert_eq!(restriction(fixture, &registry, &made.value).await, expected);
    }
    let approval = &registry.approvals("acme").await.unwrap()[0];
    assert_eq!(approval.decided_by.as_deref(), Some("alice"));
    // A refreshed token is the same token.
    let fresh = registry
        .refresh_token("bob", "f", &fixture.embedder_context())
        .await
        .unwrap();
    assert_eq!(restriction(fixture, &registry, &fresh.value).await, None);
    decide(fixture, &registry, "f", Decision::Revoke)
        .await
        .unwrap();
    let fresh = registry
        .refresh_token("bob", "f", &fixture.embedder_context())
        .await
        .unwrap();
    assert_eq!(
        restriction(fixture, &registry, &fresh.value).await,
        Some(Restriction::Revoked)
    );
    // A revocation applies to the token whatever the policy is.
    set(fixture, &registry, TokenPolicy::AllowAll).await;
    assert_eq!(
        restriction(fixture, &registry, &fresh.value).await,
        Some(Restriction::Revoked)
    );
    // Deleted tokens are not listed.
    registry
        .delete_token("bob", "f", &fixture.embedder_context())
        .await
        .unwrap();
    assert_eq!(listed(&registry).await, []);
}

pub(super) async fn only_administrators_decide(fixture: &Fixture) {
    let registry = fixture.populated().await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    let made = make(fixture, &registry, "bob", token("f", fine(&["acme"]))).await;
    let before = actions(&registry).await;
    for name in ["bob", "carol"] {
        let context = fixture.by(&registry, name).await;
        let decided = registry
            .decide(
                "acme",
                MemberToken::IdOrName("f"),
                Decision::Approve,
                &context,
            )
            .await;
        assert!(
            matches!(decided, Err(HubError::NotAdministrator { .. })),
            "{name}"
        );
        let changed = registry
            .set_token_policy("acme", TokenPolicy::AllowAll, &context)
            .await;
        assert!(
            matches!(changed, Err(HubError::NotAdministrator { .. })),
            "{name}"
        );
    }
    assert_eq!(actions(&registry).await, before);
    assert_eq!(
        restriction(fixture, &registry, &made.value).await,
        Some(Restriction::Pending)
    );
    let alice = fixture.by(&registry, "alice").await;
    registry
        .set_token_policy("acme", TokenPolicy::AllowAll, &alice)
        .await
        .unwrap();
    assert_eq!(restriction(fixture, &registry, &made.value).await, None);
}

pub(super) async fn nobody_revokes_their_own(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let made = make(fixture, &registry, "alice", token("mine", TokenRole::Write)).await;
    let alice = fixture.by(&registry, "alice").await;
    for name in [
        MemberToken::IdOrName(&made.info.id),
        MemberToken::Value(&made.value.digest()),
    ] {
        let decided = registry
            .decide("acme", name, Decision::Revoke, &alice)
            .await;
        assert!(matches!(decided, Err(HubError::OwnToken)), "{decided:?}");
    }
    assert_eq!(restriction(fixture, &registry, &made.value).await, None);
    // Another administrator can.
    registry
        .set_member(
            "acme",
            "bob",
            OrganizationRole::Admin,
            &fixture.embedder_context(),
        )
        .await
        .unwrap();
    let bob = fixture.by(&registry, "bob").await;
    registry
        .decide(
            "acme",
            MemberToken::IdOrName(&made.info.id),
            Decision::Revoke,
            &bob,
        )
        .await
        .unwrap();
    assert_eq!(
        restriction(fixture, &registry, &made.value).await,
        Some(Restriction::Revoked)
    );
}

pub(super) async fn what_was_let_in_is_not_denied(fixture: &Fixture) {
    let registry = fixture.populated().await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    let made = make(fixture, &registry, "bob", token("f", fine(&["acme"]))).await;
    for decision in [Decision::Approve, Decision::Revoke] {
        decide(fixture, &registry, "f", decision).await.unwrap();
        let before = restriction(fixture, &registry, &made.value).await;
        let denied = decide(fixture, &registry, "f", Decision::Deny).await;
        assert!(
            matches!(denied, Err(HubError::AlreadyDecided { .. })),
            "{denied:?}"
        );
        assert_eq!(restriction(fixture, &registry, &made.value).await, before);
    }
}

pub(super) async fn a_token_is_named_by_id_name_or_value(fixture: &Fixture) {
    let registry = fixture.populated().await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    let first = make(fixture, &registry, "bob", token("same", fine(&["acme"]))).await;
    let quiet = make(fixture, &registry, "bob", token("quiet", TokenRole::Write)).await;
    let outsider = make(fixture, &registry, "carol", token("x", fine(&["acme/m"]))).await;
    let alice = fixture.by(&registry, "alice").await;
    // A name matches only listed tokens, so that an administrator cannot discover the others by
    // guessing.
    for unknown in ["quiet", "x", outsider.info.id.as_str(), "nothing"] {
        let decided = decide(fixture, &registry, unknown, Decision::Approve).await;
        assert!(
            matches!(decided, Err(HubError::UnknownMemberToken { .. })),
            "{unknown}"
        );
    }
    let strange = registry
        .decide(
            "acme",
            MemberToken::Value(&outsider.value.digest()),
            Decision::Revoke,
            &alice,
        )
        .await;
    assert!(matches!(strange, Err(HubError::UnknownMemberToken { .. })));
    registry
        .decide(
            "acme",
            MemberToken::Value(&quiet.value.digest()),
            Decision::Revoke,
            &alice,
        )
        .await
        .unwrap();
    assert_eq!(
        restriction(fixture, &registry, &quiet.value).await,
        Some(Restriction::Revoked)
    );
    let second = make(fixture, &registry, "bob", token("same", fine(&["acme/m"]))).await;
    let ambiguous = decide(fixture, &registry, "same", Decision::Approve).await;
    assert!(
        matches!(&ambiguous, Err(HubError::AmbiguousToken { ids, .. }) if ids.len() == 2),
        "{ambiguous:?}"
    );
    decide(fixture, &registry, &second.info.id, Decision::Approve)
        .await
        .unwrap();
    assert_eq!(restriction(fixture, &registry, &second.value).await, None);
    assert_eq!(
        restriction(fixture, &registry, &first.value).await,
        Some(Restriction::Pending)
    );
}
