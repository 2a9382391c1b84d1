//! Reads and verifies id tokens (`OpenID` Connect Core 1.0, RFC 7519) that the Hub did not issue.
//!
//! A token is anything that somebody sent, so it is read strictly: three parts of canonical base64,
//! JSON objects in which no name occurs twice, an algorithm that belongs to the issuer's key, and no
//! extension that must be understood. [`IdToken::verify`] is the only way to its claims. No message
//! contains a part of the token but the name of an algorithm, or a claim once it is verified.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::crypto;
use super::jwk_set::PublicKeys;
use crate::secret::Digest;

/// The largest id token. Those of CI providers take two kilobytes.
pub(crate) const MAX_BYTES: usize = 16 << 10;
/// How far the clocks of the Hub and of an issuer may be apart.
const LEEWAY: Duration = Duration::seconds(60);
/// The end of the year 9999: no id token lasts longer.
const MAX_TIME: f64 = 253_402_300_799.0;

/// Why an id token is not accepted. To follow "the id token".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenProblem {
    #[error("cannot be read: {0}")]
    Malformed(&'static str),
    #[error(
        "is signed with an algorithm that is not accepted: it must be RS256, PS256, ES256, ES384 or EdDSA, and the \
         one of the issuer's key"
    )]
    Algorithm,
    #[error("is signed with a key that its issuer does not publish")]
    UnknownKey,
    #[error("has a signature that its issuer's key did not make")]
    Signature,
    #[error("has no usable `{0}`")]
    MissingClaim(&'static str),
    #[error("is for another audience: request one whose `aud` is {0}, and nothing else")]
    Audience(String),
    #[error("expired {0} seconds ago: request a new one")]
    Expired(i64),
    #[error(
        "is not valid for another {0} seconds: the clock of the issuer or of this Hub is wrong"
    )]
    NotYet(i64),
}

/// An id token that was read and not verified. Only what is needed to find the issuer's key can be
/// seen.
pub(crate) struct IdToken {
    text: Zeroizing<String>,
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: UniqueMap,
    issuer: String,
}

/// An id token whose signature, audience and times are right.
pub(crate) struct VerifiedIdToken {
    claims: UniqueMap,
    pub subject: String,
    pub expires_at: OffsetDateTime,
    /// Identifies this id token among all others.
    pub digest: Digest,
}

/// A claim that does not have the wanted value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub name: String,
    /// What the id token has there, if that can be compared at all.
    pub found: Option<String>,
}

impl fmt::Debug for IdToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IdToken(...)")
    }
}

impl fmt::Debug for VerifiedIdToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VerifiedIdToken(...)")
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &str| -> String {
            text.chars()
                .take(100)
                .map(|each| if each.is_control() { '?' } else { each })
                .collect()
        };
        let name = plain(&self.name);
        match &self.found {
            Some(found) => write!(formatter, "its `{name}` is `{}`", plain(found)),
            None => write!(formatter, "it has no `{name}`"),
        }
    }
}

impl IdToken {
    /// Reads an id token.
    pub(crate) fn parse(text: &str) -> Result<Self, IdTokenProblem> {
        let malformed = IdTokenProblem::Malformed;
        if text.len() > MAX_BYTES {
            return Err(malformed("it is larger than 16 KiB"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return Err(malformed("it is not a signed JWT, which has three parts"));
        };
        let header = read_part(header)?;
        let claims = read_part(claims)?;
        if signature.is_empty() || URL_SAFE_NO_PAD.decode(signature).is_err() {
            return Err(malformed("its signature is missing or not base64"));
        }
        if header.0.contains_key("crit") {
            return Err(malformed("it has a critical extension"));
        }
        let algorithm = match header.0.get("alg") {
            Some(Value::String(name)) => {
                Algorithm::from_str(name).map_err(|_| IdTokenProblem::Algorithm)?
            }
            _ => return Err(IdTokenProblem::Algorithm),
        };
        let key_id = match header.0.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(malformed("the id of its key is not a string")),
        };
        let issuer = claims.text("iss")?.to_owned();
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            algorithm,
            key_id,
            claims,
            issuer,
        })
    }

    /// The claimed issuer.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether the key that is said to have signed it is among these.
    pub(crate) fn has_key_in(&self, keys: &PublicKeys) -> bool {
        keys.find(self.key_id.as_deref()).is_some()
    }

    /// Verifies the signature with the issuer's keys, and what every id token must have: that it is
    /// for this audience alone, and valid now.
    pub(crate) fn verify(
        &self,
        keys: &PublicKeys,
        audience: &str,
        now: OffsetDateTime,
    ) -> Result<VerifiedIdToken, IdTokenProblem> {
        crypto::install();
        let key = keys
            .find(self.key_id.as_deref())
            .ok_or(IdTokenProblem::UnknownKey)?;
        if !key.algorithms.contains(&self.algorithm) {
            return Err(IdTokenProblem::Algorithm);
        }
        // The times are checked below, by the Hub's clock.
        let mut rules = Validation::new(self.algorithm);
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        jsonwebtoken::decode::<IgnoredAny>(self.text.as_bytes(), &key.key, &rules)
            .map_err(|_| IdTokenProblem::Signature)?;
        self.claims.check_audience(audience)?;
        let expires_at = self.claims.check_times(now)?;
        Ok(VerifiedIdToken {
            subject: self.claims.text("sub")?.to_owned(),
            digest: self.digest()?,
            expires_at,
            claims: self.claims.clone(),
        })
    }

    /// By the issuer's own identifier, or if it gives none, by what was signed. A signature can
    /// sometimes be changed into another valid one; what it signs cannot.
    fn digest(&self) -> Result<Digest, IdTokenProblem> {
        let mut hash = Sha256::new();
        if self.claims.0.contains_key("jti") {
            hash.update(b"jti\0");
            hash.update(self.issuer.as_bytes());
            hash.update(b"\0");
            hash.update(self.claims.text("jti")?.as_bytes());
        } else {
            let signed = self.text.rsplit_once('.').map_or("", |(signed, _)| signed);
            hash.update(b"signed\0");
            hash.update(signed.as_bytes());
        }
        Ok(hash.finalize().into())
    }
}

