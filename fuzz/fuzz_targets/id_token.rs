//! Fuzzes id tokens: one that is accepted was signed by the issuer's key and says what the Hub needs,
//! exactly once, and no message repeats a part of one.
#![no_main]

use std::sync::OnceLock;

use hubtoken_hub::fuzzing::Issuer;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const HUB: &str = "https://hub.example";
const NOW: i64 = 1_767_323_045;
const HEADER: &[u8] = br#"{"alg":"EdDSA","kid":"k"}"#;

// The claims of a signed token; a header of its own may come before them, in a line.
fuzz_target!(|input: &[u8]| {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    let issuer = ISSUER.get_or_init(|| Issuer::new().expect("a key"));
    // Without the key, nothing is accepted.
    let whole = String::from_utf8_lossy(input);
    assert!(issuer.verify(&whole, HUB, NOW).is_err());

    let line = input.iter().position(|byte| *byte == b'\n');
    let (header, claims) = match line {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (HEADER, input),
    };
    let text = issuer.sign(header, claims);
    match issuer.verify(&text, HUB, NOW) {
        Ok(subject) => {
            let header: Value = serde_json::from_slice(header).expect("JSON");
            assert_eq!(header["alg"], "EdDSA");
            assert!(header.get("crit").is_none());
            let claims: Value = serde_json::from_slice(claims).expect("JSON");
            assert_eq!(claims["sub"], subject.as_str());
            assert!(claims["aud"] == HUB || claims["aud"] == serde_json::json!([HUB]));
            assert!(claims["exp"].as_f64().expect("a number") > (NOW - 60) as f64 - 1.0);
            assert!(claims["iat"].as_f64().expect("a number") < (NOW + 61) as f64);
            // The same with another signature is not accepted.
            let mut other = text.clone().into_bytes();
            let place = text.rfind('.').expect("a dot") + 1;
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).expect("ASCII");
            assert!(issuer.verify(&other, HUB, NOW).is_err());
            assert!(issuer.verify(&text, "https://other.example", NOW).is_err());
        }
        Err(message) => {
            for part in text.split('.').filter(|part| part.len() > 20) {
                assert!(!message.contains(part));
            }
        }
    }
});
