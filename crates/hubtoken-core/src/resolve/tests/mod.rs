#![allow(clippy::unwrap_used)]
//! Tests the chain on an isolated machine: a temporary home folder, and a map as environment.

mod configurations;
mod files;
mod host;
mod keyring;
mod lines;
mod oidc;
mod unpickled;

use std::path::PathBuf;

use super::*;
use crate::env::StaticEnvironment;

const FIRST: &str = "hf_FirstFakeFakeFakeFakeFakeFakeFakeAA";
const SECOND: &str = "hf_SecondFakeFakeFakeFakeFakeFakeFakBB";
const THIRD: &str = "hf_ThirdFakeFakeFakeFakeFakeFakeFakeCC";

struct Machine {
    home: tempfile::TempDir,
    environment: StaticEnvironment,
    resolver: Resolver,
}

const AMBIENT: Request<'_> = Request {
    argument: Argument::Ambient,
    endpoint: None,
    profile: None,
};

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut environment = StaticEnvironment::default();
        environment.set("HOME", home.path());
        environment.set("USERPROFILE", home.path());
        environment.set("XDG_CONFIG_HOME", home.path().join(".config"));
        Self {
            home,
            environment,
            resolver: Resolver::default(),
        }
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.set(name, value);
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs::read(&self.environment, Some(self.home.path().join("project")))
    }

    fn ask(&self, argument: Argument<'_>, profile: Option<&str>) -> Result<Resolution, Error> {
        let request = Request {
            argument,
            endpoint: None,
            profile,
        };
        self.resolver.resolve(&request, &self.inputs())
    }

    /// The source and the value of the token found.
    fn found(&self) -> (String, String) {
        self.resolver.clear_cache();
        let credential = self
            .ask(Argument::Ambient, None)
            .unwrap()
            .credential
            .unwrap();
        let home = self.home.path().display().to_string();
        (
            credential.source.to_string().replace(&home, "~"),
            credential.token.expose().to_owned(),
        )
    }

    fn error(&self, profile: Option<&str>) -> Error {
        self.resolver.clear_cache();
        match self.ask(Argument::Ambient, profile) {
            Ok(_) => unreachable!("a token was found"),
            Err(error) => error,
        }
    }
}

const FILE: &str = ".cache/huggingface/token";
const STORED: &str = ".cache/huggingface/stored_tokens";

#[test]
fn sources_are_asked_in_order() {
    let mut machine = Machine::new();
    machine.write(FILE, THIRD);
    assert_eq!(
        machine.found(),
        (format!("file:~/{FILE}"), THIRD.to_owned())
    );
    machine.write(STORED, format!("[ci]\nhf_token = {SECOND}\n"));
    machine.write("hubtoken.toml", "profile = \"ci\"");
    assert_eq!(
        machine.found(),
        ("config:~/hubtoken.toml".to_owned(), SECOND.to_owned())
    );
    machine.set("HUGGING_FACE_HUB_TOKEN", THIRD);
    assert_eq!(machine.found().0, "env:HUGGING_FACE_HUB_TOKEN");
    machine.set("HF_TOKEN", FIRST);
    assert_eq!(
        machine.found(),
        ("env:HF_TOKEN".to_owned(), FIRST.to_owned())
    );
    let given = machine
        .ask(Argument::Value(SECOND), None)
        .unwrap()
        .credential
        .unwrap();
    assert_eq!(given.source, Source::Argument);
}

#[test]
fn a_blank_variable_hides_nothing() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", " \n");
    machine.set("HUGGING_FACE_HUB_TOKEN", SECOND);
    assert_eq!(machine.found().1, SECOND);
}

#[test]
fn a_broken_ambient_source_is_passed_over_and_warned_about_once() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", "hf_****abcd");
    machine.write(FILE, FIRST);
    let resolution = machine.ask(Argument::Ambient, None).unwrap();
    assert_eq!(resolution.credential.unwrap().token.expose(), FIRST);
    let warnings = machine.resolver.warnings(&resolution.trace);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("HF_TOKEN"));
    assert!(machine.resolver.warnings(&resolution.trace).is_empty());
}

