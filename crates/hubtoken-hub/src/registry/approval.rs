//! What an organization lets its members' tokens do, and its word on single tokens.
//!
//! The policy is about *tokens*: it takes nothing from what the public may do, and gives nothing that the member or the
//! token has no right to. A token asks by being made or changed with a scope on the organization, or by its first use
//! there; what an administrator then decides belongs to the token's id, so that a refreshed value keeps it.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{GrantedScope, Origin, TokenInfo};
use crate::error::HubError;
use crate::secret::Digest;

/// Which tokens of its members an organization lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPolicy {
    /// All.
    AllowAll,
    /// Fine-grained ones.
    FineGrainedOnly,
    /// Fine-grained ones that an administrator approved, and fine-grained ones of administrators.
    RequireApproval,
}

/// An administrator's word on a token, or the lack of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// The token asked; nobody has decided.
    Pending,
    /// It may be used on the organization.
    Approved,
    /// It was turned down before it was ever let in.
    Denied,
    /// It is kept out, whatever the policy says.
    Revoked,
}

/// A token that asked to be let in, or was kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The name of the member whose token it is.
    pub user: String,
    /// The token.
    pub token: TokenInfo,
    /// Of a fine-grained token, what it may do on the organization and its repositories.
    pub scopes: Vec<GrantedScope>,
    /// Where the request stands.
    pub status: ApprovalStatus,
    /// When the token asked; when it was revoked, if it never did.
    pub asked_at: OffsetDateTime,
    /// When somebody decided.
    pub decided_at: Option<OffsetDateTime>,
    /// Who decided: a user's name, or the sort of actor (`admin-key`, `program`).
    pub decided_by: Option<String>,
}

/// What an administrator can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Let the token in. Also takes a revocation back.
    Approve,
    /// Turn down a token that was never let in.
    Deny,
    /// Keep the token out, whatever the policy says.
    Revoke,
}

/// Why an organization keeps a token out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    /// It is a `read` or `write` token, and only fine-grained ones are let in.
    FineGrainedOnly,
    /// It needs approval and has not asked yet.
    NotAsked,
    /// It waits for approval.
    Pending,
    /// It was turned down.
    Denied,
    /// It was revoked.
    Revoked,
}

/// How a token is named by an administrator of an organization, who is not its owner.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberToken<'a> {
    /// By its id, or by its name among those that asked.
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

    /// Why a token is kept out, if it is.
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
            None => Some(Restriction::NotAsked),
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

    /// Where a request stands afterwards.
    pub(crate) fn status(self) -> ApprovalStatus {
        match self {
            Self::Approve => ApprovalStatus::Approved,
            Self::Deny => ApprovalStatus::Denied,
            Self::Revoke => ApprovalStatus::Revoked,
        }
    }
}

/// What the registry knows of policies and approvals. A change by a user is refused unless the user administers the
/// organization at that very moment.
#[async_trait]
pub(crate) trait Approvals {
    /// The policy of an organization.
    async fn token_policy(&self, organization: &str) -> Result<TokenPolicy, HubError>;

    /// Sets it. Under [`TokenPolicy::RequireApproval`], tokens with a scope on the organization ask at once.
    async fn set_token_policy(
        &self,
        organization: &str,
        policy: TokenPolicy,
        origin: &Origin,
    ) -> Result<(), HubError>;

    /// The members' tokens that asked or were revoked, those that wait first, then the newest first.
    async fn approvals(&self, organization: &str) -> Result<Vec<Approval>, HubError>;

    /// Asks for a token, by the ids of organization and token; does nothing if it asked before.
    async fn ask(
        &self,
        organization_id: &str,
        token_id: &str,
        origin: &Origin,
    ) -> Result<(), HubError>;

    /// Decides about a token. Nobody revokes a token of their own here.
    async fn decide(
        &self,
        organization: &str,
        token: MemberToken<'_>,
        decision: Decision,
        origin: &Origin,
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
        // For each policy: an unscoped token, a fine-grained one, a fine-grained one of an administrator; in each the
        // five statuses. `.` is let in.
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
                        Some(Restriction::NotAsked) => 'n',
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
