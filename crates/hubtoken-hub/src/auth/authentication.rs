//! Authenticates requests by the token in the `Authorization` header, as a bearer token or with
//! basic authentication.
//!
//! A token is never taken from a URL. An invalid header is an error on every path and never falls
//! back to anonymous access; otherwise a mistyped token would go unnoticed until something private
//! is requested.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::rate_limit::RateLimitKey;
use crate::registry::{Actor, AuditContext, Principal};
use crate::response::ApiError;
use crate::secret::{self, Digest};
use crate::server::peer::Peer;
use crate::state::HubState;

/// The caller of a request, authenticated or anonymous.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Option<Arc<Principal>>);

impl Caller {
    /// The owner of a valid token, or `None` for an anonymous caller.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.0.as_deref()
    }

    /// The owner of a valid token, or the error that asks for a login.
    pub(crate) fn required(&self) -> Result<&Principal, ApiError> {
        self.principal().ok_or_else(ApiError::login_required)
    }

    /// An anonymous caller.
    pub(crate) fn anonymous() -> Self {
        Self(None)
    }

    /// The rate-limit key under which the request is counted.
    pub(crate) fn rate_limit_key(&self, extensions: &Extensions) -> RateLimitKey {
        match self.principal() {
            Some(principal) => RateLimitKey::User(principal.owner.id().to_owned()),
            None => address_key(extensions),
        }
    }
}

/// The rate-limit key for the address of the connection.
pub(crate) fn address_key(extensions: &Extensions) -> RateLimitKey {
    extensions
        .get::<Peer>()
        .map_or(RateLimitKey::Unknown, |peer| {
            RateLimitKey::Address(peer.address)
        })
}

/// Already determined by the middleware; see `middleware`.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(ApiError::invalid_credentials)
    }
}

/// Marks a caller of the administration API who presented the admin key; inserted by its guard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdminKey;

/// The actor of the request, as recorded in the audit log.
impl FromRequestParts<Arc<HubState>> for AuditContext {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HubState>,
    ) -> Result<Self, Infallible> {
        let extensions = &parts.extensions;
        let actor = match extensions.get::<Caller>().and_then(Caller::principal) {
            Some(principal) => principal.actor(),
            None if extensions.get::<AdminKey>().is_some() => Actor::AdminKey,
            None => Actor::Nobody,
        };
        Ok(Self {
            actor,
            address: extensions.get::<Peer>().map(|peer| peer.address),
            at: state.clock.now(),
        })
    }
}

/// Authenticates the caller.
pub(crate) async fn authenticate(
    state: &Arc<HubState>,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = all.next() else {
        return Ok(Caller(None));
    };
    // With two headers, one would have to be ignored, and there is no way to tell which.
    if all.next().is_some() {
        return Err(ApiError::invalid_credentials());
    }
    let token = header
        .to_str()
        .ok()
        .and_then(token)
        .ok_or_else(ApiError::invalid_credentials)?;
    authenticate_digest(state, &secret::digest(&token)).await
}

/// The digest of the token that a request presents, whether the token is valid or not.
pub(crate) fn token_digest(headers: &HeaderMap) -> Option<Digest> {
    let token = token(headers.get(AUTHORIZATION)?.to_str().ok()?)?;
    Some(secret::digest(&token))
}

/// The owner of the token with this digest, as of now.
pub(crate) async fn authenticate_digest(
    state: &Arc<HubState>,
    digest: &Digest,
) -> Result<Caller, ApiError> {
    let now = state.clock.now();
    let principal = match state.registry.cached_principal(digest, now) {
        Some(known) => known,
        None => state
            .registry
            .authenticate(digest, now)
            .await?
            .ok_or_else(ApiError::invalid_credentials)?,
    };
    state.touch_token(&principal, now);
    Ok(Caller(Some(principal)))
}

/// Extracts the token from a header: `Bearer hf_…`, or `Basic` with the token as the password (the
/// user name is ignored) or as the user name with an empty password.
fn token(header: &str) -> Option<Zeroizing<String>> {
    let (scheme, credentials) = header.trim().split_once(' ')?;
    let credentials = credentials.trim();
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        Zeroizing::new(credentials.to_owned())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = Zeroizing::new(STANDARD.decode(credentials).ok()?);
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Zeroizing::new(if password.is_empty() { user } else { password }.to_owned())
    } else {
        return None;
    };
    (!token.is_empty()).then_some(token)
}

/// The credentials of the administration API, which accepts only a bearer token.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Zeroizing::new(key.trim().to_owned()))
}

/// Whether this is the key of the administration API.
pub(crate) fn is_admin_key(state: &HubState, key: &str) -> bool {
    secret::constant_time_eq(&secret::digest(key), &state.admin_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Option<String> {
        token(&format!("Basic {}", STANDARD.encode(text))).map(|token| token.to_string())
    }

    #[test]
    fn every_way_to_send_a_token() {
        assert_eq!(
            token("Bearer hf_x").as_deref().map(String::as_str),
            Some("hf_x")
        );
        assert_eq!(
            token("bearer  hf_x").as_deref().map(String::as_str),
            Some("hf_x")
        );
        assert_eq!(basic("alice:hf_x").as_deref(), Some("hf_x"));
        assert_eq!(basic(":hf_x").as_deref(), Some("hf_x"));
        assert_eq!(basic("hf_x:").as_deref(), Some("hf_x"));
    }

    #[test]
    fn no_token() {
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "hf_x",
            "Digest hf_x",
            "Basic hf_x",
            "Basic !",
        ] {
            assert!(token(header).is_none(), "{header:?}");
        }
        for text in [":", "hf_x", ""] {
            assert!(basic(text).is_none(), "{text:?}");
        }
    }
}
