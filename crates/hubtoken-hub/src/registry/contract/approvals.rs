//! Token policies, the tokens that they block, and how approval requests are filed.

use std::sync::Arc;

use super::{Fixture, actions, fine, token};
use crate::error::HubError;
use crate::registry::{
    ApprovalStatus, CreatedToken, Decision, MemberToken, NewToken, OrganizationRole, Registry,
    Restriction, TokenPolicy, TokenRole,
};
use crate::secret::Secret;

pub(super) async fn make(
    fixture: &Fixture,
    registry: &Arc<dyn Registry>,
    user: &str,
    new: NewToken,
) -> CreatedToken {
    registry
        .create_token(user, new, &fixture.embedder_context())
        .await
        .unwrap()
}

pub(super) async fn set(fixture: &Fixture, registry: &Arc<dyn Registry>, policy: TokenPolicy) {
    registry
        .set_token_policy("acme", policy, &fixture.embedder_context())
        .await
        .unwrap();
    assert_eq!(registry.token_policy("acme").await.unwrap(), policy);
}

pub(super) async fn restriction(
    fixture: &Fixture,
    registry: &Arc<dyn Registry>,
    value: &Secret,
) -> Option<Restriction> {
    let acme = registry.organization("acme").await.unwrap();
    let principal = fixture.identify(registry, value).await.unwrap();
    principal.restriction(&acme.id)
}

