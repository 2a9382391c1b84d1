//! The status of each member's tokens in an organization: accepted or blocked, and why.
//!
//! The approval list contains only the tokens that requested approval or were revoked. This list
//! contains all of them, to preview a policy's effect and to show members the status of their own
//! tokens.

use async_trait::async_trait;

use super::{
    ApprovalStatus, GrantedRole, GrantedScope, OrganizationRole, Restriction, TokenInfo,
    TokenPolicy,
};
use crate::error::HubError;

/// A member's token, as the organization sees it.
#[derive(Clone, Debug)]
pub(crate) struct MemberTokenStatus {
    /// The name of the member.
    pub user: String,
    /// The member's role in the organization.
    pub role_in_organization: OrganizationRole,
    pub token: TokenInfo,
    /// A fine-grained token's scopes on the organization and its repositories.
    pub scopes: Vec<GrantedScope>,
    /// The status of its approval, if it requested approval or was revoked.
    pub status: Option<ApprovalStatus>,
}

impl MemberTokenStatus {
    /// Why the policy blocks the token, or `None` if it is accepted.
    pub(crate) fn restriction(&self, policy: TokenPolicy) -> Option<Restriction> {
        policy.restriction(
            self.is_fine_grained(),
            self.role_in_organization == OrganizationRole::Admin,
            self.status,
        )
    }

    pub(crate) fn is_fine_grained(&self) -> bool {
        matches!(self.token.role, GrantedRole::FineGrained(_))
    }

    /// Whether the token has any rights in the organization that a policy could restrict.
    pub(crate) fn is_subject_to_policy(&self) -> bool {
        self.role_in_organization != OrganizationRole::NoAccess
            && match &self.token.role {
                GrantedRole::Read | GrantedRole::Write => true,
                GrantedRole::Login(scopes) => scopes.is_everything(),
                GrantedRole::Repository(_) => false,
                GrantedRole::FineGrained(fine) => {
                    !self.scopes.is_empty() || fine.can_read_gated_repos
                }
            }
    }
}

/// The registry's operations on members' tokens.
#[async_trait]
pub(crate) trait MemberTokens {
    /// The tokens of all members of an organization, or of one member, ordered by user and then
    /// newest first.
    async fn member_tokens(
        &self,
        organization: &str,
        user_id: Option<&str>,
    ) -> Result<Vec<MemberTokenStatus>, HubError>;
}
