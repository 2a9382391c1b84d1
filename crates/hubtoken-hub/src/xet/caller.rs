//! Who asks, in requests that carry one of Xet's tokens.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::access_token::{Grant, Right};
use crate::auth::authentication::{Caller, authenticate_digest};
use crate::extract::repository::RepositoryRef;
use crate::registry::Repository;
use crate::repository::xet::{MerkleHash, XetStore};
use crate::response::{ApiError, storage_error};
use crate::state::HubState;

/// What a request addresses.
pub(super) struct Address {
    target: RepositoryRef,
    id: String,
    hash: Option<MerkleHash>,
    token: Option<String>,
}

/// A repository that the caller may use.
pub(super) struct Opened {
    pub repository: Repository,
    pub store: XetStore,
    pub grant: Grant,
}

impl FromRequestParts<Arc<HubState>> for Address {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HubState>,
    ) -> Result<Self, ApiError> {
        let target = RepositoryRef::from_request_parts(parts, state).await?;
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad_request("The path is not valid UTF-8"))?;
        let get = |wanted: &str| {
            let mut parameters = parameters.iter();
            parameters
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.to_owned())
        };
        let hash = match get("hash") {
            None => None,
            Some(text) => Some(parse_hash(&text)?),
        };
        Ok(Self {
            target,
            id: get("id").unwrap_or_default(),
            hash,
            token: bearer(&parts.headers),
        })
    }
}

impl Address {
    /// The hash in the path.
    pub(super) fn hash(&self) -> Result<MerkleHash, ApiError> {
        self.hash.ok_or_else(ApiError::page_not_found)
    }

    /// The repository, if the token that the request carries allows what it needs, and the access
    /// token behind it still does.
    pub(super) async fn open(
        &self,
        state: &Arc<HubState>,
        needed: Right,
    ) -> Result<Opened, ApiError> {
        let token = self.token.as_deref().ok_or_else(invalid_token)?;
        let repository = self.find(state).await?.ok_or_else(invalid_token)?;
        let key = state.services.seals.key().map_err(storage_error)?;
        let grant = Grant::of_token(&key, &repository, token, state.clock.now())
            .ok_or_else(invalid_token)?;
        if needed == Right::Write && grant.right == Right::Read {
            return Err(ApiError::forbidden(
                "This Xet token reads; get one that writes from xet-write-token",
            ));
        }
        self.with_grant(state, grant).await
    }

    /// The repository, if the link that the request carries is for this xorb, and the access token
    /// behind it still allows it.
    pub(super) async fn open_link(
        &self,
        state: &Arc<HubState>,
        link: &str,
    ) -> Result<Opened, ApiError> {
        let invalid = || {
            ApiError::forbidden(
                "The link is invalid or has expired: ask for the reconstruction anew",
            )
        };
        let hash = self.hash()?;
        let repository = self.find(state).await?.ok_or_else(invalid)?;
        let key = state.services.seals.key().map_err(storage_error)?;
        let grant = Grant::of_link(&key, &repository, &hash, link, state.clock.now())
            .ok_or_else(invalid)?;
        self.with_grant(state, grant).await
    }

    /// The repository with this name, if it is still the one with this id.
    async fn find(&self, state: &Arc<HubState>) -> Result<Option<Repository>, ApiError> {
        let target = &self.target;
        let found = state
            .registry
            .find_repository(target.kind, &target.namespace, &target.name)
            .await?;
        Ok(found.filter(|repository| repository.id == self.id))
    }

    pub(super) async fn with_grant(
        &self,
        state: &Arc<HubState>,
        grant: Grant,
    ) -> Result<Opened, ApiError> {
        let caller = match &grant.token {
            Some(digest) => authenticate_digest(state, digest).await?,
            None => Caller::anonymous(),
        };
        let action = grant.right.action();
        let repository = self.target.open(state, &caller, action).await?;
        if repository.id != self.id {
            return Err(ApiError::repository_not_found());
        }
        let store = state.store.lfs(&repository).xet().clone();
        Ok(Opened {
            repository,
            store,
            grant,
        })
    }
}

pub(super) fn parse_hash(text: &str) -> Result<MerkleHash, ApiError> {
    MerkleHash::from_hex(text)
        .ok()
        .filter(|hash| hash.hex() == text)
        .ok_or_else(|| ApiError::bad_request("A Xet hash has 64 hexadecimal digits"))
}

/// The token of a request that has exactly one.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let header = all.next().filter(|_| all.next().is_none())?;
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer")).then(|| token.to_owned())
}

/// The error does not say why, so that a forged token reveals nothing.
fn invalid_token() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::UNAUTHORIZED,
        "The Xet token is missing, invalid, expired, or for another repository: get a new one",
    )
}
