//! Converts the Hub's identity response into what the token store records at login, and words what
//! a login did.

pub mod browser;

use std::sync::Arc;

use time::OffsetDateTime;

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env::Environment;
use crate::error::Error;
use crate::identity::Settings;
use crate::identity::client::Client;
use crate::identity::model::Identity;
use crate::paths;
use crate::resolve::in_effect::InEffect;
use crate::resolve::placed::shadow_warning;
use crate::role::TokenRole;
use crate::sanitize::redacted;
use crate::store::name::placeholder;
use crate::store::token_store::{Learned, Saved, Switched, TokenStore};
use crate::store::{IssuedFields, TokenMetadata};
use crate::token::Token;

/// The name to store a token under: its name on the Hub. OAuth tokens have none and are named after
/// their user, as in `huggingface_hub`.
fn name(identity: &Identity) -> String {
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
        verified: true,
        in_git: false,
        replaces: None,
    }
}

/// Stores the token of a login. `identity` is `None` if the Hub was not asked, and `name` for the
/// Hub's name, or a made-up one if that is not known. `in_git` says whether git's own helper gets a
/// copy.
///
/// # Errors
///
/// As for [`TokenStore::save`].
pub fn store(
    token_store: &TokenStore<'_>,
    credential: &Credential,
    identity: Option<&Identity>,
    name: Option<&str>,
    in_git: bool,
) -> Result<Saved, Error> {
    store_issued(token_store, credential, None, identity, name, in_git)
}

/// The same for a token that an OAuth login issued, with what renews it.
///
/// # Errors
///
/// As for [`TokenStore::save`].
pub fn store_issued(
    token_store: &TokenStore<'_>,
    credential: &Credential,
    issued: Option<&IssuedFields>,
    identity: Option<&Identity>,
    name: Option<&str>,
    in_git: bool,
) -> Result<Saved, Error> {
    let record = identity.map_or_else(
        || TokenMetadata::unverified(credential.endpoint.clone()),
        metadata,
    );
    let wanted = match (name, identity) {
        (Some(name), _) => name.to_owned(),
        (None, Some(identity)) => self::name(identity),
        (None, None) => placeholder(&credential.token),
    };
    let record = TokenMetadata { in_git, ..record };
    token_store.save_issued(&wanted, &credential.token, issued, &record, name.is_some())
}

/// What the processes of this machine have learned about a token, for a store that shows or records
/// it: see [`TokenStore::learning_from`].
pub fn learned<'a>(
    client: impl AsRef<Client> + Send + Sync + 'a,
    settings: Settings,
) -> Learned<'a> {
    Box::new(move |token, endpoint| {
        let known = client.as_ref().known(token.digest(), endpoint, &settings)?;
        Some(metadata(&known))
    })
}

/// The role as one word; a token without a role is described by how it was authenticated.
#[must_use]
pub fn role_name(identity: &Identity) -> String {
    match (&identity.role, &identity.authentication) {
        (Some(role), _) => role.name().to_owned(),
        (None, Some(authentication)) => format!("no role, {authentication}"),
        (None, None) => "no role".to_owned(),
    }
}

/// The page of a Hub on which its users create tokens.
#[must_use]
pub fn tokens_page(endpoint: &Endpoint) -> String {
    format!("{endpoint}/settings/tokens")
}

/// Says that what a login in the browser issues cannot be in the keyring, before anybody approves it.
#[must_use]
pub fn no_browser_login_in_keyring(endpoint: &Endpoint, how: &str) -> String {
    format!(
        "a login in the browser renews itself, and every library needs what renews it in the file. \
         For the keyring, create an access token at {} and {how}",
        tokens_page(endpoint)
    )
}

/// What a login did, as a sentence without the final period: whose token in which role was stored
/// where, and whether it is the one that is used now. `identity` is `None` if the Hub was not asked,
/// and `in_effect` if that cannot be told.
#[must_use]
pub fn outcome(
    environment: &dyn Environment,
    token_store: &TokenStore<'_>,
    credential: &Credential,
    identity: Option<&Identity>,
    saved: &Saved,
    in_effect: Option<&InEffect>,
) -> String {
    let endpoint = &credential.endpoint;
    let home = paths::home(environment);
    let place = token_store
        .path()
        .map_or_else(String::new, |path| paths::display(path, home.as_deref()));
    let whose = match identity {
        Some(identity) => format!("{} ({}) is", identity.user, role_name(identity)),
        None => "the token, which the Hub was not asked about, is".to_owned(),
    };
    let effect = if saved.active {
        format!("and {}", selection(&credential.token, in_effect))
    } else if saved.in_keyring {
        "and not active: use it by its name".to_owned()
    } else {
        format!("and is not active, since it belongs to {endpoint}: use it by its name")
    };
    redacted(&format!(
        "{whose} stored as `{}` in {} for {endpoint}, {effect}",
        saved.name,
        if saved.in_keyring {
            "the keyring"
        } else {
            &place
        },
    ))
}

/// What a switch did, as a sentence without the final period: "`ci` is the active token".
#[must_use]
pub fn switched(switched: &Switched, in_effect: Option<&InEffect>) -> String {
    redacted(&format!(
        "`{}` {}",
        switched.name,
        selection(&switched.token, in_effect)
    ))
}

/// The warning that another token is used here than the one that was switched to, if one is.
#[must_use]
pub fn switch_warning(
    environment: &dyn Environment,
    switched: &Switched,
    in_effect: Option<&InEffect>,
) -> Option<String> {
    shadow_warning(environment, "takes precedence over the active token", "").or_else(|| {
        let is_another = in_effect.is_some_and(|in_effect| !in_effect.is(&switched.token));
        is_another.then(|| self::switched(switched, in_effect))
    })
}

/// What it means here that a token was selected, to follow its name: it "is the active token", or
/// something else comes first. `in_effect` is `None` if that cannot be told.
fn selection(token: &Token, in_effect: Option<&InEffect>) -> String {
    match in_effect {
        Some(in_effect) if in_effect.is(token) => "is the active token".to_owned(),
        Some(InEffect::Disabled) => {
            "is selected, but HF_HUB_DISABLE_IMPLICIT_TOKEN is set".to_owned()
        }
        in_effect => match in_effect.and_then(InEffect::describe) {
            Some(first) => format!("is selected, but {first} comes first here"),
            None => "is selected".to_owned(),
        },
    }
}

/// Says that a token of this Hub is in use already, to follow a message that none can be typed in.
/// `None` if there is none.
#[must_use]
pub fn already(in_effect: &InEffect, endpoint: &Endpoint) -> Option<String> {
    let is_elsewhere = |credential: &Arc<Credential>| credential.endpoint != *endpoint;
    if in_effect.credential().is_some_and(is_elsewhere) {
        return None;
    }
    let description = in_effect.describe()?;
    Some(format!(
        ". You are logged in already, with {description}: another login is needed only to use \
         another token"
    ))
}

/// Adds to an error about a Hub that gave no answer that nothing was stored, and what stores the
/// token anyway. Any other error is returned unchanged.
#[must_use]
pub fn nothing_stored(error: Error, anyway: &str) -> Error {
    error.instead(|message| {
        format!("{message}. Nothing was stored; {anyway} stores it without asking")
    })
}
