//! Where the tokens of an organization's members stand with it: let in or kept out, and why.
//!
//! The list of approvals has those tokens that asked; this has all of them, for what a policy would do to them, and for
//! what members are told of their own.

use async_trait::async_trait;

use super::{
    ApprovalStatus, GrantedRole, GrantedScope, OrganizationRole, Restriction, TokenInfo,
    TokenPolicy,
};
use crate::error::HubError;

/// A member's token, as an organization sees it.
#[derive(Clone, Debug)]
pub(crate) struct TokenStanding {
    /// The name of the member.
    pub user: String,
    /// The member's role in the organization.
    pub role_in_organization: OrganizationRole,
    pub token: TokenInfo,
    /// What a fine-grained token may do on the organization and its repositories.
    pub scopes: Vec<GrantedScope>,
    /// An administrator's word on it, if it asked or was revoked.
    pub status: Option<ApprovalStatus>,
}

impl TokenStanding {
    /// Why the token is kept out under a policy, if it is.
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

    /// Whether the token has any right in the organization that a policy could take away.
    pub(crate) fn is_concerned(&self) -> bool {
        self.role_in_organization != OrganizationRole::NoAccess
            && match &self.token.role {
                GrantedRole::Read | GrantedRole::Write => true,
                GrantedRole::FineGrained(fine) => {
                    !self.scopes.is_empty() || fine.can_read_gated_repos
                }
            }
    }
}

/// What the registry knows of that.
#[async_trait]
pub(crate) trait Standings {
    /// The tokens of all members of an organization, or of one, by user and the newest first.
    async fn standings(
        &self,
        organization: &str,
        user_id: Option<&str>,
    ) -> Result<Vec<TokenStanding>, HubError>;
}
