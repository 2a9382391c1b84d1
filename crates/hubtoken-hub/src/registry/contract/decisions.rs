//! Administrators' decisions about members' tokens.

use super::approvals::{decide, listed, make, restriction, set};
use super::{Place, acts, fine, token};
use crate::error::HubError;
use crate::registry::{
    ApprovalStatus, Decision, MemberToken, OrganizationRole, Restriction, TokenPolicy, TokenRole,
};

pub(super) async fn what_is_decided_stays_with_the_token(place: &Place) {
    let registry = place.populated().await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    let made = make(place, &registry, "bob", token("f", fine(&["acme"]))).await;
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
            let decided = decide(place, &registry, "f", decision).await.unwrap();
            assert_eq!(decided, status);
        }
        assert_eq!(restriction(place, &registry, &made.value).await, expected);
    }
    let approval = &registry.approvals("acme").await.unwrap()[0];
    assert_eq!(approval.decided_by.as_deref(), Some("alice"));
    // A refreshed token is the same token.
    let fresh = registry
        .refresh_token("bob", "f", &place.program())
        .await
        .unwrap();
    assert_eq!(restriction(place, &registry, &fresh.value).await, None);
    decide(place, &registry, "f", Decision::Revoke)
        .await
        .unwrap();
    let fresh = registry
        .refresh_token("bob", "f", &place.program())
        .await
        .unwrap();
    assert_eq!(
        restriction(place, &registry, &fresh.value).await,
        Some(Restriction::Revoked)
    );
    // A revocation applies to the token whatever the policy is.
    set(place, &registry, TokenPolicy::AllowAll).await;
    assert_eq!(
        restriction(place, &registry, &fresh.value).await,
        Some(Restriction::Revoked)
    );
    // Deleted tokens are not listed.
    registry
        .delete_token("bob", "f", &place.program())
        .await
        .unwrap();
    assert_eq!(listed(&registry).await, []);
}

pub(super) async fn only_administrators_decide(place: &Place) {
    let registry = place.populated().await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    let made = make(place, &registry, "bob", token("f", fine(&["acme"]))).await;
    let before = acts(&registry).await;
    for name in ["bob", "carol"] {
        let origin = place.by(&registry, name).await;
        let decided = registry
            .decide(
                "acme",
                MemberToken::IdOrName("f"),
                Decision::Approve,
                &origin,
            )
            .await;
        assert!(
            matches!(decided, Err(HubError::NotAdministrator { .. })),
            "{name}"
        );
        let changed = registry
            .set_token_policy("acme", TokenPolicy::AllowAll, &origin)
            .await;
        assert!(
            matches!(changed, Err(HubError::NotAdministrator { .. })),
            "{name}"
        );
    }
    assert_eq!(acts(&registry).await, before);
    assert_eq!(
        restriction(place, &registry, &made.value).await,
        Some(Restriction::Pending)
    );
    let alice = place.by(&registry, "alice").await;
    registry
        .set_token_policy("acme", TokenPolicy::AllowAll, &alice)
        .await
        .unwrap();
    assert_eq!(restriction(place, &registry, &made.value).await, None);
}

pub(super) async fn nobody_revokes_their_own(place: &Place) {
    let registry = place.populated().await;
    let made = make(place, &registry, "alice", token("mine", TokenRole::Write)).await;
    let alice = place.by(&registry, "alice").await;
    for name in [
        MemberToken::IdOrName(&made.info.id),
        MemberToken::Value(&made.value.digest()),
    ] {
        let decided = registry
            .decide("acme", name, Decision::Revoke, &alice)
            .await;
        assert!(matches!(decided, Err(HubError::OwnToken)), "{decided:?}");
    }
    assert_eq!(restriction(place, &registry, &made.value).await, None);
    // Another administrator can.
    registry
        .set_member("acme", "bob", OrganizationRole::Admin, &place.program())
        .await
        .unwrap();
    let bob = place.by(&registry, "bob").await;
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
        restriction(place, &registry, &made.value).await,
        Some(Restriction::Revoked)
    );
}

pub(super) async fn what_was_let_in_is_not_denied(place: &Place) {
    let registry = place.populated().await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    let made = make(place, &registry, "bob", token("f", fine(&["acme"]))).await;
    for decision in [Decision::Approve, Decision::Revoke] {
        decide(place, &registry, "f", decision).await.unwrap();
        let before = restriction(place, &registry, &made.value).await;
        let denied = decide(place, &registry, "f", Decision::Deny).await;
        assert!(
            matches!(denied, Err(HubError::AlreadyDecided { .. })),
            "{denied:?}"
        );
        assert_eq!(restriction(place, &registry, &made.value).await, before);
    }
}

pub(super) async fn a_token_is_named_by_id_name_or_value(place: &Place) {
    let registry = place.populated().await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    let first = make(place, &registry, "bob", token("same", fine(&["acme"]))).await;
    let quiet = make(place, &registry, "bob", token("quiet", TokenRole::Write)).await;
    let outsider = make(place, &registry, "carol", token("x", fine(&["acme/m"]))).await;
    let alice = place.by(&registry, "alice").await;
    // A name matches only listed tokens, so that an administrator cannot discover the others by
    // guessing.
    for unknown in ["quiet", "x", outsider.info.id.as_str(), "nothing"] {
        let decided = decide(place, &registry, unknown, Decision::Approve).await;
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
        restriction(place, &registry, &quiet.value).await,
        Some(Restriction::Revoked)
    );
    let second = make(place, &registry, "bob", token("same", fine(&["acme/m"]))).await;
    let ambiguous = decide(place, &registry, "same", Decision::Approve).await;
    assert!(
        matches!(&ambiguous, Err(HubError::AmbiguousToken { ids, .. }) if ids.len() == 2),
        "{ambiguous:?}"
    );
    decide(place, &registry, &second.info.id, Decision::Approve)
        .await
        .unwrap();
    assert_eq!(restriction(place, &registry, &second.value).await, None);
    assert_eq!(
        restriction(place, &registry, &first.value).await,
        Some(Restriction::Pending)
    );
}
