//! Fuzzes the keys of issuers: whatever the set, a key verifies only what belongs to its kind, and
//! none of them is symmetric.
#![no_main]

use hubtoken_hub::fuzzing::key_algorithms;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|set: &[u8]| {
    for id in [None, Some("k")] {
        check(set, id);
    }
});

fn check(set: &[u8], id: Option<&str>) {
    let Some(algorithms) = key_algorithms(set, id) else {
        return;
    };
    let set: Value = serde_json::from_slice(set).expect("JSON");
    let keys = set["keys"].as_array().expect("a list");
    assert!(!algorithms.is_empty());
    let kinds: Vec<&str> = keys
        .iter()
        .filter(|key| id.is_none() || key["kid"].as_str() == id)
        .filter_map(|key| key["kty"].as_str())
        .collect();
    let kind = match algorithms[0] {
        "RS256" | "PS256" => "RSA",
        "ES256" | "ES384" => "EC",
        "EdDSA" => "OKP",
        other => panic!("{other}"),
    };
    assert!(kinds.contains(&kind));
    for algorithm in &algorithms {
        assert_eq!(
            algorithm.starts_with("RS") || algorithm.starts_with("PS"),
            kind == "RSA"
        );
    }
}
