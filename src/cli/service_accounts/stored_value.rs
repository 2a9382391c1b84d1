//! The value of a service account's token in the store: under a name of its own, or in the place of the
//! value that it replaces.

use time::OffsetDateTime;

use super::manager::Manager;
use crate::error::Error;
use crate::manage::{AccountToken, IssuedToken, ServiceAccount};
use crate::store::addition::Added;
use crate::store::token_store::TokenStore;
use crate::store::{TokenMetadata, name};
use crate::token::Digest;

/// How many characters of the ID make a name that is taken another one.
const DIGITS: usize = 6;

/// The stored value that a rotation replaces.
pub struct Predecessor {
    /// Its digest.
    pub digest: Digest,
    /// The names that it is stored under.
    pub names: Vec<String>,
}

impl Predecessor {
    /// Whether this is one of its names.
    pub fn has_name(&self, name: &str) -> bool {
        let safe = name::safe(name);
        self.names.contains(&safe)
    }
}

/// The name to store a token under.
pub enum Name {
    /// Nobody asked for it, so an old value of another name can be replaced instead.
    Default(String),
    /// The user did.
    Wanted(String),
}

/// What is known of a token that was created just now.
pub fn metadata(
    manager: &Manager<'_>,
    account: &ServiceAccount,
    issued: &IssuedToken,
) -> TokenMetadata {
    let seconds = |moment: Option<OffsetDateTime>| moment.map(OffsetDateTime::unix_timestamp);
    TokenMetadata {
        user: Some(account.user.clone()),
        organizations: vec![manager.organization.clone()],
        created_at: seconds(issued.info.created_at),
        expires_at: seconds(issued.info.expires_at),
        verified: true,
        ..TokenMetadata::unverified(issued.credential.endpoint.clone())
    }
}

/// Stores a token in the place of its old value, or under a name that is not taken.
///
/// # Errors
///
/// Those of the store.
pub fn store(
    token_store: &TokenStore<'_>,
    name: &Name,
    metadata: &TokenMetadata,
    issued: &IssuedToken,
    predecessor: Option<&Predecessor>,
) -> Result<Added, Error> {
    let (token, info) = (&issued.credential.token, &issued.info);
    if let Some(old) = predecessor
        && match name {
            Name::Default(_) => true,
            Name::Wanted(name) => old.has_name(name),
        }
    {
        let added = token_store.replace_value(old.digest, token, metadata)?;
        if !added.names.is_empty() {
            return Ok(added);
        }
    }
    let (Name::Default(name) | Name::Wanted(name)) = name;
    let digits = &info.id[info.id.len().saturating_sub(DIGITS)..];
    // Another process may have taken the name by now, and the value must not be lost to that.
    let mut refusal = None;
    for name in [
        name.clone(),
        format!("{name}~{digits}"),
        format!("{name}~{}", token.digest().fingerprint()),
    ] {
        match token_store.add(&name, token, metadata) {
            Err(error @ Error::NameTaken(_)) => refusal = Some(error),
            added => return added,
        }
    }
    Err(refusal.unwrap_or_else(|| Error::Store("there is no name for it".to_owned())))
}

/// The names of the account and of the token, as one word.
pub fn default_name(account: &ServiceAccount, token: &AccountToken) -> String {
    let text = format!("{} {}", account.name, token.name).to_lowercase();
    let words: Vec<&str> = text
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        account.user.clone()
    } else {
        words.join("-")
    }
}
