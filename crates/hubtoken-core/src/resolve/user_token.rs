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
use crate::store::{self, StoredToken, TokenMetadata};
use crate::token::{Digest, Token};

/// The result of [`Inputs::token_of_user`].
#[derive(Debug)]
pub enum UserToken {
    /// The user's token.
    Found(Arc<Credential>),
    /// The user's token, whose value is in the system's keyring, which was not asked.
    InKeyring {
        /// The name that it is stored under.
        name: String,
        /// The digest of its value.
        digest: Digest,
    },
    /// Not a user: an organization that the user of a stored token belongs to.
    Organization,
    /// No token of a user of this name is stored.
    Unknown,
}

/// A token of the user, and what decides between several of them.
struct Candidate {
    token: UserToken,
    expires_at: Expiry,
    in_use: bool,
    active: bool,
    metadata: TokenMetadata,
}

impl Candidate {
    /// The order of preference, smallest first: a token that has not expired, the one in use, the
    /// active one, one that can push, one that can read everything of its user, one whose value needs
    /// no keyring that may ask the user, the newest.
    fn rank(&self) -> impl Ord + use<> {
        let role = match self.metadata.role.as_deref() {
            Some("write" | "god") => 0,
            Some("read") => 1,
            _ => 2,
        };
        (
            self.expires_at.has_passed(),
            !self.in_use,
            !self.active,
            role,
            matches!(self.token, UserToken::InKeyring { .. }),
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
        let known = |digest: Digest| {
            let record = metadata.get(digest).ok().flatten()?;
            record.endpoint.owns(hub.as_str()).then_some(record)
        };
        let active = self.active_token();
        let mut candidates = Vec::new();
        let mut is_organization = false;
        let mut is_theirs = |record: &TokenMetadata| {
            let is = |name: &str| name.eq_ignore_ascii_case(user);
            is_organization |= record.organizations.iter().any(|name| is(name));
            record.user.as_deref().is_some_and(is)
        };
        if let Some(credential) = in_use
            && let Some(metadata) = known(credential.token.digest())
            && is_theirs(&metadata)
        {
            candidates.push(Candidate {
                token: UserToken::Found(Arc::clone(credential)),
                expires_at: credential.expires_at,
                in_use: true,
                active: active.as_ref() == Some(&credential.token),
                metadata,
            });
        }
        for entry in store::read_all(path)? {
            let Some(digest) = digest_of(&entry) else {
                continue;
            };
            let Some(metadata) = known(digest) else {
                continue;
            };
            if is_theirs(&metadata)
                && let Some((token, expires_at)) = of_entry(entry, &metadata)
            {
                candidates.push(Candidate {
                    token,
                    expires_at,
                    in_use: false,
                    active: active
                        .as_ref()
                        .is_some_and(|active| active.digest() == digest),
                    metadata,
                });
            }
        }
        let is_sendable = |candidate: &Candidate| match &candidate.token {
            UserToken::Found(credential) => {
                objection(&credential.token, &credential.endpoint).is_none()
            }
            _ => true,
        };
        candidates.retain(is_sendable);
        let best = candidates.into_iter().min_by_key(Candidate::rank);
        Ok(match best {
            Some(best) => best.token,
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

/// The digest of a stored token; `None` for what is none.
fn digest_of(entry: &StoredToken) -> Option<Digest> {
    if let Some(item) = entry.only_item() {
        return Some(item.digest);
    }
    Some(Token::parse(&entry.value).ok()??.digest())
}

/// A stored token, and when it expires.
fn of_entry(entry: StoredToken, metadata: &TokenMetadata) -> Option<(UserToken, Expiry)> {
    let stored = Expiry::from_unix_seconds(entry.expires_at);
    let expires_at = stored.earlier(Expiry::from_unix_seconds(metadata.expires_at));
    if let Some(item) = entry.only_item() {
        let digest = item.digest;
        let name = entry.name;
        return Some((UserToken::InKeyring { name, digest }, expires_at));
    }
    let token = Token::parse(&entry.value).ok()??;
    let end = entry.expires_at.filter(|_| entry.has_refresh_token);
    let renewal = end.map(|end| renewal(entry.name.clone(), end, &token, Some(metadata)));
    let credential = Credential {
        token,
        source: Source::Store(entry.name),
        endpoint: metadata.endpoint.clone(),
        expires_at,
        renewal: renewal.map(Box::new),
    };
    Some((UserToken::Found(Arc::new(credential)), expires_at))
}
