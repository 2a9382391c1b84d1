//! The audit log: one entry for each change, and none without a change.

use time::Duration;

use super::{Fixture, actions, fine, log, model, token, user};
use crate::registry::{
    AuditAction, AuditFilter, Decision, Gate, GateChange, MemberToken, OrganizationRole,
    RepositoryChange, Subject, TokenPolicy, TokenRole,
};

#[expect(clippy::too_many_lines, reason = "one action after another")]
pub(super) async fn every_deed_is_entered_once(fixture: &Fixture) {
    let registry = fixture.open().await;
    let context = fixture.embedder_context();
    registry.create_user(user("alice"), &context).await.unwrap();
    registry.create_user(user("bob"), &context).await.unwrap();
    registry
        .create_organization("acme", "Acme", &context)
        .await
        .unwrap();
    registry
        .set_member("acme", "alice", OrganizationRole::Admin, &context)
        .await
        .unwrap();
    registry
        .set_member("acme", "bob", OrganizationRole::Read, &context)
        .await
        .unwrap();
    let alice = fixture.by(&registry, "alice").await;
    registry
        .set_token_policy("acme", TokenPolicy::RequireApproval, &alice)
        .await
        .unwrap();
    let made = registry
        .create_token("bob", token("ci", fine(&["acme"])), &context)
        .await
        .unwrap();
    for decision in [Decision::Deny, Decision::Approve, Decision::Revoke] {
        registry
            .decide("acme", MemberToken::IdOrName("ci"), decision, &alice)
            .await
            .unwrap();
    }
    registry
        .rename_token("bob", "ci", "laptop", &context)
        .await
        .unwrap();
    registry
        .change_token("bob", "laptop", TokenRole::Read, &context)
        .await
        .unwrap();
    let fresh = registry
        .refresh_token("bob", "laptop", &context)
        .await
        .unwrap();
    let repository = model(&registry, "acme", "m", &alice).await;
    let change = RepositoryChange {
        gated: GateChange::Set(Some(Gate::Auto)),
        private: Some(false),
        disabled: None,
    };
    registry
        .update_repository(&repository.id, change, &alice)
        .await
        .unwrap();
    let bob = registry.user("bob").await.unwrap();
    registry
        .grant(&repository.id, &bob.id, &alice)
        .await
        .unwrap();
    registry
        .revoke_grant(&repository.id, &bob.id, &alice)
        .await
        .unwrap();
    registry
        .delete_repository(&repository.id, &alice)
        .await
        .unwrap();
    registry
        .revoke(&[fresh.value.digest()], &alice)
        .await
        .unwrap();
    registry
        .create_token("bob", token("last", TokenRole::Write), &context)
        .await
        .unwrap();
    registry
        .delete_token("bob", "last", &context)
        .await
        .unwrap();
    registry.remove_member("acme", "bob", &alice).await.unwrap();
    registry
        .record(AuditAction::LoginSucceeded, Subject::user("alice"), &alice)
        .await
        .unwrap();

    let entries = log(&registry).await;
    let shown: Vec<String> = entries
        .iter()
        .map(|entry| {
            let subject = &entry.subject;
            let parts = [
                subject.user.as_deref(),
                subject.organization.as_deref(),
                subject.token_name.as_deref(),
                subject.repository.as_deref(),
                subject.detail.as_deref(),
            ];
            let parts: Vec<&str> = parts.into_iter().flatten().collect();
            let actor = entry.actor_name.as_deref().unwrap_or(&entry.actor);
            format!("{actor} {} {}", entry.act.as_str(), parts.join("|"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "program user.create alice",
            "program user.create bob",
            "program organization.create acme",
            "program member.set alice|acme|admin",
            "program member.set bob|acme|read",
            "alice policy.set acme|require-approval",
            "program token.create bob|ci|fineGrained",
            "program approval.request bob|acme|ci",
            "alice approval.deny bob|acme|ci",
            "alice approval.approve bob|acme|ci",
            "alice approval.revoke bob|acme|ci",
            "program token.rename bob|laptop|was ci",
            "program token.change bob|laptop|read",
            "program token.refresh bob|laptop",
            "alice repository.create acme|acme/m|private=true gated=false",
            "alice repository.settings acme|acme/m|private=false gated=auto",
            "alice access.grant bob|acme|acme/m",
            "alice access.revoke bob|acme|acme/m",
            "alice repository.delete acme|acme/m",
            "alice token.revoke bob|laptop",
            "program token.create bob|last|write",
            "program token.delete bob|last",
            "alice member.remove bob|acme",
            "alice login.ok alice",
        ]
    );
    assert!(entries.windows(2).all(|pair| pair[0].id < pair[1].id));
    let refreshed = entries
        .iter()
        .find(|entry| entry.act == AuditAction::TokenRefresh)
        .unwrap();
    assert_eq!(refreshed.subject.token_id, Some(made.info.id));
    assert_eq!(refreshed.subject.token_last4, Some(fresh.info.last4));
    assert_eq!((refreshed.at, &refreshed.address), (fixture.now(), &None));
    let last = entries.last().unwrap();
    assert_eq!(last.address.as_deref(), Some("127.0.0.1"));
    // No token value appears anywhere, and passwords are never logged.
    let shown = format!("{entries:?}");
    for value in [&made.value, &fresh.value] {
        assert!(!shown.contains(value.reveal()));
    }
}

pub(super) async fn what_does_not_happen_is_not_entered(fixture: &Fixture) {
    let registry = fixture.populated().await;
    let context = fixture.embedder_context();
    registry
        .create_token("alice", token("ci", TokenRole::Read), &context)
        .await
        .unwrap();
    let before = actions(&registry).await;
    // Neither failed changes …
    registry
        .create_user(user("alice"), &context)
        .await
        .unwrap_err();
    registry
        .create_token("nobody", token("x", TokenRole::Read), &context)
        .await
        .unwrap_err();
    registry
        .create_token("alice", token("x", fine(&["nobody/x"])), &context)
        .await
        .unwrap_err();
    registry
        .refresh_token("alice", "x", &context)
        .await
        .unwrap_err();
    registry
        .rename_token("alice", "ci", "\n", &context)
        .await
        .unwrap_err();
    registry
        .decide("acme", MemberToken::IdOrName("x"), Decision::Deny, &context)
        .await
        .unwrap_err();
    // … nor changes without effect.
    registry
        .set_member("acme", "bob", OrganizationRole::Write, &context)
        .await
        .unwrap();
    registry
        .remove_member("acme", "carol", &context)
        .await
        .unwrap();
    registry
        .set_token_policy("acme", TokenPolicy::AllowAll, &context)
        .await
        .unwrap();
    registry
        .change_token("alice", "ci", TokenRole::Read, &context)
        .await
        .unwrap();
    registry.revoke(&[[3; 32]], &context).await.unwrap();
    assert!(!registry.delete_repository("x", &context).await.unwrap());
    assert_eq!(actions(&registry).await, before);
}

#[expect(clippy::too_many_lines, reason = "one filter after another")]
pub(super) async fn entries_are_found_and_turned_page_by_page(fixture: &Fixture) {
    let registry = fixture.populated().await;
    fixture.pass(Duration::HOUR);
    let later = fixture.now();
    let alice = fixture.by(&registry, "alice").await;
    for number in 0..5 {
        let new = token(&number.to_string(), TokenRole::Read);
        registry.create_token("carol", new, &alice).await.unwrap();
    }
    registry.delete_token("carol", "0", &alice).await.unwrap();
    let count = async |filter: AuditFilter| registry.audit(&filter).await.unwrap().len();
    let all = count(AuditFilter::default()).await;
    let filter = AuditFilter::default;
    for (wanted, expected) in [
        (
            AuditFilter {
                user: Some("Carol".to_owned()),
                ..filter()
            },
            7,
        ),
        // Where she is the actor or the target.
        (
            AuditFilter {
                user: Some("alice".to_owned()),
                ..filter()
            },
            8,
        ),
        (
            AuditFilter {
                organization: Some("ACME".to_owned()),
                ..filter()
            },
            4,
        ),
        (
            AuditFilter {
                act: Some("token".to_owned()),
                ..filter()
            },
            6,
        ),
        (
            AuditFilter {
                act: Some("token.delete".to_owned()),
                ..filter()
            },
            1,
        ),
        (
            AuditFilter {
                act: Some("tok".to_owned()),
                ..filter()
            },
            0,
        ),
        (
            AuditFilter {
                since: Some(later),
                ..filter()
            },
            6,
        ),
        (
            AuditFilter {
                until: Some(later),
                ..filter()
            },
            all - 6,
        ),
        (
            AuditFilter {
                since: Some(later),
                until: Some(later),
                ..filter()
            },
            0,
        ),
        // Where she is the actor, whatever the target.
        (
            AuditFilter {
                actor: Some("ALICE".to_owned()),
                ..filter()
            },
            6,
        ),
        (
            AuditFilter {
                actor: Some("alice".to_owned()),
                user: Some("carol".to_owned()),
                ..filter()
            },
            6,
        ),
        (
            AuditFilter {
                user: Some("alice".to_owned()),
                limit: Some(3),
                ..filter()
            },
            3,
        ),
        (
            AuditFilter {
                limit: Some(2),
                ..filter()
            },
            2,
        ),
        (
            AuditFilter {
                user: Some("nobody".to_owned()),
                ..filter()
            },
            0,
        ),
        (
            AuditFilter {
                user: Some("' OR 1=1 --".to_owned()),
                act: Some("%".to_owned()),
                ..filter()
            },
            0,
        ),
    ] {
        assert_eq!(count(wanted.clone()).await, expected, "{wanted:?}");
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = AuditFilter {
            limit: Some(3),
            before,
            ..filter()
        };
        let page = registry.audit(&page).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.into_iter().map(|entry| entry.id));
    }
    assert_eq!(seen.len(), all);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));
}

