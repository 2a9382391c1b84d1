//! Who may have a model answer: the token's right to call inference, its rate limit, and the model's repository.

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

/// Somebody with a valid token, and where the request came from.
#[derive(Clone)]
pub(super) struct Guest {
    caller: Caller,
    peer: Option<IpAddr>,
}

impl Guest {
    /// Whose request it is; it counts against the token's limit from here on, whatever comes of it.
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

    /// The id of the token.
    pub(super) fn token(&self) -> Option<&str> {
        self.caller
            .principal()
            .map(|principal| principal.token.id.as_str())
    }

    /// The token's own right.
    pub(super) fn may_call(&self) -> Result<(), ApiError> {
        let principal = self.caller.required()?;
        if may_call(principal) {
            return Ok(());
        }
        // The Hub's own words.
        Err(ApiError::forbidden(format!(
            "This authentication method does not have sufficient permissions to call Inference Providers on behalf of \
             user {}",
            principal.user.name
        )))
    }

    /// If this Hub has a repository of the model's name, only those may use the model who may read it.
    pub(super) async fn may_use(&self, state: &Arc<HubState>, model: &str) -> Result<(), ApiError> {
        // What follows a colon or an `@` chooses a provider, a tag or a revision.
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

/// A `read` or `write` token may call inference. A fine-grained one needs the permission: for everything, for its user,
/// or for an organization that its user belongs to and that lets the token in.
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
