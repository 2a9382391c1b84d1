//! The repository that a request addresses, and the check whether the caller may act on it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::auth::access::{Action, Denial, decide};
use crate::auth::authentication::Caller;
use crate::registry::{AuditContext, Principal, Repository, RepositoryType, Restriction};
use crate::response::ApiError;
use crate::server::peer::Peer;
use crate::state::HubState;

/// The parts of a path that name a repository and the requested operation.
#[derive(Clone, Debug)]
pub(crate) struct RepositoryRef {
    pub kind: RepositoryType,
    pub namespace: String,
    pub name: String,
    /// Branch, tag or hash; `main` if the path names none.
    pub revision: Option<String>,
    pub path: Option<String>,
    /// The address of the client.
    peer: Option<IpAddr>,
}

impl<S: Send + Sync> FromRequestParts<S> for RepositoryRef {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad_request("The path is not valid UTF-8"))?;
        let get = |wanted: &str| {
            parameters
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.to_owned())
        };
        let kind = match get("kind") {
            Some(kind) => {
                RepositoryType::parse_plural(&kind).ok_or_else(ApiError::page_not_found)?
            }
            // Outside the API only the prefix distinguishes types: a model has none, and no user
            // can have such a name.
            None if parts.uri.path().starts_with("/datasets/") => RepositoryType::Dataset,
            None if parts.uri.path().starts_with("/spaces/") => RepositoryType::Space,
            None => RepositoryType::Model,
        };
        Ok(Self {
            kind,
            namespace: get("namespace").unwrap_or_default(),
            name: get("name").unwrap_or_default(),
            revision: get("revision"),
            path: get("path"),
            peer: parts.extensions.get::<Peer>().map(|peer| peer.address),
        })
    }
}

impl RepositoryRef {
    pub(crate) fn revision(&self) -> String {
        self.revision
            .clone()
            .unwrap_or_else(|| crate::repository::DEFAULT_BRANCH.to_owned())
    }

    /// The index of the path segment that names the operation, in paths outside the API.
    pub(crate) fn verb_index(&self) -> usize {
        match self.kind {
            RepositoryType::Model => 3,
            RepositoryType::Dataset | RepositoryType::Space => 4,
        }
    }

    /// Removes the ending that git URLs may have; no repository name ends with it.
    pub(crate) fn without_git_suffix(mut self) -> Self {
        let length = self.name.len().saturating_sub(".git".len());
        if self
            .name
            .get(length..)
            .is_some_and(|ending| length > 0 && ending.eq_ignore_ascii_case(".git"))
        {
            self.name.truncate(length);
        }
        self
    }

    /// The repository, if the caller may perform this action; otherwise the Hub's error. A token
    /// that an organization's policy blocks requests approval by that.
    pub(crate) async fn open(
        &self,
        state: &Arc<HubState>,
        caller: &Caller,
        action: Action,
    ) -> Result<Repository, ApiError> {
        open(
            state,
            caller,
            (self.kind, &self.namespace, &self.name),
            action,
            self.peer,
        )
        .await
    }
}

pub(crate) async fn open(
    state: &Arc<HubState>,
    caller: &Caller,
    (kind, namespace, name): (RepositoryType, &str, &str),
    action: Action,
    peer: Option<IpAddr>,
) -> Result<Repository, ApiError> {
    let Some(repository) = state
        .registry
        .find_repository(kind, namespace, name)
        .await?
    else {
        return Err(match caller.principal() {
            Some(_) => ApiError::repository_not_found(),
            None => ApiError::repository_needs_login(),
        });
    };
    let granted = match caller.principal() {
        Some(principal) if repository.gated.is_some() => {
            state
                .registry
                .is_granted(&repository.id, principal.owner.id())
                .await?
        }
        _ => false,
    };
    match (
        decide(caller.principal(), &repository, granted, action),
        caller.principal(),
    ) {
        (Ok(()), _) => Ok(repository),
        (Err(Denial::BlockedByPolicy(restriction)), Some(principal)) => {
            let context = AuditContext {
                actor: principal.actor(),
                address: peer,
                at: state.clock.now(),
            };
            Err(deny_and_request_approval(
                state,
                principal,
                &repository.namespace_id,
                restriction,
                &context,
            )
            .await)
        }
        (Err(denial), _) => Err(ApiError::denied(denial, &repository, &state.endpoint)),
    }
}

/// The response for a token that organization policy blocks. The first such response also files an
/// approval request.
pub(crate) async fn deny_and_request_approval(
    state: &HubState,
    principal: &Principal,
    organization_id: &str,
    restriction: Restriction,
    context: &AuditContext,
) -> ApiError {
    if restriction == Restriction::NotRequested {
        let requested = state
            .registry
            .request_approval(organization_id, &principal.token.id, context)
            .await;
        if let Err(error) = requested {
            // If the request cannot be filed, there is nothing for an administrator to decide
            // about.
            return error.into();
        }
    }
    ApiError::blocked_by_policy(restriction)
}
