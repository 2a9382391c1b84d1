//! Converts the Hub's identity response into what the token store records at login.

use time::OffsetDateTime;

use crate::identity::model::Identity;
use crate::role::TokenRole;
use crate::store::TokenMetadata;

/// The name to store a token under: its name on the Hub. OAuth tokens have none and are named after
/// their user, as in `huggingface_hub`.
#[must_use]
pub fn name(identity: &Identity) -> String {
    identity
        .token_name
        .clone()
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| format!("oauth-{}", identity.user))
}

/// The part of the identity that is stored.
#[must_use]
pub fn metadata(identity: &Identity) -> TokenMetadata {
    TokenMetadata {
        endpoint: identity.endpoint.clone(),
        user: Some(identity.user.clone()),
        role: identity
            .role
            .as_ref()
            .map(TokenRole::name)
            .map(str::to_owned),
        organizations: identity
            .organizations
            .iter()
            .map(|organization| organization.name.clone())
            .collect(),
        created_at: identity.created_at.map(OffsetDateTime::unix_timestamp),
        expires_at: identity.expires_at.map(OffsetDateTime::unix_timestamp),
    }
}
