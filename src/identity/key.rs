//! What answers are kept under: the token and its Hub.

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::token::Digest;

/// A token at its Hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The token's digest.
    pub digest: Digest,
    /// The Hub.
    pub endpoint: Endpoint,
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
