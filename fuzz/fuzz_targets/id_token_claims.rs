//! Fuzzes reading the claims of an id token: any bytes are an id token or rejected, and what is shown
//! of its claims is short, steers no terminal, and contains no token of the Hub.
#![no_main]

use hubtoken_core::oauth::{Claims, IdToken};
use hubtoken_core::sanitize::contains_token;
use libfuzzer_sys::fuzz_target;

fn check(claims: &Claims) {
    assert!(claims.fields().len() <= 100);
    for (name, value) in claims.fields() {
        for text in [name, value] {
            assert!(text.chars().count() <= 301);
            assert!(!text.contains(char::is_control));
            assert!(!contains_token(text));
        }
    }
    for (name, value) in claims.telling() {
        assert_eq!(claims.get(name), Some(value));
        assert!(!value.is_empty());
    }
    let _ = (claims.expires_at(), claims.is_for("https://huggingface.co"));
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(id_token) = IdToken::parse(text) {
        assert!(!format!("{id_token:?}").contains(text.trim()));
        if let Some(claims) = id_token.claims() {
            check(&claims);
        }
    }
    // The claims as they are, which the fuzzer reaches sooner.
    if let Some(claims) = Claims::from_json(data) {
        check(&claims);
    }
});