pub(super) async fn decide(
    fixture: &Fixture,
    registry: &Arc<dyn Registry>,
    token: &str,
    decision: Decision,
) -> Result<ApprovalStatus, HubError> {
    registry
        .decide(
            "acme",
            MemberToken::IdOrName(token),
            decision,
            &fixture.by(registry, "alice").await,
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

pub(super) async fn a_policy_keeps_tokens_out(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let plain = make(fixture, &registry, "bob", token("w", TokenRole::Write)).await;
    let scoped = make(fixture, &registry, "bob", token("f", fine(&["acme"]))).await;
    let of_admin = make(fixture, &registry, "alice", token("f", fine(&["acme"]))).await;
    let outsider = make(fixture, &registry, "carol", token("w", TokenRole::Write)).await;
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
        set(fixture, &registry, policy).await;
        assert_eq!(
            restriction(fixture, &registry, &plain.value).await,
            of_plain
        );
        assert_eq!(
            restriction(fixture, &registry, &scoped.value).await,
            of_scoped
        );
        assert_eq!(restriction(fixture, &registry, &of_admin.value).await, None);
        assert_eq!(restriction(fixture, &registry, &outsider.value).await, None);
    }
    // A former administrator is treated like any other member.
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    registry
        .set_member(
            "acme",
            "alice",
            OrganizationRole::Write,
            &fixture.embedder_context(),
        )
        .await
        .unwrap();
    assert_eq!(
        restriction(fixture, &registry, &of_admin.value).await,
        Some(Restriction::Pending)
    );
}

pub(super) async fn a_token_asks_by_its_scopes(fixture: &Fixture) {
    let registry = fixture.populated().await;
    make(fixture, &registry, "bob", token("early", fine(&["acme"]))).await;
    make(
        fixture,
        &registry,
        "bob",
        token("elsewhere", fine(&["bob"])),
    )
    .await;
    make(
        fixture,
        &registry,
        "carol",
        token("outsider", fine(&["acme/m"])),
    )
    .await;
    assert_eq!(listed(&registry).await, []);
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    fixture.pass(time::Duration::SECOND);
    make(
        fixture,
        &registry,
        "bob",
        token("late", fine(&["acme/m", "bob"])),
    )
    .await;
    make(fixture, &registry, "bob", token("plain", TokenRole::Write)).await;
    make(fixture, &registry, "alice", token("admin", fine(&["acme"]))).await;
    let pending = |name: &str| (name.to_owned(), ApprovalStatus::Pending);
    assert_eq!(listed(&registry).await, [pending("late"), pending("early")]);
    // A new member's existing tokens are included.
    fixture.pass(time::Duration::SECOND);
    registry
        .set_member(
            "acme",
            "carol",
            OrganizationRole::Read,
            &fixture.embedder_context(),
        )
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

pub(super) async fn a_token_asks_by_being_used(fixture: &Fixture) {
    let registry = fixture.populated().await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    let made = make(fixture, &registry, "bob", token("f", fine(&[]))).await;
    let outsider = make(fixture, &registry, "carol", token("f", fine(&[]))).await;
    assert_eq!(
        restriction(fixture, &registry, &made.value).await,
        Some(Restriction::NotRequested)
    );
    let acme = registry.organization("acme").await.unwrap();
    let before = actions(&registry).await.len();
    for id in [&made.info.id, &made.info.id, &outsider.info.id] {
        let context = fixture.by(&registry, "bob").await;
        registry
            .request_approval(&acme.id, id, &context)
            .await
            .unwrap();
    }
    assert_eq!(actions(&registry).await[before..], ["approval.request"]);
    assert_eq!(
        restriction(fixture, &registry, &made.value).await,
        Some(Restriction::Pending)
    );
    assert_eq!(
        listed(&registry).await,
        [("f".to_owned(), ApprovalStatus::Pending)]
    );
}

pub(super) async fn other_permissions_are_asked_for_again(fixture: &Fixture) {
    let registry = fixture.populated().await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    for (decision, expected) in [
        (Decision::Approve, Restriction::Pending),
        (Decision::Deny, Restriction::Pending),
        (Decision::Revoke, Restriction::Revoked),
    ] {
        let made = make(fixture, &registry, "bob", token("f", fine(&["acme/m"]))).await;
        decide(fixture, &registry, &made.info.id, decision)
            .await
            .unwrap();
        registry
            .change_token(
                "bob",
                &made.info.id,
                fine(&["acme"]),
                &fixture.embedder_context(),
            )
            .await
            .unwrap();
        assert_eq!(
            restriction(fixture, &registry, &made.value).await,
            Some(expected),
            "{decision:?}"
        );
        // Setting the same scopes again changes nothing.
        if decision == Decision::Approve {
            decide(fixture, &registry, &made.info.id, decision)
                .await
                .unwrap();
            registry
                .change_token(
                    "bob",
                    &made.info.id,
                    fine(&["acme"]),
                    &fixture.embedder_context(),
                )
                .await
                .unwrap();
            assert_eq!(restriction(fixture, &registry, &made.value).await, None);
        }
    }
    let plain = make(fixture, &registry, "bob", token("p", TokenRole::Read)).await;
    registry
        .change_token("bob", "p", fine(&["acme"]), &fixture.embedder_context())
        .await
        .unwrap();
    assert_eq!(
        restriction(fixture, &registry, &plain.value).await,
        Some(Restriction::Pending)
    );
}

pub(super) async fn who_leaves_and_comes_back_asks_again(fixture: &Fixture) {
    let registry = fixture.populated().await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    let good = make(fixture, &registry, "bob", token("good", fine(&["acme"]))).await;
    let bad = make(fixture, &registry, "bob", token("bad", fine(&["acme"]))).await;
    decide(fixture, &registry, "good", Decision::Approve)
        .await
        .unwrap();
    decide(fixture, &registry, "bad", Decision::Revoke)
        .await
        .unwrap();
    let context = fixture.embedder_context();
    registry
        .remove_member("acme", "bob", &context)
        .await
        .unwrap();
    assert_eq!(listed(&registry).await, []);
    let known = fixture.identify(&registry, &good.value).await.unwrap();
    assert!(known.restrictions.is_empty() && known.memberships.is_empty());
    registry
        .set_member("acme", "bob", OrganizationRole::Write, &context)
        .await
        .unwrap();
    assert_eq!(
        restriction(fixture, &registry, &good.value).await,
        Some(Restriction::Pending)
    );
    assert_eq!(
        restriction(fixture, &registry, &bad.value).await,
        Some(Restriction::Revoked)
    );
}

pub(super) async fn every_token_has_a_standing(fixture: &Fixture) {
    let registry = fixture.populated().await;
    make(fixture, &registry, "bob", token("w", TokenRole::Write)).await;
    fixture.pass(time::Duration::SECOND);
    make(
        fixture,
        &registry,
        "bob",
        token("f", fine(&["acme/m", "bob"])),
    )
    .await;
    make(fixture, &registry, "alice", token("a", fine(&["acme"]))).await;
    make(fixture, &registry, "carol", token("x", TokenRole::Write)).await;
    set(fixture, &registry, TokenPolicy::RequireApproval).await;
    let shown = async |user: Option<&str>| -> Vec<_> {
        let member_tokens = registry.member_tokens("ACME", user).await.unwrap();
        member_tokens
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
    assert_eq!(shown(Some(&bob.id)).await, of_bob);
    let [fine, plain] = of_bob;
    // A non-member has no tokens there.
    assert_eq!(
        shown(None).await,
        [row("alice", "a", "acme", None), fine, plain]
    );
    assert!(matches!(
        registry.member_tokens("nothing", None).await,
        Err(HubError::UnknownOrganization { .. })
    ));
}
