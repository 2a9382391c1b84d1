//! Fuzzes the cleaning of a pasted token: the result is valid in a header, cleaning it again
//! changes nothing, and neither the mask nor an error shows the value.
#![no_main]

use hubtoken_core::sanitize::{contains_secret, redacted};
use hubtoken_core::token::Token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(!contains_secret(&redacted(text)));
    let token = match Token::parse(text) {
        Ok(Some(token)) => token,
        Ok(None) => return,
        Err(error) => {
            let (message, value) = (error.to_string(), text.trim());
            assert!(value.len() < 16 || !message.contains(value));
            return;
        }
    };
    let value = token.expose();
    assert!(!value.is_empty());
    assert!(value.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(text.contains(value), "a value was made up");
    let again = Token::parse(value)
        .expect("a clean value is a token")
        .expect("is not blank");
    assert!(again == token);
    let mask = token.mask();
    assert!(mask.contains('\u{2026}') && !mask.contains(value));
    // A shorter one may be part of its kind's name.
    assert!(value.len() < 16 || !format!("{token:?}").contains(value));
    // A mask is not accepted as a token.
    assert!(Token::parse(&mask).is_err());
});
