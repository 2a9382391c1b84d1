//! The keys of the Hub as an issuer, in the file `oauth-keys` of the data folder.
//!
//! Tokens are signed with Ed25519, so that others can read and verify them with the public keys at
//! `/oauth/jwks`. The Hub itself looks every token up in its registry, where it can be revoked. A
//! key is replaced after [`ROTATION`], and its public half is served until the last token that it
//! signed has ended.
//!
//! A second, symmetric key derives what must be the same when an exchange is repeated, although the
//! registry keeps no values: the successor of a refresh token, from that token.

mod derivation;
mod stored;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

pub(crate) use self::derivation::Purpose;
use self::stored::{Stored, StoredKey, public_jwk};
use super::crypto;
use super::options::MAX_ACCESS_TOKEN_SECONDS;
use crate::error::HubError;
use hubtoken_core::sync::lock_ignoring_poison;

const KEY_FILE: &str = "oauth-keys";
/// How long a key signs.
pub(crate) const ROTATION: Duration = Duration::days(90);
/// How long it is served after it was replaced: until the last token that it signed has ended.
const SERVED_AFTER: Duration = Duration::seconds(MAX_ACCESS_TOKEN_SECONDS as i64);

/// A key that signs, or has signed tokens that may be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigningKey {
    /// The `kid` in the tokens that it signs.
    pub id: String,
    pub created_at: OffsetDateTime,
    /// When it is replaced, or was.
    pub signs_until: OffsetDateTime,
    /// When it leaves `/oauth/jwks`.
    pub served_until: OffsetDateTime,
}

/// What happens to the earlier keys when a new one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarlierKeys {
    /// They are served until the tokens that they signed have ended.
    Serve,
    /// They are removed, because one may have been stolen.
    Withdraw,
}

/// The keys of one Hub.
pub(crate) struct Keys {
    path: PathBuf,
    /// Read or created on first use.
    stored: Mutex<Option<Stored>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys(...)")
    }
}

impl Keys {
    pub(crate) fn new(data: &Path) -> Self {
        crypto::install();
        Self {
            path: data.join(KEY_FILE),
            stored: Mutex::default(),
        }
    }

    /// A JWT with these claims, signed with the current key.
    pub(crate) fn sign(
        &self,
        claims: &impl Serialize,
        now: OffsetDateTime,
    ) -> Result<Zeroizing<String>, HubError> {
        self.with(now, |stored| {
            let key = stored.keys.last().ok_or_else(|| self.invalid())?;
            let mut header = Header::new(Algorithm::EdDSA);
            header.kid = Some(key.kid.clone());
            let private = self.private(key)?;
            jsonwebtoken::encode(&header, claims, &private)
                .map(Zeroizing::new)
                .map_err(|_| self.invalid())
        })
    }

    /// The public keys of all tokens that have not ended.
    pub(crate) fn public(&self, now: OffsetDateTime) -> Result<JwkSet, HubError> {
        self.with(now, |stored| {
            let ended = stored.ended(now);
            let keys = stored.keys.iter().skip(ended).map(|key| {
                let mut public =
                    public_jwk(self.private(key)?.as_bytes()).ok_or_else(|| self.invalid())?;
                public.common.key_id = Some(key.kid.clone());
                public.common.public_key_use = Some(PublicKeyUse::Signature);
                Ok(public)
            });
            Ok(JwkSet {
                keys: keys.collect::<Result<_, HubError>>()?,
            })
        })
    }

    /// The keys that are served, oldest first. The last one signs.
    pub(crate) fn list(&self, now: OffsetDateTime) -> Result<Vec<SigningKey>, HubError> {
        self.with(now, |stored| {
            stored.listed(now).ok_or_else(|| self.invalid())
        })
    }

    /// Makes a new key, which signs from now on.
    pub(crate) fn rotate(
        &self,
        earlier: EarlierKeys,
        now: OffsetDateTime,
    ) -> Result<SigningKey, HubError> {
        let mut guard = lock_ignoring_poison(&self.stored);
        let mut stored = self.take(&mut guard)?;
        stored.add_key(now).map_err(|()| HubError::Random)?;
        if earlier == EarlierKeys::Withdraw {
            let last = stored.keys.len() - 1;
            stored.keys.drain(..last);
        }
        self.write(&stored)
            .map_err(|error| HubError::folder(&self.path, error))?;
        let listed = guard.insert(stored).listed(now);
        listed
            .and_then(|mut keys| keys.pop())
            .ok_or_else(|| self.invalid())
    }

    fn private(&self, key: &StoredKey) -> Result<EncodingKey, HubError> {
        let private = STANDARD
            .decode(key.private.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| self.invalid())?;
        Ok(EncodingKey::from_ed_der(&private))
    }

    /// Runs with the current keys: reads them, and creates or replaces them where it is time.
    fn with<T>(
        &self,
        now: OffsetDateTime,
        run: impl FnOnce(&Stored) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let mut guard = lock_ignoring_poison(&self.stored);
        let mut stored = self.take(&mut guard)?;
        if stored.rotate(now).map_err(|()| HubError::Random)? {
            self.write(&stored)
                .map_err(|error| HubError::folder(&self.path, error))?;
        }
        run(guard.insert(stored))
    }

    /// The keys of before: in memory, in the file, or none.
    fn take(&self, known: &mut Option<Stored>) -> Result<Stored, HubError> {
        let stored = match known.take() {
            Some(stored) => Some(stored),
            None => self.read()?,
        };
        stored.map_or_else(Stored::new, Ok)
    }

    fn invalid(&self) -> HubError {
        HubError::InvalidSigningKeys {
            path: self.path.clone(),
        }
    }
}