#[test]
fn anything_may_be_at_the_token_path() {
    for content in [
        &b"hf_\xff\xfe"[..],
        &vec![b'a'; 100_000],
        b"two tokens",
        b"<HF_TOKEN>",
    ] {
        let machine = Machine::new();
        machine.write(FILE, content);
        assert!(matches!(machine.error(None), Error::TokenNotFound { .. }));
    }
    let machine = Machine::new();
    std::fs::create_dir_all(machine.home.path().join(FILE)).unwrap();
    let message = machine.error(None).to_string();
    assert!(message.contains("is a directory"), "{message}");
    for content in [
        format!("\u{feff}{FIRST}"),
        format!("\"{FIRST}\"\n"),
        format!("{FIRST}\r\n"),
    ] {
        let machine = Machine::new();
        machine.write(FILE, content);
        assert_eq!(machine.found().1, FIRST);
    }
}

#[test]
fn a_profile_is_asked_for_by_name() {
    let machine = Machine::new();
    machine.write(FILE, FIRST);
    let message = machine.error(Some("ci")).to_string();
    assert!(message.contains("no token is stored"), "{message}");
    machine.write(STORED, format!("[lab]\nhf_token = {SECOND}\n"));
    let message = machine.error(Some("ci")).to_string();
    assert!(message.contains("stored tokens are: lab"), "{message}");
    let found = machine
        .ask(Argument::Ambient, Some("lab"))
        .unwrap()
        .credential
        .unwrap();
    assert_eq!(found.source.to_string(), "store:lab");
    machine.write(STORED, format!("{SECOND}\n"));
    let error = machine.error(Some("lab"));
    assert!(
        matches!(&error, Error::Store(message) if message.contains("line 1") && !message.contains(SECOND))
    );
}

#[test]
fn a_configuration_stops_the_chain_when_it_is_broken() {
    let machine = Machine::new();
    machine.write(FILE, FIRST);
    for text in [
        "profile = ",
        "endpoint = \"https://evil.example\"",
        &format!("token = \"{SECOND}\""),
    ] {
        machine.write("hubtoken.toml", text);
        let error = machine.error(None);
        assert!(matches!(error, Error::Configuration(_)), "{error}");
        assert!(!error.to_string().contains(SECOND));
    }
    machine.write("hubtoken.toml", "profile = \"gone\"");
    assert!(
        machine
            .error(None)
            .to_string()
            .contains("hubtoken.toml names")
    );
    machine.write("hubtoken.toml", "sources = [\"config\"]");
    assert!(matches!(machine.error(None), Error::TokenNotFound { .. }));
}

#[test]
fn the_users_configuration_may_name_a_file_and_its_hub() {
    let machine = Machine::new();
    machine.write(FILE, FIRST);
    let secret = machine.write("secret", SECOND);
    machine.write(
        ".config/hubtoken/config.toml",
        format!(
            "token_file = '{}'\nendpoint = \"http://127.0.0.1:9\"",
            secret.display()
        ),
    );
    let found = machine
        .ask(Argument::Ambient, None)
        .unwrap()
        .credential
        .unwrap();
    assert_eq!(found.token.expose(), SECOND);
    assert_eq!(found.endpoint.as_str(), "http://127.0.0.1:9");
    std::fs::remove_file(secret).unwrap();
    assert!(matches!(machine.error(None), Error::Store(_)));
}

#[test]
fn arguments_mean_what_the_hub_libraries_mean() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    assert!(
        machine
            .ask(Argument::Anonymous, None)
            .unwrap()
            .credential
            .is_none()
    );
    for blank in ["", " ", "\n", "\"\""] {
        assert!(matches!(
            machine.ask(Argument::Value(blank), None),
            Err(Error::TokenFormat(_))
        ));
    }
    machine.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    assert!(matches!(machine.error(None), Error::TokenNotFound { .. }));
    assert!(
        machine
            .ask(Argument::Required, None)
            .unwrap()
            .credential
            .is_some()
    );
    assert!(machine.ask(Argument::Value(FIRST), Some("ci")).is_err());
}

