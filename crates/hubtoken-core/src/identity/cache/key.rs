//! The cache key of an answer: the token and its Hub.

use std::hash::{Hash, Hasher};

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::token::Digest;

/// A token at its Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The token's digest.
    pub digest: Digest,
    /// The Hub.
    pub endpoint: Endpoint,
}

/// Hashes the token alone: hardly any token is used with two Hubs.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl Key {
    /// The key of a credential.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        Self {
            digest: credential.token.digest(),
            endpoint: credential.endpoint.clone(),
        }
    }
}
