//! Authorizes inference requests: by the token's permission to call inference, its rate limit, and
//! its access to the model's repository.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::Extensions;

use crate::access::Action;
use crate::answers::ApiError;
use crate::authentication::Caller;
use crate::extract::repository;
use crate::names;
use crate::peer::Peer;
use crate::rate_limit::{Client, Standing};
use crate::registry::{EntityType, GrantedRole, OrganizationRole, Principal, RepositoryType};
use crate::state::HubState;

/// The permission that a fine-grained token needs.
const PERMISSION: &str = "inference.serverless.write";

/// An authenticated caller, and the address of the request.
#[derive(Clone)]
pub(super) struct Guest {
    caller: Caller,
    peer: Option<IpAddr>,
}

impl Guest {
    /// Authenticates the caller. From here on the request counts toward the token's rate limit,
    /// whatever its result.
    pub(super) fn enter(
        state: &HubState,
        caller: Caller,
        extensions: &Extensions,
    ) -> Result<(Self, Option<Standing>), ApiError> {
        let token = caller.required()?.token.id.clone();
        let limiter = state.inference.limiter.as_ref();
        let standing = limiter.map(|limiter| limiter.hit(Client::Token(token), state.clock.now()));
        if let Some(standing) = standing.filter(|standing| standing.exceeded) {
            return Err(ApiError::rate_limited(standing, true));
        }
        let peer = extensions.get::<Peer>().map(|peer| peer.address);
        Ok((Self { caller, peer }, standing))
    }

    /// The token's id.
    pub(super) fn token(&self) -> Option<&str> {
        self.caller
            .principal()
            .map(|principal| principal.token.id.as_str())
    }

    /// Checks that the token itself may call inference.
    pub(super) fn may_call(&self) -> Result<(), ApiError> {
        let principal = self.caller.required()?;
        if may_call(principal) {
            return Ok(());
        }
        // The real Hub's message.
        Err(ApiError::forbidden(format!(
            "This authentication method does not have sufficient permissions to call Inference Providers on behalf of \
             user {}",
            principal.user.name
        )))
    }

    /// If this Hub has a repository with the model's name, only callers with read access to it may
    /// use the model.
    pub(super) async fn may_use(&self, state: &Arc<HubState>, model: &str) -> Result<(), ApiError> {
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

/// A `read` or `write` token may call inference. A fine-grained token needs the permission
/// globally, on its user, or on an organization that its user belongs to and that accepts the
/// token.
fn may_call(principal: &Principal) -> bool {
    let fine = match &principal.token.role {
        GrantedRole::Read | GrantedRole::Write => return true,
        GrantedRole::FineGrained(fine) => fine,
    };
    let is_it = |permission: &String| permission == PERMISSION;
    fine.global.iter().any(is_it)
        || fine.scoped.iter().any(|scope| {
            let id = &scope.entity.id;
            let counts = match scope.entity.kind {
                EntityType::User => *id == principal.user.id,
                EntityType::Org => {
                    principal.restriction(id).is_none()
                        && principal.memberships.iter().any(|membership| {
                            membership.organization.id == *id
                                && membership.role != OrganizationRole::NoAccess
                        })
                }
                EntityType::Model | EntityType::Dataset | EntityType::Space => false,
            };
            counts && scope.permissions.iter().any(is_it)
        })
}