#[test]
fn a_token_belongs_to_its_endpoint() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    machine.set("HF_ENDPOINT", "http://127.0.0.1:9/");
    let found = machine
        .ask(Argument::Ambient, None)
        .unwrap()
        .credential
        .unwrap();
    assert_eq!(found.endpoint.as_str(), "http://127.0.0.1:9");
    let request = |argument| Request {
        argument,
        endpoint: Some(Endpoint::default_hub()),
        profile: None,
    };
    for argument in [Argument::Ambient, Argument::Credential(found)] {
        assert!(matches!(
            machine
                .resolver
                .resolve(&request(argument), &machine.inputs()),
            Err(Error::UntrustedEndpoint(_))
        ));
    }
    let handed = machine
        .resolver
        .resolve(&request(Argument::Value(SECOND)), &machine.inputs())
        .unwrap();
    assert!(handed.credential.unwrap().endpoint.is_default());
    machine.set("HF_ENDPOINT", "http://hub.example");
    let error = machine.error(None);
    assert!(
        matches!(&error, Error::UntrustedEndpoint(message) if message.starts_with("HF_ENDPOINT"))
    );
}

#[test]
fn a_trace_tells_what_is_shadowed_and_what_nobody_reads() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    machine.set("HUGGING_FACE_HUB_TOKEN", FIRST);
    machine.set("HUGGINGFACEHUB_API_TOKEN", THIRD);
    machine.write(FILE, SECOND);
    let request = Request {
        argument: Argument::Ambient,
        endpoint: None,
        profile: None,
    };
    let trace = machine
        .resolver
        .explain(&request, &machine.inputs())
        .unwrap();
    let text = trace.to_string();
    assert_eq!(trace.found().unwrap().source, "env:HF_TOKEN");
    assert_eq!(trace.shadowed().count(), 2);
    assert!(text.contains("the same token as env:HF_TOKEN"), "{text}");
    assert!(text.contains("HUGGINGFACEHUB_API_TOKEN"), "{text}");
    for secret in [FIRST, SECOND, THIRD] {
        assert!(!text.contains(secret));
    }
    let nothing = Machine::new();
    let trace = nothing
        .resolver
        .explain(&request, &nothing.inputs())
        .unwrap();
    assert!(trace.found().is_none());
}

#[test]
fn a_cached_resolution_lasts_while_nothing_changes() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    machine.ask(Argument::Ambient, None).unwrap();
    assert!(matches!(
        machine.resolver.cached(&machine.environment),
        Cached::Hit(_)
    ));
    machine.set("HF_TOKEN", SECOND);
    assert!(matches!(
        machine.resolver.cached(&machine.environment),
        Cached::Miss
    ));
    machine.ask(Argument::Ambient, None).unwrap();
    machine.set("HF_ENDPOINT", "http://127.0.0.1:9");
    assert!(matches!(
        machine.resolver.cached(&machine.environment),
        Cached::Miss
    ));
}

#[test]
fn a_file_that_just_changed_is_read_again() {
    let machine = Machine::new();
    let path = machine.write(FILE, FIRST);
    let hour = std::time::Duration::from_hours(1);
    let write_at = |time| {
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    };
    // A modification time in the future counts as recent, however slow this test is: the file may
    // change again without a change of its `stat`.
    write_at(std::time::SystemTime::now() + hour);
    machine.ask(Argument::Ambient, None).unwrap();
    assert!(matches!(
        machine.resolver.cached(&machine.environment),
        Cached::Miss
    ));
    let settle = || write_at(std::time::SystemTime::now() - hour);
    settle();
    machine.ask(Argument::Ambient, None).unwrap();
    assert!(matches!(
        machine.resolver.cached(&machine.environment),
        Cached::Revalidate(_)
    ));
    std::fs::write(&path, SECOND).unwrap();
    settle();
    let found = machine
        .ask(Argument::Ambient, None)
        .unwrap()
        .credential
        .unwrap();
    assert_eq!(found.token.expose(), SECOND);
}
