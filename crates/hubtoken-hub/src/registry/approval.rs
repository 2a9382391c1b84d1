//! Organization token policies, and approval decisions on individual tokens.
//!
//! The policy restricts *tokens*: it does not limit what the public may do, and it never grants
//! more than the member or the token already has. An approval request is filed when a token is
//! created or changed with a scope on the organization, or when it is first used there. An
//! administrator's decision is tied to the token's id, so refreshing the value keeps it.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{AuditContext, GrantedScope, TokenInfo};
use crate::error::HubError;
use crate::secret::Digest;

/// Which of its members' tokens an organization accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPolicy {
    /// All tokens.
    AllowAll,
    /// Fine-grained tokens only.
    FineGrainedOnly,
    /// Fine-grained tokens that an administrator approved, and fine-grained tokens owned by
    /// administrators.
    RequireApproval,
}

/// The status of a token's approval request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// Approval was requested, and no decision has been made.
    Pending,
    /// The token may be used on the organization.
    Approved,
    /// The request was denied before the token was ever approved.
    Denied,
    /// The token is blocked, whatever the policy is.
    Revoked,
}

/// A token that requested approval or was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The name of the member who owns the token.
    pub user: String,
    /// The token.
    pub token: TokenInfo,
    /// For a fine-grained token, its scopes on the organization and its repositories.
    pub scopes: Vec<GrantedScope>,
    /// The status of the request.
    pub status: ApprovalStatus,
    /// When approval was requested, or when the token was revoked if it never requested approval.
    pub asked_at: OffsetDateTime,
    /// When the decision was made.
    pub decided_at: Option<OffsetDateTime>,
    /// Who decided: a user's name, or the kind of actor (`admin-key`, `program`).
    pub decided_by: Option<String>,
}

/// A decision that an administrator can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Approve the token. Also reverses a revocation.
    Approve,
    /// Deny a token that was never approved.
    Deny,
    /// Block the token, whatever the policy is.
    Revoke,
}

/// Why an organization blocks a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    /// It is a `read` or `write` token, and the policy accepts only fine-grained ones.
    FineGrainedOnly,
    /// It needs approval and has not requested it yet.
    NotRequested,
    /// It is waiting for approval.
    Pending,
    /// Its request was denied.
    Denied,
    /// It was revoked.
    Revoked,
}

/// How an administrator refers to another member's token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberToken<'a> {
    /// By its id, or by its name if the token requested approval or was revoked.
    IdOrName(&'a str),
    /// By its value.
    Value(&'a Digest),
}

impl TokenPolicy {
    /// `allow-all`, `fine-grained-only` or `require-approval`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowAll => "allow-all",
            Self::FineGrainedOnly => "fine-grained-only",
            Self::RequireApproval => "require-approval",
        }
    }

    /// Reads `allow-all`, `fine-grained-only` or `require-approval`.
    #[must_use]
    pub fn parse(policy: &str) -> Option<Self> {
        [Self::AllowAll, Self::FineGrainedOnly, Self::RequireApproval]
            .into_iter()
            .find(|each| each.as_str() == policy)
    }

    /// Why a token is blocked, or `None` if it is accepted.
    pub(crate) fn restriction(
        self,
        is_fine_grained: bool,
        is_administrators: bool,
        status: Option<ApprovalStatus>,
    ) -> Option<Restriction> {
        if status == Some(ApprovalStatus::Revoked) {
            return Some(Restriction::Revoked);
        }
        if self == Self::AllowAll {
            return None;
        }
        if !is_fine_grained {
            return Some(Restriction::FineGrainedOnly);
        }
        if self == Self::FineGrainedOnly || is_administrators {
            return None;
        }
        match status {
            None => Some(Restriction::NotRequested),
            Some(ApprovalStatus::Pending) => Some(Restriction::Pending),
            Some(ApprovalStatus::Denied) => Some(Restriction::Denied),
            Some(ApprovalStatus::Approved | ApprovalStatus::Revoked) => None,
        }
    }
}

impl ApprovalStatus {
    /// `pending`, `approved`, `denied` or `revoked`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Revoked => "revoked",
        }
    }

    /// Reads `pending`, `approved`, `denied` or `revoked`.
    #[must_use]
    pub fn parse(status: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Denied, Self::Revoked]
            .into_iter()
            .find(|each| each.as_str() == status)
    }
}

