use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const HUB: &str = "https://hub.example";
const ISSUER: &str = "https://issuer.example";

/// An issuer with one Ed25519 key.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn x(&self) -> String {
        B64.encode(self.0.public_key().as_ref())
    }

    fn keys(&self) -> PublicKeys {
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": self.x() });
        PublicKeys::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
    }

    fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", B64.encode(header), B64.encode(claims));
        let signature = B64.encode(self.0.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_text(r#"{"alg":"EdDSA","kid":"k1"}"#, &claims.to_string())
    }

    fn check_at(&self, text: &str, now: OffsetDateTime) -> Result<VerifiedIdToken, IdTokenProblem> {
        IdToken::parse(text)?.verify(&self.keys(), HUB, now)
    }

    fn check(&self, text: &str) -> Result<VerifiedIdToken, IdTokenProblem> {
        self.check_at(text, NOW)
    }
}

/// Good claims, with changes; `null` removes one.
fn claims(changes: &Value) -> Value {
    let now = NOW.unix_timestamp();
    let mut claims = json!({
        "iss": ISSUER, "aud": HUB, "sub": "repo:acme/train", "jti": "j1",
        "iat": now, "nbf": now - 5, "exp": now + 300, "repository": "acme/train",
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[test]
fn a_good_token_is_accepted() {
    let issuer = Issuer::new();
    let text = issuer.sign(&claims(&json!({})));
    let token = IdToken::parse(&text).unwrap();
    assert_eq!(token.issuer(), ISSUER);
    assert_eq!(format!("{token:?}"), "IdToken(...)");
    let verified = token.verify(&issuer.keys(), HUB, NOW).unwrap();
    assert_eq!(verified.subject, "repo:acme/train");
    let in_list = issuer.sign(&claims(&json!({ "aud": [HUB] })));
    assert!(issuer.check(&in_list).is_ok());
    let with_fraction = issuer.sign(&claims(&json!({ "exp": 1_767_323_100.75 })));
    assert!(issuer.check(&with_fraction).is_ok());
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let issuer = Issuer::new();
    let claims = claims(&json!({})).to_string();
    for header in [
        r#"{"alg":"none","kid":"k1"}"#,
        r#"{"alg":"None","kid":"k1"}"#,
        r#"{"kid":"k1"}"#,
        r#"{"alg":null,"kid":"k1"}"#,
        r#"{"alg":["EdDSA"],"kid":"k1"}"#,
        r#"{"alg":"RS256","kid":"k1"}"#,
        r#"{"alg":"ES256","kid":"k1"}"#,
        r#"{"alg":"eddsa","kid":"k1"}"#,
    ] {
        let text = issuer.sign_text(header, &claims);
        let refused = issuer.check(&text).unwrap_err();
        assert_eq!(refused, IdTokenProblem::Algorithm, "{header}");
    }
    // Without a signature, as `none` has it.
    let unsigned = format!(
        "{}.{}.",
        B64.encode(r#"{"alg":"none"}"#),
        B64.encode(&claims)
    );
    assert!(issuer.check(&unsigned).is_err());
}

#[test]
fn a_public_key_is_not_the_secret_of_an_hmac() {
    let issuer = Issuer::new();
    let header = B64.encode(r#"{"alg":"HS256","kid":"k1"}"#);
    let message = format!("{header}.{}", B64.encode(claims(&json!({})).to_string()));
    let x = issuer.x();
    for secret in [issuer.0.public_key().as_ref(), x.as_bytes()] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = B64.encode(hmac::sign(&key, message.as_bytes()).as_ref());
        let refused = issuer.check(&format!("{message}.{tag}")).unwrap_err();
        assert_eq!(refused, IdTokenProblem::Algorithm);
    }
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let refused = issuer.check(&other.sign(&claims(&json!({})))).unwrap_err();
    assert_eq!(refused, IdTokenProblem::Signature);
    let unknown = other.sign_text(
        r#"{"alg":"EdDSA","kid":"k2"}"#,
        &claims(&json!({})).to_string(),
    );
    assert_eq!(
        issuer.check(&unknown).unwrap_err(),
        IdTokenProblem::UnknownKey
    );
    assert!(!IdToken::parse(&unknown).unwrap().has_key_in(&issuer.keys()));
    // Claims under the signature of other claims.
    let (good, forged) = (
        issuer.sign(&claims(&json!({}))),
        issuer.sign(&claims(&json!({ "repository": "acme/other" }))),
    );
    let mut parts: Vec<&str> = good.split('.').collect();
    parts[1] = forged.split('.').nth(1).unwrap();
    assert_eq!(
        issuer.check(&parts.join(".")).unwrap_err(),
        IdTokenProblem::Signature
    );
}

#[test]
fn elliptic_curves_are_verified() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let key = json!({
        "kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig",
        "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..]),
    });
    let keys = PublicKeys::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
    let header = B64.encode(r#"{"alg":"ES256","kid":"k1"}"#);
    let message = format!("{header}.{}", B64.encode(claims(&json!({})).to_string()));
    let signature = pair.sign(&random, message.as_bytes()).unwrap();
    let text = format!("{message}.{}", B64.encode(signature.as_ref()));
    let verify = |text: &str| IdToken::parse(text).unwrap().verify(&keys, HUB, NOW);
    assert!(verify(&text).is_ok());
    let other = format!("{}A", &text[..text.len() - 1]);
    assert!(other == text || IdToken::parse(&other).is_err() || verify(&other).is_err());
}

#[test]
fn the_audience_is_this_hub_alone() {
    let issuer = Issuer::new();
    for audience in [
        json!("https://hub.example/"),
        json!("https://HUB.example"),
        json!("https://huggingface.co"),
        json!(""),
        json!([]),
        json!([HUB, "https://other.example"]),
        json!([[HUB]]),
        json!({ "a": HUB }),
        json!(1),
    ] {
        let text = issuer.sign(&claims(&json!({ "aud": audience })));
        let refused = issuer.check(&text).unwrap_err();
        assert_eq!(refused, IdTokenProblem::Audience(HUB.to_owned()));
    }
}

#[test]
fn claims_that_every_id_token_has_are_needed() {
    let issuer = Issuer::new();
    for name in ["iss", "aud", "exp", "iat", "sub"] {
        let text = issuer.sign(&claims(&json!({ name: null })));
        let refused = issuer.check(&text).unwrap_err();
        assert_eq!(refused, IdTokenProblem::MissingClaim(name));
    }
    for (name, value) in [
        ("exp", json!("1767323345")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("iat", json!(true)),
        ("nbf", json!([])),
        ("sub", json!("")),
        ("iss", json!(["https://issuer.example"])),
        ("jti", json!(7)),
    ] {
        let text = issuer.sign(&claims(&json!({ name: value })));
        let refused = issuer.check(&text).unwrap_err();
        assert_eq!(refused, IdTokenProblem::MissingClaim(name), "{value}");
    }
}

#[test]
fn times_are_checked_by_the_hubs_clock() {
    let issuer = Issuer::new();
    let text = issuer.sign(&claims(&json!({})));
    let at = |seconds| {
        issuer
            .check_at(&text, NOW + Duration::seconds(seconds))
            .err()
    };
    for accepted in [-60, 0, 299, 359] {
        assert_eq!(at(accepted), None, "{accepted}");
    }
    assert_eq!(at(360), Some(IdTokenProblem::Expired(60)));
    assert_eq!(at(86_400), Some(IdTokenProblem::Expired(86_100)));
    // A clock that was set back, and one that was set forth again.
    assert_eq!(at(-61), Some(IdTokenProblem::NotYet(61)));
    assert_eq!(at(-31_536_000), Some(IdTokenProblem::NotYet(31_536_000)));
    assert_eq!(at(0), None);
    let later = NOW.unix_timestamp() + 3600;
    let not_yet = issuer.sign(&claims(&json!({ "nbf": later, "exp": later + 60 })));
    let refused = issuer.check(&not_yet).unwrap_err();
    assert_eq!(refused, IdTokenProblem::NotYet(3600));
}

#[test]
fn each_id_token_has_its_digest() {
    let issuer = Issuer::new();
    let digest = |changes: &Value| issuer.check(&issuer.sign(&claims(changes))).unwrap().digest;
    let first = digest(&json!({}));
    // The same identifier is the same id token, whatever else it says.
    assert_eq!(first, digest(&json!({ "repository": "acme/other" })));
    assert_ne!(first, digest(&json!({ "jti": "j2" })));
    assert_ne!(first, digest(&json!({ "iss": "https://issuer.example/" })));
    let without = digest(&json!({ "jti": null }));
    assert_eq!(without, digest(&json!({ "jti": null })));
    assert_ne!(
        without,
        digest(&json!({ "jti": null, "iat": NOW.unix_timestamp() - 1 }))
    );
}

#[test]
fn claims_are_compared_exactly() {
    let issuer = Issuer::new();
    let more =
        json!({ "protected": true, "run": 7, "list": ["a"], "object": {}, "ref": "a\u{1b}b" });
    let token = issuer.check(&issuer.sign(&claims(&more))).unwrap();
    let differ = |wanted: &[(&str, &str)]| {
        let wanted = wanted
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let all = token.mismatches(&wanted.collect());
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        differ(&[
            ("repository", "acme/train"),
            ("protected", "true"),
            ("run", "7")
        ]),
        [""; 0]
    );
    assert_eq!(
        differ(&[
            ("list", "a"),
            ("missing", "x"),
            ("object", "{}"),
            ("ref", "a"),
            ("repository", "acme/Train")
        ]),
        [
            "it has no `list`",
            "it has no `missing`",
            "it has no `object`",
            "its `ref` is `a?b`",
            "its `repository` is `acme/train`",
        ]
    );
}

#[test]
fn junk_is_refused_without_repeating_it() {
    let issuer = Issuer::new();
    let good = issuer.sign(&claims(&json!({})));
    let parts: Vec<&str> = good.split('.').collect();
    let twice =
        claims(&json!({}))
            .to_string()
            .replacen('{', r#"{"iss":"https://evil.example","#, 1);
    let critical = r#"{"alg":"EdDSA","kid":"k1","crit":["b64"],"b64":false}"#;
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b".to_owned(),
        format!("{good}.{good}"),
        format!("{}.{}", parts[0], parts[1]),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.é.{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], B64.encode("[]"), parts[2]),
        format!("{}.{}.{}", parts[0], B64.encode("\"x\""), parts[2]),
        format!("{}.{}.{}", parts[0], B64.encode([0xff, 0xfe]), parts[2]),
        format!("{}.{}.{}", parts[0], B64.encode("[".repeat(5000)), parts[2]),
        issuer.sign_text(r#"{"alg":"EdDSA","kid":"k1"}"#, &twice),
        issuer.sign_text(
            r#"{"alg":"none","alg":"EdDSA","kid":"k1"}"#,
            &claims(&json!({})).to_string(),
        ),
        issuer.sign_text(critical, &claims(&json!({})).to_string()),
        issuer.sign_text(
            r#"{"alg":"EdDSA","kid":7}"#,
            &claims(&json!({})).to_string(),
        ),
        issuer.sign(&claims(&json!({ "pad": "x".repeat(MAX_BYTES) }))),
    ] {
        let problem = issuer.check(&text).unwrap_err();
        assert!(matches!(problem, IdTokenProblem::Malformed(_)), "{problem}");
        assert!(!problem.to_string().contains(parts[1]));
    }
}
