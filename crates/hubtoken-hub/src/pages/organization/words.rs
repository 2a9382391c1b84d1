//! Policies and approvals in words for people.

use crate::registry::{ApprovalStatus, Decision, GrantedScope, Restriction, TokenPolicy};

/// A policy on a page: its name is the real Hub's.
#[derive(Clone, Copy, Debug)]
pub(super) struct PolicyWords {
    pub value: &'static str,
    pub name: &'static str,
    pub meaning: &'static str,
}

pub(super) const POLICIES: [TokenPolicy; 3] = [
    TokenPolicy::AllowAll,
    TokenPolicy::FineGrainedOnly,
    TokenPolicy::RequireApproval,
];

pub(super) fn policy(policy: TokenPolicy) -> PolicyWords {
    let (name, meaning) = match policy {
        TokenPolicy::AllowAll => (
            "Allow access via User Access Tokens",
            "Every token of a member is let in, as far as its own permissions go.",
        ),
        TokenPolicy::FineGrainedOnly => (
            "Only access via fine-grained tokens",
            "Read and write tokens are kept out, those of admins included.",
        ),
        TokenPolicy::RequireApproval => (
            "Require administrator approval",
            "Read and write tokens are kept out, and a fine-grained one until an admin has approved it. Fine-grained \
             tokens of admins need no approval.",
        ),
    };
    PolicyWords {
        value: policy.as_str(),
        name,
        meaning,
    }
}

pub(super) fn status(status: ApprovalStatus) -> &'static str {
    match status {
        ApprovalStatus::Pending => "Waiting",
        ApprovalStatus::Approved => "Approved",
        ApprovalStatus::Denied => "Denied",
        ApprovalStatus::Revoked => "Revoked",
    }
}

/// A decision as a button says it.
pub(super) fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "Approve",
        Decision::Deny => "Deny",
        Decision::Revoke => "Revoke",
    }
}

/// Where a token of one's own stands.
pub(super) fn standing(restriction: Option<Restriction>) -> &'static str {
    match restriction {
        None => "Let in",
        Some(Restriction::FineGrainedOnly) => "Kept out: only fine-grained tokens are let in",
        Some(Restriction::NotAsked) => "Needs approval, and asks for it when it is first used here",
        Some(Restriction::Pending) => "Waits for an admin's approval",
        Some(Restriction::Denied) => "Denied by an admin",
        Some(Restriction::Revoked) => "Revoked by an admin",
    }
}

/// What a fine-grained token may do, a line for each place, in the order of their names.
pub(super) fn lines(scopes: &[GrantedScope]) -> Vec<String> {
    let mut lines: Vec<String> = scopes
        .iter()
        .map(|scope| format!("{}: {}", scope.entity.path(), scope.permissions.join(", ")))
        .collect();
    lines.sort_unstable();
    lines
}
