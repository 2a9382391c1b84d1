//! Fuzzes git's credential protocol: reading and writing preserves the meaning, no value can forge
//! a line, and the helper reveals nothing to another host.
#![no_main]

use hubtoken_core::env::StaticEnvironment;
use hubtoken_core::git::helper;
use hubtoken_core::git::protocol::{Attributes, read};
use hubtoken_core::resolve::Inputs;
use libfuzzer_sys::fuzz_target;

const VALUE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";

fuzz_target!(|input: &[u8]| {
    let Ok(question) = read(&mut &*input) else {
        return;
    };
    let Ok(attributes) = Attributes::parse(&question) else {
        return;
    };
    // What the protocol cannot represent is rejected; the rest is unchanged after a round trip.
    if let Ok(written) = attributes.encode() {
        let again = Attributes::parse(&written).expect("what was written can be read");
        assert!(again == attributes, "a value changed on its way");
    }
    let environment =
        StaticEnvironment::from([("HF_TOKEN", VALUE), ("HF_ENDPOINT", "https://hub.example")]);
    let inputs = Inputs::read(&environment, None);
    if let Ok(answer) = helper::get(&attributes, &inputs, &|token| {
        Ok((token.clone(), Vec::new()))
    }) && let Some(answer) = answer.attributes
    {
        let told = answer.encode().expect("an answer can be written");
        let tells = told
            .windows(VALUE.len())
            .any(|window| window == VALUE.as_bytes());
        let asked = attributes.host.as_deref().unwrap_or_default();
        let hosts: [&[u8]; 3] = [b"hub.example", b"hub.example:", b"hub.example:443"];
        let same_host = hosts.iter().any(|host| asked.eq_ignore_ascii_case(host));
        let https = attributes.protocol.as_deref() == Some(b"https");
        assert!(!tells || (same_host && https), "revealed to another host");
    }
});