impl VerifiedIdToken {
    /// The claims that differ from the wanted ones.
    pub(crate) fn mismatches(&self, wanted: &BTreeMap<String, String>) -> Vec<Mismatch> {
        wanted
            .iter()
            .filter_map(|(name, value)| {
                let found = match self.claims.0.get(name) {
                    Some(Value::String(text)) => Some(text.clone()),
                    Some(other @ (Value::Bool(_) | Value::Number(_))) => Some(other.to_string()),
                    _ => None,
                };
                (found.as_ref() != Some(value)).then(|| Mismatch {
                    name: name.clone(),
                    found,
                })
            })
            .collect()
    }
}

fn read_part(part: &str) -> Result<UniqueMap, IdTokenProblem> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map(Zeroizing::new)
        .map_err(|_| IdTokenProblem::Malformed("a part of it is not base64"))?;
    serde_json::from_slice(&json).map_err(|_| {
        IdTokenProblem::Malformed(
            "a part of it is not a JSON object, or has the same name more than once",
        )
    })
}

/// A JSON object in which no name occurs twice: of two values, one reader would check the first and
/// another one use the second.
#[derive(Clone, Debug)]
struct UniqueMap(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for UniqueMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor;

        impl<'de> Visitor<'de> for MapVisitor {
            type Value = UniqueMap;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMap, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if entries.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name occurs more than once"));
                    }
                }
                Ok(UniqueMap(entries))
            }
        }

        deserializer.deserialize_map(MapVisitor)
    }
}

impl UniqueMap {
    /// A claim that must be text.
    fn text(&self, name: &'static str) -> Result<&str, IdTokenProblem> {
        match self.0.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            _ => Err(IdTokenProblem::MissingClaim(name)),
        }
    }

    /// The audience must be this one alone: whoever else an id token is for could exchange it here.
    fn check_audience(&self, wanted: &str) -> Result<(), IdTokenProblem> {
        let is_wanted = |value: &Value| value.as_str() == Some(wanted);
        let is_right = match self.0.get("aud") {
            Some(Value::Array(all)) => matches!(all.as_slice(), [only] if is_wanted(only)),
            Some(value) => is_wanted(value),
            None => return Err(IdTokenProblem::MissingClaim("aud")),
        };
        if is_right {
            Ok(())
        } else {
            Err(IdTokenProblem::Audience(wanted.to_owned()))
        }
    }

    /// Returns when it expires.
    fn check_times(&self, now: OffsetDateTime) -> Result<OffsetDateTime, IdTokenProblem> {
        let expires_at = self
            .time("exp")?
            .ok_or(IdTokenProblem::MissingClaim("exp"))?;
        let issued_at = self
            .time("iat")?
            .ok_or(IdTokenProblem::MissingClaim("iat"))?;
        let not_before = self.time("nbf")?.unwrap_or(issued_at);
        if now >= expires_at + LEEWAY {
            return Err(IdTokenProblem::Expired((now - expires_at).whole_seconds()));
        }
        let begin = issued_at.max(not_before);
        if begin > now + LEEWAY {
            return Err(IdTokenProblem::NotYet((begin - now).whole_seconds()));
        }
        Ok(expires_at + LEEWAY)
    }

    fn time(&self, name: &'static str) -> Result<Option<OffsetDateTime>, IdTokenProblem> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        // RFC 7519 allows fractions of a second.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range is checked, and fractions are dropped"
        )]
        let seconds = value
            .as_f64()
            .filter(|seconds| (0.0..MAX_TIME).contains(seconds))
            .map(|seconds| seconds as i64);
        seconds
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .map(Some)
            .ok_or(IdTokenProblem::MissingClaim(name))
    }
}

#[cfg(test)]
mod tests;
