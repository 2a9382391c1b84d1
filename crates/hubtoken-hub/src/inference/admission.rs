//! Authorizes inference requests: by the token's permission to call inference, its rate limit, and
//! its access to the model's repository.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::Extensions;

use crate::auth::access::Action;
use crate::auth::authentication::Caller;
use crate::extract::repository;
use crate::names;
use crate::rate_limit::{RateLimitKey, RateLimitStatus};
use crate::registry::{
    EntityType, GrantedRole, LoginScope, OrganizationRole, Principal, RepositoryType, TokenOwner,
};
use crate::response::ApiError;
use crate::server::peer::Peer;
use crate::state::HubState;

/// The permission that a fine-grained token needs.
const PERMISSION: &str = "inference.serverless.write";

/// An authenticated caller, and the address of the request.
#[derive(Clone)]
pub(super) struct InferenceCaller {
    caller: Caller,
    peer: Option<IpAddr>,
}

impl InferenceCaller {
    /// Authenticates the caller. From here on the request counts toward the token's rate limit,
    /// whatever its result.
    pub(super) fn with_rate_limit(
        state: &HubState,
        caller: Caller,
        extensions: &Extensions,
    ) -> Result<(Self, Option<RateLimitStatus>), ApiError> {
        let token = caller.required()?.token.id.clone();
        let limiter = state.services.inference.limiter.as_ref();
        let rate_limit =
            limiter.map(|limiter| limiter.hit(RateLimitKey::Token(token), state.clock.now()));
        if let Some(rate_limit) = rate_limit.filter(|rate_limit| rate_limit.exceeded) {
            return Err(ApiError::rate_limited(rate_limit, true));
        }
        let peer = extensions.get::<Peer>().map(|peer| peer.address);
        Ok((Self { caller, peer }, rate_limit))
    }

    /// The token's id.
    pub(super) fn token(&self) -> Option<&str> {
        self.caller
            .principal()
            .map(|principal| principal.token.id.as_str())
    }

    /// Checks that the token itself may call inference.
    pub(super) fn check_permission(&self) -> Result<(), ApiError> {
        let principal = self.caller.required()?;
        if has_permission(principal) {
            return Ok(());
        }
        // The real Hub's message.
        Err(ApiError::forbidden(format!(
            "This authentication method does not have sufficient permissions to call Inference Providers on behalf of \
             user {}",
            principal.owner.name()
        )))
    }

    /// If this Hub has a repository with the model's name, only callers with read access to it may
    /// use the model.
    pub(super) async fn check_model_access(
        &self,
        state: &Arc<HubState>,
        model: &str,
    ) -> Result<(), ApiError> {
        // A colon or an `@` is followed by a provider, a tag or a revision.
        let name = model.split([':', '@']).next().unwrap_or_default();
        let Ok((namespace, name)) = names::split_repository(name) else {
            return Ok(());
        };
        let id = (RepositoryType::Model, namespace, name);
        if state
            .registry
            .find_repository(id.0, id.1, id.2)
            .await?
            .is_none()
        {
            return Ok(());
        }
        repository::open(state, &self.caller, id, Action::Read, self.peer)
            .await
            .map(drop)
    }
}

/// A `read` or `write` token may call inference, and so may a login with the scope for it. A
/// fine-grained token needs the permission globally, on its user, or on an organization that its
/// user belongs to and that accepts the token; a service account's, on its organization.
fn has_permission(principal: &Principal) -> bool {
    let fine = match &principal.token.role {
        GrantedRole::Read | GrantedRole::Write => return true,
        GrantedRole::FineGrained(fine) => fine,
        GrantedRole::Login(scopes) => return scopes.include(&[LoginScope::InferenceApi]),
        GrantedRole::Repository(_) => return false,
    };
    let is_permission = |permission: &String| permission == PERMISSION;
    fine.global.iter().any(is_permission)
        || fine.scoped.iter().any(|scope| {
            let id = &scope.entity.id;
            let counts = match scope.entity.kind {
                EntityType::User => id == principal.owner.id(),
                EntityType::Org => match &principal.owner {
                    TokenOwner::ServiceAccount(account) => account.organization.id == *id,
                    TokenOwner::User(_) => {
                        principal.restriction(id).is_none()
                            && principal.memberships.iter().any(|membership| {
                                membership.organization.id == *id
                                    && membership.role != OrganizationRole::NoAccess
                            })
                    }
                },
                EntityType::Model | EntityType::Dataset | EntityType::Space => false,
            };
            counts && scope.permissions.iter().any(is_permission)
        })
}
