//! The file of the keys: read, written, and with a new key when it is time.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{Keys, ROTATION, SERVED_AFTER, SigningKey};
use crate::error::HubError;

const DERIVATION_KEY_BYTES: usize = 32;

/// The content of the file.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) derivation: Zeroizing<String>,
    /// Oldest first.
    pub(super) keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredKey {
    pub(super) kid: String,
    /// PKCS#8, in base64.
    pub(super) private: Zeroizing<String>,
    /// Unix seconds.
    pub(super) created_at: i64,
}

impl Keys {
    pub(super) fn read(&self) -> Result<Option<Stored>, HubError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(self.invalid()),
            Err(error) => return Err(HubError::folder(&self.path, error)),
        };
        let stored: Stored = serde_json::from_str(&text).map_err(|_| self.invalid())?;
        let is_whole = STANDARD
            .decode(stored.derivation.as_bytes())
            .is_ok_and(|key| key.len() == DERIVATION_KEY_BYTES)
            && stored.keys.iter().all(|key| {
                self.private(key)
                    .is_ok_and(|private| Ed25519KeyPair::from_pkcs8(private.as_bytes()).is_ok())
            });
        if is_whole {
            Ok(Some(stored))
        } else {
            Err(self.invalid())
        }
    }

    /// Replaces the file; its mode is 0600 from the first byte.
    pub(super) fn write(&self, stored: &Stored) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let text = serde_json::to_string(stored).map(Zeroizing::new)?;
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

impl Stored {
    /// No keys yet.
    pub(super) fn new() -> Result<Self, HubError> {
        Ok(Self {
            derivation: random_base64()?,
            keys: Vec::new(),
        })
    }

    /// Adds a key if there is none that may still sign. Returns whether there was none.
    pub(super) fn rotate(&mut self, now: OffsetDateTime) -> Result<bool, ()> {
        // A clock that was set back makes no key.
        let is_current =
            |key: &StoredKey| now.unix_timestamp() - key.created_at < ROTATION.whole_seconds();
        if self.keys.last().is_some_and(is_current) {
            return Ok(false);
        }
        self.add_key(now)?;
        Ok(true)
    }

    /// Adds a key, and removes those whose tokens have ended.
    pub(super) fn add_key(&mut self, now: OffsetDateTime) -> Result<(), ()> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| ())?;
        let kid = public_jwk(document.as_ref())
            .and_then(|public| public.thumbprint(ThumbprintHash::SHA256).ok())
            .ok_or(())?;
        self.keys.push(StoredKey {
            kid,
            private: Zeroizing::new(STANDARD.encode(document.as_ref())),
            created_at: now.unix_timestamp(),
        });
        let ended = self.ended(now);
        self.keys.drain(..ended);
        Ok(())
    }

    /// The keys that are served; `None` if a time is none.
    pub(super) fn listed(&self, now: OffsetDateTime) -> Option<Vec<SigningKey>> {
        let replaced = self.keys.iter().skip(1).map(|key| Some(key.created_at));
        let keys = self.keys.iter().zip(replaced.chain([None]));
        let key = |(key, replaced): (&StoredKey, Option<i64>)| {
            let created_at = OffsetDateTime::from_unix_timestamp(key.created_at).ok()?;
            let signs_until = match replaced {
                Some(at) => OffsetDateTime::from_unix_timestamp(at).ok()?,
                None => created_at.checked_add(ROTATION)?,
            };
            Some(SigningKey {
                id: key.kid.clone(),
                created_at,
                signs_until,
                served_until: signs_until.checked_add(SERVED_AFTER)?,
            })
        };
        keys.skip(self.ended(now)).map(key).collect()
    }

    /// How many of the oldest keys have signed nothing that is still valid.
    pub(super) fn ended(&self, now: OffsetDateTime) -> usize {
        // A key is replaced when the next one is made.
        let replaced = self.keys.iter().skip(1).map(|key| key.created_at);
        replaced
            .take_while(|at| now.unix_timestamp() - at > SERVED_AFTER.whole_seconds())
            .count()
    }
}

pub(super) fn public_jwk(private: &[u8]) -> Option<Jwk> {
    let pair = Ed25519KeyPair::from_pkcs8(private).ok()?;
    let key = jsonwebtoken::DecodingKey::from_ed_der(
        ring::signature::KeyPair::public_key(&pair).as_ref(),
    );
    Jwk::from_decoding_key(&key, Some(Algorithm::EdDSA)).ok()
}

fn random_base64() -> Result<Zeroizing<String>, HubError> {
    let mut bytes = Zeroizing::new([0_u8; DERIVATION_KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| HubError::Random)?;
    Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
}
