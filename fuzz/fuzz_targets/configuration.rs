//! A configuration: any text is read or refused, a message never shows a secret of it, and a
//! project's file steers no secret.
#![no_main]

use std::path::Path;

use hubtoken::printable::holds_secret;
use hubtoken::resolve::configuration::{Owner, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for owner in [Owner::Project, Owner::User] {
        match parse(text, Path::new("hubtoken.toml"), owner) {
            Ok(configuration) => {
                let project = owner == Owner::Project;
                assert!(!project || configuration.endpoint.is_none());
                assert!(!project || configuration.token_file.is_none());
                assert!(!holds_secret(&format!("{configuration:?}")));
            }
            Err(error) => assert!(!holds_secret(&error.to_string())),
        }
    }
});
