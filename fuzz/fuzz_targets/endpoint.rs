//! Fuzzes the address of a Hub: plain http is only accepted for loopback, its text contains no
//! secret, and parsing that text again gives the same Hub.
#![no_main]

use hubtoken_core::endpoint::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (text, url) = input;
    let Ok(endpoint) = Endpoint::parse(text) else {
        return;
    };
    assert!(endpoint.is_secure() || endpoint.is_loopback());
    let shown = endpoint.as_str();
    assert!(!shown.contains(char::is_control));
    let authority = shown
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    assert!(authority.is_some_and(|authority| !authority.contains('@')));
    assert!(Endpoint::parse(shown).is_ok_and(|again| again == endpoint));
    assert!(endpoint.owns(&endpoint.url("/api/whoami-v2")));
    if endpoint.owns(url) {
        // Nothing is repaired: an accepted endpoint starts as it was written.
        let scheme = if endpoint.is_secure() {
            "https://"
        } else {
            "http://"
        };
        assert!(url.to_ascii_lowercase().starts_with(scheme));
        assert!(!url.contains(|character: char| character == '\\' || character.is_control()));
        let authority = url[scheme.len()..].split(['/', '?', '#']).next();
        assert!(
            authority.is_some_and(|authority| authority.is_ascii() && !authority.contains('@'))
        );
    }
});
