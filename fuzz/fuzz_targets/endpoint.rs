//! The address of a Hub: plain http is for loopback only, its text holds no secret, and reading
//! that text again gives the same Hub.
#![no_main]

use hubtoken::endpoint::Endpoint;
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
    if endpoint.owns(url) && endpoint.is_secure() {
        // URLs are read without control characters, as browsers read them (WHATWG URL, 4.4).
        let plain = url.replace(char::is_control, "");
        assert!(plain.trim().to_ascii_lowercase().starts_with("https"));
    }
});
