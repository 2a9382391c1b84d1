//! Token policies, the tokens that they block, and how approval requests are filed.

use std::sync::Arc;

use super::{Place, acts, fine, token};
use crate::error::HubError;
use crate::registry::{
    ApprovalStatus, CreatedToken, Decision, MemberToken, NewToken, OrganizationRole, Registry,
    Restriction, TokenPolicy, TokenRole,
};
use crate::secret::Secret;

pub(super) async fn make(
    place: &Place,
    registry: &Arc<dyn Registry>,
    user: &str,
    new: NewToken,
) -> CreatedToken {
    registry
        .create_token(user, new, &place.program())
        .await
        .unwrap()
}

pub(super) async fn set(place: &Place, registry: &Arc<dyn Registry>, policy: TokenPolicy) {
    registry
        .set_token_policy("acme", policy, &place.program())
        .await
        .unwrap();
    assert_eq!(registry.token_policy("acme").await.unwrap(), policy);
}

pub(super) async fn restriction(
    place: &Place,
    registry: &Arc<dyn Registry>,
    value: &Secret,
) -> Option<Restriction> {
    let acme = registry.organization("acme").await.unwrap();
    let principal = place.identify(registry, value).await.unwrap();
    principal.restriction(&acme.id)
}

pub(super) async fn decide(
    place: &Place,
    registry: &Arc<dyn Registry>,
    token: &str,
    decision: Decision,
) -> Result<ApprovalStatus, HubError> {
    registry
        .decide(
            "acme",
            MemberToken::IdOrName(token),
            decision,
            &place.by(registry, "alice").await,
        )
        .await
        .map(|approval| approval.status)
}

/// The name and status of every listed token.
pub(super) async fn listed(registry: &Arc<dyn Registry>) -> Vec<(String, ApprovalStatus)> {
    registry
        .approvals("acme")
        .await
        .unwrap()
        .into_iter()
        .map(|approval| (approval.token.name, approval.status))
        .collect()
}

pub(super) async fn a_policy_keeps_tokens_out(place: &Place) {
    let registry = place.populated().await;
    let plain = make(place, &registry, "bob", token("w", TokenRole::Write)).await;
    let scoped = make(place, &registry, "bob", token("f", fine(&["acme"]))).await;
    let of_admin = make(place, &registry, "alice", token("f", fine(&["acme"]))).await;
    let outsider = make(place, &registry, "carol", token("w", TokenRole::Write)).await;
    assert_eq!(
        registry.token_policy("acme").await.unwrap(),
        TokenPolicy::AllowAll
    );
    for (policy, of_plain, of_scoped) in [
        (TokenPolicy::AllowAll, None, None),
        (
            TokenPolicy::FineGrainedOnly,
            Some(Restriction::FineGrainedOnly),
            None,
        ),
        (
            TokenPolicy::RequireApproval,
            Some(Restriction::FineGrainedOnly),
            Some(Restriction::Pending),
        ),
        (TokenPolicy::AllowAll, None, None),
    ] {
        set(place, &registry, policy).await;
        assert_eq!(restriction(place, &registry, &plain.value).await, of_plain);
        assert_eq!(
            restriction(place, &registry, &scoped.value).await,
            of_scoped
        );
        assert_eq!(restriction(place, &registry, &of_admin.value).await, None);
        assert_eq!(restriction(place, &registry, &outsider.value).await, None);
    }
    // A former administrator is treated like any other member.
    set(place, &registry, TokenPolicy::RequireApproval).await;
    registry
        .set_member("acme", "alice", OrganizationRole::Write, &place.program())
        .await
        .unwrap();
    assert_eq!(
        restriction(place, &registry, &of_admin.value).await,
        Some(Restriction::Pending)
    );
}

pub(super) async fn a_token_asks_by_its_scopes(place: &Place) {
    let registry = place.populated().await;
    make(place, &registry, "bob", token("early", fine(&["acme"]))).await;
    make(place, &registry, "bob", token("elsewhere", fine(&["bob"]))).await;
    make(
        place,
        &registry,
        "carol",
        token("outsider", fine(&["acme/m"])),
    )
    .await;
    assert_eq!(listed(&registry).await, []);
    set(place, &registry, TokenPolicy::RequireApproval).await;
    place.pass(time::Duration::SECOND);
    make(
        place,
        &registry,
        "bob",
        token("late", fine(&["acme/m", "bob"])),
    )
    .await;
    make(place, &registry, "bob", token("plain", TokenRole::Write)).await;
    make(place, &registry, "alice", token("admin", fine(&["acme"]))).await;
    let pending = |name: &str| (name.to_owned(), ApprovalStatus::Pending);
    assert_eq!(listed(&registry).await, [pending("late"), pending("early")]);
    // A new member's existing tokens are included.
    place.pass(time::Duration::SECOND);
    registry
        .set_member("acme", "carol", OrganizationRole::Read, &place.program())
        .await
        .unwrap();
    assert_eq!(listed(&registry).await[0], pending("outsider"));
    let late = &registry.approvals("acme").await.unwrap()[1];
    assert_eq!((late.user.as_str(), late.decided_at), ("bob", None));
    // The token's scopes elsewhere are not disclosed.
    let entities: Vec<&str> = late
        .scopes
        .iter()
        .map(|scope| scope.entity.name.as_str())
        .collect();
    assert_eq!(entities, ["acme/m"]);
}

