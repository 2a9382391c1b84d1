//! What the Hub's answer about a token becomes in the store.

use time::OffsetDateTime;

use crate::identity::model::Identity;
use crate::role::TokenRole;
use crate::store::Record;

/// The name that a token is stored under: the Hub's own; OAuth tokens have none and are their
/// user's, as `huggingface_hub` has it.
#[must_use]
pub fn name(identity: &Identity) -> String {
    identity
        .token_name
        .clone()
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| format!("oauth-{}", identity.user))
}

/// What is kept of the answer.
#[must_use]
pub fn record(identity: &Identity) -> Record {
    Record {
        endpoint: identity.endpoint.clone(),
        user: Some(identity.user.clone()),
        role: identity
            .role
            .as_ref()
            .map(TokenRole::name)
            .map(str::to_owned),
        created_at: identity.created_at.map(OffsetDateTime::unix_timestamp),
        expires_at: identity.expires_at.map(OffsetDateTime::unix_timestamp),
    }
}
