//! The keys of the Hub as an issuer, in the file `oauth-keys` of the data folder.
//!
//! Tokens are signed with Ed25519, so that others can read and verify them with the public keys at
//! `/oauth/jwks`. The Hub itself looks every token up in its registry, where it can be revoked. A
//! key is replaced after [`ROTATION`], and its public half is served until the last token that it
//! signed has ended.
//!
//! A second, symmetric key derives what must be the same when an exchange is repeated, although the
//! registry keeps no values: the successor of a refresh token, from that token.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::crypto;
use super::options::MAX_ACCESS_TOKEN_SECONDS;
use crate::error::HubError;
use crate::secret::{Digest, Secret};
use hubtoken_core::sync::lock_ignoring_poison;

const KEY_FILE: &str = "oauth-keys";
/// How long a key signs.
pub(crate) const ROTATION: Duration = Duration::days(90);
const DERIVATION_KEY_BYTES: usize = 32;

/// What is derived, so that no two uses give the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The first refresh token of a login, from its device code.
    FirstRefreshToken,
    /// The refresh token that replaces another one.
    NextRefreshToken,
    /// The stored form of a user code.
    UserCode,
}

/// The keys of one Hub.
pub(crate) struct Keys {
    path: PathBuf,
    /// Read or created on first use.
    stored: Mutex<Option<Stored>>,
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    derivation: Zeroizing<String>,
    /// Oldest first.
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredKey {
    kid: String,
    /// PKCS#8, in base64.
    private: Zeroizing<String>,
    /// Unix seconds.
    created_at: i64,
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

    /// The refresh token that belongs to this one, or to this device code: always the same.
    pub(crate) fn refresh_token(
        &self,
        purpose: Purpose,
        of: &Secret,
        now: OffsetDateTime,
    ) -> Result<Secret, HubError> {
        self.with(now, |stored| {
            let mac = self.mac(stored, purpose, of.reveal())?;
            Secret::refresh_token(|number| {
                let mut mac = mac.clone();
                mac.update(&number.to_be_bytes());
                Zeroizing::new(mac.finalize().into_bytes().into())
            })
        })
    }

    /// The stored form of a value that is too short for a plain digest.
    pub(crate) fn keyed_digest(
        &self,
        purpose: Purpose,
        value: &str,
        now: OffsetDateTime,
    ) -> Result<Digest, HubError> {
        self.with(now, |stored| {
            let mac = self.mac(stored, purpose, value)?;
            Ok(mac.finalize().into_bytes().into())
        })
    }

    fn mac(
        &self,
        stored: &Stored,
        purpose: Purpose,
        value: &str,
    ) -> Result<Hmac<Sha256>, HubError> {
        let key = STANDARD
            .decode(stored.derivation.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| self.invalid())?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| self.invalid())?;
        mac.update(match purpose {
            Purpose::FirstRefreshToken => b"first refresh token\0",
            Purpose::NextRefreshToken => b"next refresh token\0",
            Purpose::UserCode => b"user code\0",
        });
        mac.update(value.as_bytes());
        mac.update(b"\0");
        Ok(mac)
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
        let stored = match guard.take() {
            Some(stored) => Some(stored),
            None => self.read()?,
        };
        let mut stored = match stored {
            Some(stored) => stored,
            None => Stored {
                derivation: random_base64()?,
                keys: Vec::new(),
            },
        };
        if stored.rotate(now).map_err(|()| HubError::Random)? {
            self.write(&stored)
                .map_err(|error| HubError::folder(&self.path, error))?;
        }
        run(guard.insert(stored))
    }

    fn read(&self) -> Result<Option<Stored>, HubError> {
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
    fn write(&self, stored: &Stored) -> io::Result<()> {
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

    fn invalid(&self) -> HubError {
        HubError::InvalidSigningKeys {
            path: self.path.clone(),
        }
    }
}

impl Stored {
    /// Adds a key if there is none that may still sign, and removes those whose tokens have ended.
    /// Returns whether anything changed.
    fn rotate(&mut self, now: OffsetDateTime) -> Result<bool, ()> {
        // A clock that was set back makes no key.
        let is_current =
            |key: &StoredKey| now.unix_timestamp() - key.created_at < ROTATION.whole_seconds();
        if self.keys.last().is_some_and(is_current) {
            return Ok(false);
        }
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
        Ok(true)
    }

    /// How many of the oldest keys have signed nothing that is still valid.
    fn ended(&self, now: OffsetDateTime) -> usize {
        // A key is replaced when the next one is made.
        let replaced = self.keys.iter().skip(1).map(|key| key.created_at);
        replaced
            .take_while(|at| now.unix_timestamp() - at > i64::from(MAX_ACCESS_TOKEN_SECONDS))
            .count()
    }
}

fn public_jwk(private: &[u8]) -> Option<Jwk> {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::{Value, json};
    use tempfile::TempDir;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn verify(token: &str, keys: &JwkSet) -> Option<Value> {
        let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&kid)?).unwrap();
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        jsonwebtoken::decode::<Value>(token, &key, &rules)
            .ok()
            .map(|data| data.claims)
    }