pub(super) async fn a_token_asks_by_being_used(place: &Place) {
    let registry = place.populated().await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    let made = make(place, &registry, "bob", token("f", fine(&[]))).await;
    let outsider = make(place, &registry, "carol", token("f", fine(&[]))).await;
    assert_eq!(
        restriction(place, &registry, &made.value).await,
        Some(Restriction::NotAsked)
    );
    let acme = registry.organization("acme").await.unwrap();
    let before = acts(&registry).await.len();
    for id in [&made.info.id, &made.info.id, &outsider.info.id] {
        let origin = place.by(&registry, "bob").await;
        registry.ask(&acme.id, id, &origin).await.unwrap();
    }
    assert_eq!(acts(&registry).await[before..], ["approval.request"]);
    assert_eq!(
        restriction(place, &registry, &made.value).await,
        Some(Restriction::Pending)
    );
    assert_eq!(
        listed(&registry).await,
        [("f".to_owned(), ApprovalStatus::Pending)]
    );
}

pub(super) async fn other_permissions_are_asked_for_again(place: &Place) {
    let registry = place.populated().await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    for (decision, expected) in [
        (Decision::Approve, Restriction::Pending),
        (Decision::Deny, Restriction::Pending),
        (Decision::Revoke, Restriction::Revoked),
    ] {
        let made = make(place, &registry, "bob", token("f", fine(&["acme/m"]))).await;
        decide(place, &registry, &made.info.id, decision)
            .await
            .unwrap();
        registry
            .change_token("bob", &made.info.id, fine(&["acme"]), &place.program())
            .await
            .unwrap();
        assert_eq!(
            restriction(place, &registry, &made.value).await,
            Some(expected),
            "{decision:?}"
        );
        // Setting the same scopes again changes nothing.
        if decision == Decision::Approve {
            decide(place, &registry, &made.info.id, decision)
                .await
                .unwrap();
            registry
                .change_token("bob", &made.info.id, fine(&["acme"]), &place.program())
                .await
                .unwrap();
            assert_eq!(restriction(place, &registry, &made.value).await, None);
        }
    }
    let plain = make(place, &registry, "bob", token("p", TokenRole::Read)).await;
    registry
        .change_token("bob", "p", fine(&["acme"]), &place.program())
        .await
        .unwrap();
    assert_eq!(
        restriction(place, &registry, &plain.value).await,
        Some(Restriction::Pending)
    );
}

pub(super) async fn who_leaves_and_comes_back_asks_again(place: &Place) {
    let registry = place.populated().await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    let good = make(place, &registry, "bob", token("good", fine(&["acme"]))).await;
    let bad = make(place, &registry, "bob", token("bad", fine(&["acme"]))).await;
    decide(place, &registry, "good", Decision::Approve)
        .await
        .unwrap();
    decide(place, &registry, "bad", Decision::Revoke)
        .await
        .unwrap();
    let origin = place.program();
    registry
        .remove_member("acme", "bob", &origin)
        .await
        .unwrap();
    assert_eq!(listed(&registry).await, []);
    let known = place.identify(&registry, &good.value).await.unwrap();
    assert!(known.restrictions.is_empty() && known.memberships.is_empty());
    registry
        .set_member("acme", "bob", OrganizationRole::Write, &origin)
        .await
        .unwrap();
    assert_eq!(
        restriction(place, &registry, &good.value).await,
        Some(Restriction::Pending)
    );
    assert_eq!(
        restriction(place, &registry, &bad.value).await,
        Some(Restriction::Revoked)
    );
}

pub(super) async fn every_token_has_a_standing(place: &Place) {
    let registry = place.populated().await;
    make(place, &registry, "bob", token("w", TokenRole::Write)).await;
    place.pass(time::Duration::SECOND);
    make(
        place,
        &registry,
        "bob",
        token("f", fine(&["acme/m", "bob"])),
    )
    .await;
    make(place, &registry, "alice", token("a", fine(&["acme"]))).await;
    make(place, &registry, "carol", token("x", TokenRole::Write)).await;
    set(place, &registry, TokenPolicy::RequireApproval).await;
    let told = async |user: Option<&str>| -> Vec<_> {
        let standings = registry.standings("ACME", user).await.unwrap();
        standings
            .into_iter()
            .map(|each| {
                let restriction = each.restriction(TokenPolicy::RequireApproval);
                let scopes: Vec<String> = each
                    .scopes
                    .iter()
                    .map(|scope| scope.entity.path())
                    .collect();
                (each.user, each.token.name, scopes.join(" "), restriction)
            })
            .collect()
    };
    let row = |user: &str, name: &str, scopes: &str, restriction| {
        (
            user.to_owned(),
            name.to_owned(),
            scopes.to_owned(),
            restriction,
        )
    };
    let of_bob = [
        row("bob", "f", "acme/m", Some(Restriction::Pending)),
        row("bob", "w", "", Some(Restriction::FineGrainedOnly)),
    ];
    let bob = registry.user("bob").await.unwrap();
    assert_eq!(told(Some(&bob.id)).await, of_bob);
    let [fine, plain] = of_bob;
    // A non-member has no tokens there.
    assert_eq!(
        told(None).await,
        [row("alice", "a", "acme", None), fine, plain]
    );
    assert!(matches!(
        registry.standings("nothing", None).await,
        Err(HubError::UnknownOrganization { .. })
    ));
}
