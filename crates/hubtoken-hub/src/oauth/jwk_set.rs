//! The public keys of an issuer of id tokens: a JWK set (RFC 7517), read strictly.
//!
//! Which algorithm a key may verify follows from the key alone, never from a token: a token that
//! could choose would choose the one that suits whoever forged it. Symmetric keys are left out,
//! because such a key could also sign. Keys of kinds that are not supported are left out too, so
//! that an issuer can add one without its other keys becoming useless.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The largest JWK set that is read. Those of the large issuers take a few kilobytes.
pub(crate) const MAX_BYTES: usize = 64 << 10;
const MAX_KEYS: usize = 100;

/// One key, and the algorithms that it verifies.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    pub id: Option<String>,
    pub algorithms: Vec<Algorithm>,
    pub key: DecodingKey,
}

/// The usable keys of a JWK set.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublicKeys(Vec<PublicKey>);

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<Value>,
}

impl PublicKeys {
    /// Reads a JWK set, or says why it cannot be used.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        if text.len() > MAX_BYTES {
            return Err("it is larger than 64 KiB");
        }
        let set: RawSet = serde_json::from_slice(text)
            .map_err(|_| "it is not a JWK set, a JSON object with a list of \"keys\"")?;
        if set.keys.len() > MAX_KEYS {
            return Err("it has more than 100 keys");
        }
        if set.keys.iter().any(|key| key.get("d").is_some()) {
            return Err("it has a private key: give only the public part, without \"d\"");
        }
        let keys: Vec<PublicKey> = set.keys.into_iter().filter_map(public_key).collect();
        if keys.is_empty() {
            return Err("it has no key that can verify RS256, PS256, ES256, ES384 or EdDSA");
        }
        Ok(Self(keys))
    }

    /// The key with this id. Without an id, the only key.
    pub(crate) fn find(&self, id: Option<&str>) -> Option<&PublicKey> {
        match (id, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == id),
        }
    }
}

fn public_key(key: Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    if !matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return None;
    }
    let possible: &[(Algorithm, KeyAlgorithm)] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[
            (Algorithm::RS256, KeyAlgorithm::RS256),
            (Algorithm::PS256, KeyAlgorithm::PS256),
        ],
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => &[(Algorithm::ES256, KeyAlgorithm::ES256)],
            EllipticCurve::P384 => &[(Algorithm::ES384, KeyAlgorithm::ES384)],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(parameters)
            if parameters.curve == EllipticCurve::Ed25519 =>
        {
            &[(Algorithm::EdDSA, KeyAlgorithm::EdDSA)]
        }
        _ => return None,
    };
    // A key that names its algorithm verifies no other.
    let algorithms: Vec<Algorithm> = possible
        .iter()
        .filter(|(_, named)| {
            jwk.common
                .key_algorithm
                .as_ref()
                .is_none_or(|own| own == named)
        })
        .map(|(algorithm, _)| *algorithm)
        .collect();
    if algorithms.is_empty() {
        return None;
    }
    Some(PublicKey {
        key: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
        algorithms,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn parse(set: &Value) -> Result<PublicKeys, &'static str> {
        PublicKeys::parse(set.to_string().as_bytes())
    }

    fn ed25519(id: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": X })
    }

    #[test]
    fn a_key_says_what_it_verifies() {
        let rsa = |more: Value| {
            let mut key = json!({ "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB" });
            key.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let keys = parse(&json!({ "keys": [key] }))?;
            Ok::<_, &str>(keys.find(Some("r")).unwrap().algorithms.clone())
        };
        assert_eq!(
            rsa(json!({})).unwrap(),
            [Algorithm::RS256, Algorithm::PS256]
        );
        assert_eq!(rsa(json!({ "alg": "RS256" })).unwrap(), [Algorithm::RS256]);
        assert!(rsa(json!({ "alg": "HS256" })).is_err());
        assert!(rsa(json!({ "use": "enc" })).is_err());
    }

    #[test]
    fn a_key_is_found_by_its_id_or_because_it_is_the_only_one() {
        let one = parse(&json!({ "keys": [ed25519("a")] })).unwrap();
        assert!(one.find(Some("a")).is_some() && one.find(None).is_some());
        assert!(one.find(Some("b")).is_none());
        let two = parse(&json!({ "keys": [ed25519("a"), ed25519("b")] })).unwrap();
        assert!(two.find(Some("b")).is_some() && two.find(None).is_none());
    }

    #[test]
    fn unusable_keys_are_left_out_and_useless_sets_refused() {
        let strange = json!([
            { "kty": "oct", "kid": "h", "k": "c2VjcmV0" },
            { "kty": "EC", "crv": "P-521", "kid": "p", "x": X, "y": X },
            { "kty": "future" },
            ed25519("a"),
        ]);
        let keys = parse(&json!({ "keys": strange })).unwrap();
        assert_eq!(keys.0.len(), 1);
        for useless in [
            json!({ "keys": [{ "kty": "oct", "kid": "h", "k": "c2VjcmV0" }] }),
            json!({ "keys": [] }),
            json!({ "keys": "a" }),
            json!({ "keys": vec![ed25519("a"); 101] }),
            json!([]),
        ] {
            assert!(parse(&useless).is_err(), "{useless}");
        }
        let mut private = ed25519("a");
        private["d"] = json!(X);
        let refused = parse(&json!({ "keys": [private] })).unwrap_err();
        assert!(refused.contains("private"));
        let large = vec![b' '; MAX_BYTES + 1];
        for broken in [&b""[..], b"{\"keys\":[", b"\xff", &large] {
            assert!(PublicKeys::parse(broken).is_err());
        }
    }
}
