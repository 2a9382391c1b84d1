//! Fuzzes a path below a model: it is used unchanged or rejected, and the model's server resolves
//! it to what it says, however that server parses paths.
#![no_main]

use hubtoken_hub::fuzzing::model_path;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|path: &str| {
    let Some((model, below, is_json)) = model_path(path) else {
        return;
    };
    let asked = path.split(['?', '#']).next().unwrap_or_default();
    // How a complete URL is parsed is the client's responsibility; only its path matters here.
    let whole = format!(
        "/models/{model}{}",
        below.strip_suffix('/').unwrap_or(&below)
    );
    assert!(asked.ends_with(&whole), "{asked} does not end with {whole}");
    let names: Vec<&str> = model.split('/').collect();
    assert!(names.len() <= 2);
    assert!(!names.iter().any(|name| matches!(*name, "" | "." | "..")));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
    assert!(below.starts_with('/') && below.bytes().all(plain) && !below.contains("//"));
    assert!(!is_json || below.len() > 1);
    let url = Url::parse(&format!("http://upstream.example/base{below}")).expect("a URL");
    assert_eq!(url.host_str(), Some("upstream.example"));
    assert_eq!(url.path(), format!("/base{below}"));
});