impl Decision {
    /// `approve`, `deny` or `revoke`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Revoke => "revoke",
        }
    }

    /// Reads `approve`, `deny` or `revoke`.
    #[must_use]
    pub fn parse(decision: &str) -> Option<Self> {
        [Self::Approve, Self::Deny, Self::Revoke]
            .into_iter()
            .find(|each| each.as_str() == decision)
    }

    /// The status that results from the decision.
    pub(crate) fn status(self) -> ApprovalStatus {
        match self {
            Self::Approve => ApprovalStatus::Approved,
            Self::Deny => ApprovalStatus::Denied,
            Self::Revoke => ApprovalStatus::Revoked,
        }
    }
}

/// The registry's operations on policies and approvals. A change made by a user is rejected unless
/// the user administers the organization at the time of the change.
#[async_trait]
pub(crate) trait Approvals {
    /// The policy of an organization.
    async fn token_policy(&self, organization: &str) -> Result<TokenPolicy, HubError>;

    /// Sets the policy. Under [`TokenPolicy::RequireApproval`], approval requests are filed at once
    /// for tokens with a scope on the organization.
    async fn set_token_policy(
        &self,
        organization: &str,
        policy: TokenPolicy,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// The members' tokens that requested approval or were revoked: pending ones first, then newest
    /// first.
    async fn approvals(&self, organization: &str) -> Result<Vec<Approval>, HubError>;

    /// Files an approval request, by organization id and token id. Does nothing if one already
    /// exists.
    async fn request_approval(
        &self,
        organization_id: &str,
        token_id: &str,
        context: &AuditContext,
    ) -> Result<(), HubError>;

    /// Records a decision about a token. Users cannot revoke their own tokens here.
    async fn decide(
        &self,
        organization: &str,
        token: MemberToken<'_>,
        decision: Decision,
        context: &AuditContext,
    ) -> Result<Approval, HubError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_policies() {
        use ApprovalStatus::{Approved, Denied, Pending, Revoked};
        use TokenPolicy::{AllowAll, FineGrainedOnly, RequireApproval};
        let statuses = [
            None,
            Some(Pending),
            Some(Approved),
            Some(Denied),
            Some(Revoked),
        ];
        // For each policy: a classic token, a fine-grained token, and an administrator's
        // fine-grained token, each with the five statuses. `.` means accepted.
        for (policy, is_fine, is_admin, row) in [
            (AllowAll, false, false, "....r"),
            (AllowAll, true, false, "....r"),
            (AllowAll, true, true, "....r"),
            (FineGrainedOnly, false, false, "ffffr"),
            (FineGrainedOnly, false, true, "ffffr"),
            (FineGrainedOnly, true, false, "....r"),
            (RequireApproval, false, false, "ffffr"),
            (RequireApproval, false, true, "ffffr"),
            (RequireApproval, true, false, "np.dr"),
            (RequireApproval, true, true, "....r"),
        ] {
            let found: String = statuses
                .iter()
                .map(
                    |status| match policy.restriction(is_fine, is_admin, *status) {
                        None => '.',
                        Some(Restriction::FineGrainedOnly) => 'f',
                        Some(Restriction::NotRequested) => 'n',
                        Some(Restriction::Pending) => 'p',
                        Some(Restriction::Denied) => 'd',
                        Some(Restriction::Revoked) => 'r',
                    },
                )
                .collect();
            assert_eq!(found, row, "{policy:?} {is_fine} {is_admin}");
        }
    }

    #[test]
    fn words_go_both_ways() {
        for policy in ["allow-all", "fine-grained-only", "require-approval"] {
            assert_eq!(TokenPolicy::parse(policy).unwrap().as_str(), policy);
        }
        for status in ["pending", "approved", "denied", "revoked"] {
            assert_eq!(ApprovalStatus::parse(status).unwrap().as_str(), status);
        }
        for decision in ["approve", "deny", "revoke"] {
            assert_eq!(Decision::parse(decision).unwrap().as_str(), decision);
        }
        assert_eq!(TokenPolicy::parse("Allow-all"), None);
    }
}
