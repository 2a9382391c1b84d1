//! Fuzzes the answer of a token endpoint: any bytes are tokens or rejected, and what is stored of
//! them is one line and comes back from `stored_tokens` as it was.
#![no_main]

use hubtoken_core::oauth::TokenResponse;
use hubtoken_core::store::ini;
use hubtoken_core::store::ini_document::IniDocument;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Some(response) = TokenResponse::parse(body) else {
        return;
    };
    let access_token = response.access_token.expose();
    let refresh_token = response.refresh_token.as_ref().map(|token| token.expose());
    assert!(!format!("{response:?}").contains(access_token) || access_token.len() < 8);
    let mut document = IniDocument::parse("[other]\nhf_token = x\n\n").expect("a document");
    let fields = [
        ("hf_token", Some(access_token)),
        ("refresh_token", refresh_token),
    ];
    document.set("oauth-alice", &fields).expect("set");
    let sections = ini::parse(document.text()).expect("readable after set");
    let section = sections
        .iter()
        .find(|section| section.name == "oauth-alice")
        .expect("the section");
    let value = |key| section.get(key).map(|value| value.as_str());
    assert_eq!(value("hf_token"), Some(access_token));
    assert_eq!(value("refresh_token"), refresh_token);
    assert!(
        response
            .expires_at(i64::MAX)
            .is_none_or(|end| end == i64::MAX)
    );
});
