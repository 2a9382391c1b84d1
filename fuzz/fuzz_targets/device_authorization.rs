//! Fuzzes the answer that begins a login by browser: whatever is shown of it is short, is in ASCII,
//! cannot steer a terminal, and is an address of the web.
#![no_main]

use hubtoken_core::endpoint::Endpoint;
use hubtoken_core::oauth::DeviceAuthorization;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Some(login) = DeviceAuthorization::parse(body) else {
        return;
    };
    let is_shown = |text: &str| {
        text.bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    assert!(is_shown(&login.user_code) && login.user_code.len() <= 32);
    for address in [login.address(), &login.verification_uri] {
        assert!(is_shown(address) && address.len() <= 500);
        assert!(address.starts_with("https://") || address.starts_with("http://"));
    }
    assert!((1..=60).contains(&login.interval.as_secs()));
    assert!(login.expires_in.as_secs() <= 24 * 60 * 60);
    let _ = login.foreign_host(&Endpoint::default_hub());
});