pub(super) async fn entries_are_kept_as_long_as_they_must(fixture: &Fixture) {
    let registry = fixture.populated().await;
    registry.set_audit_retention(30);
    let newest = log(&registry).await.last().unwrap().id;
    fixture.pass(Duration::days(29));
    registry
        .create_user(user("dave"), &fixture.embedder_context())
        .await
        .unwrap();
    assert!(actions(&registry).await.len() > 2);
    fixture.pass(Duration::days(2));
    registry
        .create_user(user("erin"), &fixture.embedder_context())
        .await
        .unwrap();
    let left = log(&registry).await;
    assert_eq!(
        left.iter()
            .map(|entry| entry.subject.user.as_deref())
            .collect::<Vec<_>>(),
        [Some("dave"), Some("erin")]
    );
    // The ids of dropped entries are not reused.
    assert!(left[0].id > newest);
}

pub(super) async fn a_name_that_is_nobodys_is_not_kept(fixture: &Fixture) {
    let registry = fixture.populated().await;
    for name in ["ALICE", "correct horse battery"] {
        let context = fixture.embedder_context();
        registry
            .record(AuditAction::LoginFailed, Subject::user(name), &context)
            .await
            .unwrap();
    }
    let entries = log(&registry).await;
    let named: Vec<_> = entries[entries.len() - 2..]
        .iter()
        .map(|entry| entry.subject.user.as_deref())
        .collect();
    assert_eq!(named, [Some("alice"), None]);
}