    #[test]
    fn what_is_signed_is_verified_with_the_public_key() {
        let folder = TempDir::new().unwrap();
        let keys = Keys::new(folder.path());
        let token = keys.sign(&json!({ "sub": "a" }), NOW).unwrap();
        let public = keys.public(NOW).unwrap();
        assert_eq!(verify(&token, &public), Some(json!({ "sub": "a" })));
        let forged = format!("{}A", &token[..token.len() - 1]);
        if forged != *token {
            assert_eq!(verify(&forged, &public), None);
        }
        let shown = serde_json::to_value(&public).unwrap();
        let key = &shown["keys"][0];
        assert_eq!(
            (&key["kty"], &key["crv"], &key["use"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("sig"))
        );
        assert_eq!(key["d"], Value::Null);
        let mode = fs::metadata(folder.path().join(KEY_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_derived_stays_the_same_after_a_restart() {
        let folder = TempDir::new().unwrap();
        let code = Secret::new("code".to_owned());
        let derive = |purpose| {
            let keys = Keys::new(folder.path());
            keys.refresh_token(purpose, &code, NOW)
                .unwrap()
                .reveal()
                .to_owned()
        };
        let first = derive(Purpose::FirstRefreshToken);
        assert_eq!(first, derive(Purpose::FirstRefreshToken));
        assert_ne!(first, derive(Purpose::NextRefreshToken));
        let letters = first.strip_prefix("hf_oauth__refresh_").unwrap();
        assert_eq!(letters.len(), 34);
        assert!(letters.bytes().all(|byte| byte.is_ascii_alphabetic()));
    }

    #[test]
    fn a_key_is_replaced_and_served_until_its_tokens_end() {
        let folder = TempDir::new().unwrap();
        let keys = Keys::new(folder.path());
        let first = keys.sign(&json!({}), NOW).unwrap();
        let kids = |now| -> Vec<String> {
            let public = keys.public(now).unwrap();
            public
                .keys
                .into_iter()
                .map(|key| key.common.key_id.unwrap())
                .collect()
        };
        let before = kids(NOW + ROTATION - Duration::seconds(1));
        assert_eq!(before.len(), 1);
        let second = keys.sign(&json!({}), NOW + ROTATION).unwrap();
        let public = keys.public(NOW + ROTATION).unwrap();
        assert!(verify(&first, &public).is_some() && verify(&second, &public).is_some());
        assert_eq!(public.keys.len(), 2);
        // It ends with the last token that it signed, although it stays in the file until the next
        // key is made: a clock that was wrong for a while must not take it away.
        let month = Duration::seconds(MAX_ACCESS_TOKEN_SECONDS.into());
        assert_eq!(kids(NOW + ROTATION + month).len(), 2);
        let after = kids(NOW + ROTATION + month + Duration::seconds(1));
        assert_eq!((after.len(), after == before), (1, false));
        // A clock that was set back neither makes nor removes one.
        assert_eq!(kids(NOW).len(), 2);
        let third = keys.sign(&json!({}), NOW + ROTATION * 2).unwrap();
        let public = keys.public(NOW + ROTATION * 2).unwrap();
        assert_eq!(public.keys.len(), 2);
        assert!(verify(&first, &public).is_none() && verify(&third, &public).is_some());
        // Another process that opens the folder has the same keys.
        let again = Keys::new(folder.path());
        assert_eq!(again.public(NOW + ROTATION * 2).unwrap(), public);
    }

    #[test]
    fn a_damaged_file_is_not_replaced() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(KEY_FILE);
        let short = format!(r#"{{"derivation":"{}","keys":[]}}"#, "AA==");
        let bad = r#"{"derivation":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","keys":[{"kid":"k","private":"AA==","createdAt":0}]}"#;
        for text in ["", "{}", "[]", "\u{e9}", &short, bad] {
            fs::write(&path, text).unwrap();
            let keys = Keys::new(folder.path());
            let refused = keys.public(NOW).unwrap_err();
            assert!(
                matches!(refused, HubError::InvalidSigningKeys { .. }),
                "{text}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(format!("{:?}", Keys::new(folder.path())), "Keys(...)");
    }
}
