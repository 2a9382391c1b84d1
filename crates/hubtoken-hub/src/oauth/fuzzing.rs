//! Fuzzing entry points for id tokens and for the keys of their issuers; see `fuzzing.rs`.

use jsonwebtoken::Algorithm;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use time::OffsetDateTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::id_token::IdToken;
use super::jwk_set::PublicKeys;

/// An issuer with one Ed25519 key, and a Hub that knows it.
pub struct Issuer {
    pair: Ed25519KeyPair,
    keys: PublicKeys,
}

impl Issuer {
    /// Makes a random key.
    #[must_use]
    pub fn new() -> Option<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).ok()?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
        let keys = PublicKeys::parse(set.as_bytes()).ok()?;
        Some(Self { pair, keys })
    }

    /// A token with this header and these claims, whatever they are.
    #[must_use]
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// The subject of a token for an audience at a time in Unix seconds, or why it is refused.
    ///
    /// # Errors
    ///
    /// The message for the client.
    pub fn verify(&self, text: &str, audience: &str, seconds: i64) -> Result<String, String> {
        let now =
            OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| error.to_string())?;
        IdToken::parse(text)
            .and_then(|token| token.verify(&self.keys, audience, now))
            .map(|verified| verified.subject)
            .map_err(|problem| problem.to_string())
    }
}

/// Which algorithms the key with this id verifies, by name. `None` if there is no usable set or no
/// such key.
#[must_use]
pub fn key_algorithms(set: &[u8], id: Option<&str>) -> Option<Vec<&'static str>> {
    let keys = PublicKeys::parse(set).ok()?;
    let name = |algorithm: &Algorithm| match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::PS256 => "PS256",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::EdDSA => "EdDSA",
        _ => "another",
    };
    Some(keys.find(id)?.algorithms.iter().map(name).collect())
}
