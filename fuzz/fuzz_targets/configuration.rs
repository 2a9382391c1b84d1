//! Fuzzes a configuration: any text is parsed or rejected, a message never shows a secret of it, a
//! project's file cannot control where secrets come from or go to, and pinning a profile changes
//! only the profile.
#![no_main]

use std::path::Path;

use hubtoken_core::resolve::configuration::{Configuration, Owner, parse};
use hubtoken_core::resolve::pin::edit;
use hubtoken_core::sanitize::contains_secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for owner in [Owner::Project, Owner::User] {
        match parse(text, Path::new("hubtoken.toml"), owner) {
            Ok(configuration) => {
                let project = owner == Owner::Project;
                assert!(!project || configuration.endpoint.is_none());
                assert!(!project || configuration.token_file.is_none());
                assert!(!project || configuration.token_command.is_none());
                if project {
                    pin(text, &configuration);
                }
                assert!(!contains_secret(&format!("{configuration:?}")));
            }
            Err(error) => assert!(!contains_secret(&error.to_string())),
        }
    }
});

fn pin(text: &str, before: &Configuration) {
    let path = Path::new("hubtoken.toml");
    for profile in [Some("a \"b\" \u{e9}"), None] {
        let text = edit(text, path, profile).expect("what was read can be edited");
        let after = parse(&text, path, Owner::Project).expect("what was edited can be read");
        let expected = Configuration {
            profile: profile.map(str::to_owned),
            ..before.clone()
        };
        assert_eq!(after, expected);
    }
}
