//! Labels for policies and approvals.

use crate::registry::{ApprovalStatus, Decision, GrantedScope, Restriction, TokenPolicy};

/// The labels of a policy; the name is the real Hub's.
#[derive(Clone, Copy, Debug)]
pub(super) struct PolicyOption {
    pub value: &'static str,
    pub name: &'static str,
    pub description: &'static str,
}

pub(super) const POLICIES: [TokenPolicy; 3] = [
    TokenPolicy::AllowAll,
    TokenPolicy::FineGrainedOnly,
    TokenPolicy::RequireApproval,
];

pub(super) fn policy(policy: TokenPolicy) -> PolicyOption {
    let (name, description) = match policy {
        TokenPolicy::AllowAll => (
            "Allow access via User Access Tokens",
            "Every token of a member is allowed, within its own permissions.",
        ),
        TokenPolicy::FineGrainedOnly => (
            "Only access via fine-grained tokens",
            "Read and write tokens are blocked, including those of admins.",
        ),
        TokenPolicy::RequireApproval => (
            "Require administrator approval",
            "Read and write tokens are blocked, and so are fine-grained ones until an admin approves them. Fine-grained \
             tokens of admins need no approval.",
        ),
    };
    PolicyOption {
        value: policy.as_str(),
        name,
        description,
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

/// The label of a decision's button.
pub(super) fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "Approve",
        Decision::Deny => "Deny",
        Decision::Revoke => "Revoke",
    }
}

/// The status of the user's own token.
pub(super) fn restriction(restriction: Option<Restriction>) -> &'static str {
    match restriction {
        None => "Allowed",
        Some(Restriction::FineGrainedOnly) => "Blocked: only fine-grained tokens are allowed",
        Some(Restriction::NotRequested) => {
            "Needs approval, which it requests when it is first used here"
        }
        Some(Restriction::Pending) => "Waits for an admin's approval",
        Some(Restriction::Denied) => "Denied by an admin",
        Some(Restriction::Revoked) => "Revoked by an admin",
    }
}

/// What a fine-grained token may do, one line per namespace or repository, sorted by name.
pub(super) fn lines(scopes: &[GrantedScope]) -> Vec<String> {
    let mut lines: Vec<String> = scopes
        .iter()
        .map(|scope| format!("{}: {}", scope.entity.path(), scope.permissions.join(", ")))
        .collect();
    lines.sort_unstable();
    lines
}
