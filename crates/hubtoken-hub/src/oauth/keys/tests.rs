//! Tests the signing keys, on a clock of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::datetime;

use super::*;
use crate::oauth::options::MAX_ACCESS_TOKEN_SECONDS;
use crate::secret::Secret;

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

#[test]
fn a_key_is_made_on_request_and_the_earlier_ones_are_served_or_withdrawn() {
    let folder = TempDir::new().unwrap();
    let keys = Keys::new(folder.path());
    let first = keys.sign(&json!({}), NOW).unwrap();
    let listed = keys.list(NOW).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].signs_until, NOW + ROTATION);
    assert_eq!(listed[0].served_until, NOW + ROTATION + SERVED_AFTER);
    let later = NOW + Duration::days(1);
    let second = keys.rotate(EarlierKeys::Serve, later).unwrap();
    assert_eq!(
        (second.created_at, second.signs_until),
        (later, later + ROTATION)
    );
    let listed = keys.list(later).unwrap();
    assert_eq!((listed.len(), &listed[1]), (2, &second));
    assert_eq!(listed[0].signs_until, later);
    assert_eq!(listed[0].served_until, later + SERVED_AFTER);
    let signed = keys.sign(&json!({}), later).unwrap();
    let public = keys.public(later).unwrap();
    assert!(verify(&first, &public).is_some() && verify(&signed, &public).is_some());
    // What is derived does not depend on it, so a login can be renewed.
    let code = Secret::new("code".to_owned());
    let derive = |keys: &Keys| {
        let token = keys.refresh_token(Purpose::NextRefreshToken, &code, later);
        token.unwrap().reveal().to_owned()
    };
    let before = derive(&keys);
    let third = keys.rotate(EarlierKeys::Withdraw, later).unwrap();
    let public = keys.public(later).unwrap();
    assert!(verify(&first, &public).is_none() && verify(&signed, &public).is_none());
    for keys in [keys, Keys::new(folder.path())] {
        assert_eq!(keys.list(later).unwrap(), std::slice::from_ref(&third));
        assert_eq!(derive(&keys), before);
    }
}
