//! Finds the stored token of a user.
//!
//! git asks for the password of a user, not for a stored token by its name. Which token is whose is
//! in the metadata that a login records ([`MetadataFile`]), so no request is needed. A token that
//! `huggingface_hub` stored has no metadata, and is nobody's here.
//!
//! The Hub's names ignore case, and people type them in any case, so names are compared without it.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use super::Inputs;
use super::stored_records::renewal;
use crate::bounded_file::{self, MAXIMUM_TOKEN_FILE};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::recipient::objection;
use crate::source::Source;
use crate::store::metadata_file::MetadataFile;
use crate::store::{self, TokenMetadata};
use crate::token::Token;

/// The result of [`Inputs::token_of_user`].
#[derive(Debug)]
pub enum UserToken {
    /// The user's token.
    Found(Arc<Credential>),
    /// Not a user: an organization that the user of a stored token belongs to.
    Organization,
    /// No token of a user of this name is stored.
    Unknown,
}

/// A token of the user, and what decides between several of them.
struct Candidate {
    credential: Arc<Credential>,
    in_use: bool,
    active: bool,
    metadata: TokenMetadata,
}

impl Candidate {
    /// The order of preference, smallest first: a token that has not expired, the one in use, the
    /// active one, one that can push, one that can read everything of its user, the newest.
    fn rank(&self) -> impl Ord + use<> {
        let role = match self.metadata.role.as_deref() {
            Some("write" | "god") => 0,
            Some("read") => 1,
            _ => 2,
        };
        (
            self.credential.expires_at.has_passed(),
            !self.in_use,
            !self.active,
            role,
            Reverse(self.metadata.created_at),
        )
    }
}

impl Inputs<'_> {
    /// Finds the token of a user at a Hub, among the stored tokens and the one in use.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the stored tokens or their metadata cannot be read.
    pub fn token_of_user(
        &self,
        user: &str,
        hub: &Endpoint,
        in_use: Option<&Arc<Credential>>,
    ) -> Result<UserToken, Error> {
        let Some(path) = self.paths.stored_tokens.as_deref() else {
            return Ok(UserToken::Unknown);
        };
        let metadata = MetadataFile::read(path)?;
        if metadata.is_empty() || self.implicit_disabled {
            return Ok(UserToken::Unknown);
        }
        // A record of a Hub that tokens must not be sent to is an error, and not of this Hub.
        let known = |token: &Token| {
            let record = metadata.get(token.digest()).ok().flatten()?;
            record.endpoint.owns(hub.as_str()).then_some(record)
        };
        let active = self.active_token();
        let mut candidates = Vec::new();
        let mut is_organization = false;
        let mut consider = |credential: Arc<Credential>, metadata: TokenMetadata, in_use| {
            let is = |name: &str| name.eq_ignore_ascii_case(user);
            is_organization |= metadata.organizations.iter().any(|name| is(name));
            let is_users = metadata.user.as_deref().is_some_and(is);
            if is_users && objection(&credential.token, &credential.endpoint).is_none() {
                candidates.push(Candidate {
                    in_use,
                    active: active.as_ref() == Some(&credential.token),
                    credential,
                    metadata,
                });
            }
        };
        if let Some(credential) = in_use
            && let Some(record) = known(&credential.token)
        {
            consider(Arc::clone(credential), record, true);
        }
        for entry in store::read(path)? {
            let Ok(Some(token)) = Token::parse(&entry.value) else {
                continue;
            };
            let Some(record) = known(&token) else {
                continue;
            };
            let stored = Expiry::from_unix_seconds(entry.expires_at);
            let expires_at = entry.expires_at.filter(|_| entry.has_refresh_token);
            let renewal =
                expires_at.map(|end| renewal(entry.name.clone(), end, &token, Some(&record)));
            let credential = Credential {
                token,
                source: Source::Store(entry.name),
                endpoint: record.endpoint.clone(),
                expires_at: stored.earlier(Expiry::from_unix_seconds(record.expires_at)),
                renewal: renewal.map(Box::new),
            };
            consider(Arc::new(credential), record, false);
        }
        let best = candidates.into_iter().min_by_key(Candidate::rank);
        Ok(match best {
            Some(best) => UserToken::Found(best.credential),
            None if is_organization => UserToken::Organization,
            None => UserToken::Unknown,
        })
    }

    /// Whether a configuration file is the user's own, and not a project's.
    #[must_use]
    pub fn is_users_configuration(&self, file: &Path) -> bool {
        self.paths.user_configuration.as_deref() == Some(file)
    }

    /// The token in the token file, if it has one.
    fn active_token(&self) -> Option<Token> {
        let path = self.paths.token.as_deref()?;
        let text = bounded_file::read_secret(path, MAXIMUM_TOKEN_FILE).ok()??;
        Token::parse(&text).ok()?
    }
}
