//! Tests how the project's and the user's file work together, and what an invalid one does to a
//! token that it has no part in.

use super::*;
use crate::interrupt::NeverInterrupted;
use crate::paths::Paths;
use crate::resolve::project_defaults::Defaults;
use crate::role::Role;
use crate::store::TokenMetadata;
use crate::store::token_store::TokenStore;
use crate::token::Token;

const PROJECT: &str = "hubtoken.toml";
const USER: &str = ".config/hubtoken/config.toml";
const HUB: &str = "http://127.0.0.1:9";
const OTHER_HUB: &str = "http://127.0.0.1:8";

/// What no file may contain, and what only a project's may not.
const INVALID: [&str; 7] = [
    "token_command = [\"sh\"]",
    "token_file = \"/run/secrets/hf\"",
    "endpoint = \"https://evil.example\"",
    "safe_directories = [\"/srv\"]",
    "profile = ",
    "profile = 3",
    "color = \"red\"",
];

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap()
}

impl Machine {
    fn warnings(&self, argument: Argument<'_>, profile: Option<&str>) -> Vec<String> {
        let resolution = self.ask(argument, profile).unwrap();
        self.resolver.warnings(&resolution.trace)
    }

    /// Stores a token as a login at a Hub does.
    pub(super) fn store(&self, name: &str, value: &str, hub: &str) {
        let paths = Paths::new(&self.environment);
        let token_store = TokenStore::new(&paths, endpoint(OTHER_HUB), &NeverInterrupted);
        let token = Token::parse(value).unwrap().unwrap();
        let metadata = TokenMetadata {
            verified: true,
            ..TokenMetadata::unverified(endpoint(hub))
        };
        token_store.save(name, &token, &metadata, false).unwrap();
    }

    fn endpoint(&self) -> String {
        self.resolver.clear_cache();
        let found = self.ask(Argument::Ambient, None).unwrap();
        found.credential.unwrap().endpoint.to_string()
    }

    fn defaults(&self) -> Defaults {
        self.resolver.clear_cache();
        let folder = self.home.path().join("project");
        self.resolver
            .defaults(&self.environment, Some(&folder))
            .unwrap()
    }
}

#[test]
fn an_invalid_file_is_warned_about_once_where_a_variable_has_the_token() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    for text in INVALID
        .into_iter()
        .chain([&*format!("token = \"{SECOND}\"")])
    {
        machine.write(PROJECT, text);
        machine.resolver = Resolver::default();
        let warnings = machine.warnings(Argument::Ambient, None);
        let [warning] = &warnings[..] else {
            panic!("{text}: {warnings:?}");
        };
        assert!(
            warning.starts_with("config was passed over: ") && warning.contains(PROJECT),
            "{warning}"
        );
        assert!(!warning.contains(SECOND));
        assert!(machine.warnings(Argument::Ambient, None).is_empty());
        assert!(machine.warnings(Argument::Required, None).is_empty());
        assert_eq!(machine.found().1, FIRST);
    }
}

#[test]
fn an_invalid_file_is_warned_about_beside_the_older_variable_and_a_profile() {
    let mut machine = Machine::new();
    machine.write(STORED, format!("[ci]\nhf_token = {SECOND}\n"));
    machine.write(USER, "profile = 3");
    assert_eq!(machine.warnings(Argument::Ambient, Some("ci")).len(), 1);
    machine.resolver = Resolver::default();
    machine.set("HUGGING_FACE_HUB_TOKEN", FIRST);
    assert_eq!(machine.warnings(Argument::Ambient, None).len(), 1);
}

#[test]
fn an_invalid_file_has_no_part_in_a_token_that_is_handed_over() {
    let machine = Machine::new();
    machine.write(PROJECT, "color = \"red\"");
    assert!(machine.warnings(Argument::Value(FIRST), None).is_empty());
    assert!(machine.warnings(Argument::Anonymous, None).is_empty());
}

#[test]
fn an_invalid_file_is_an_error_where_its_values_would_be_used() {
    let machine = Machine::new();
    machine.write(FILE, FIRST);
    for text in INVALID {
        machine.write(PROJECT, text);
        let error = machine.error(None);
        assert!(matches!(error, Error::Configuration(_)), "{text}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_write_is_no_news_where_a_variable_has_the_token() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    let file = machine.write(PROJECT, INVALID[0]);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(machine.warnings(Argument::Ambient, None).is_empty());
}

#[test]
fn the_users_file_adds_what_the_project_leaves_out() {
    let (read, write) = (Some(Role::Read), Some(Role::Write));
    for (project, user, role, repo) in [
        ("", "role = \"write\"\nrepo = \"me/x\"", write, Some("me/x")),
        (
            "profile = \"ci\"",
            "role = \"write\"\nrepo = \"me/x\"",
            write,
            Some("me/x"),
        ),
        // The project's role is not checked on the user's repository.
        (
            "role = \"read\"",
            "role = \"write\"\nrepo = \"me/x\"",
            read,
            None,
        ),
        ("role = \"read\"", "repo = \"me/x\"", read, None),
        // The user's role is checked on the project's repository.
        (
            "repo = \"acme/y\"",
            "role = \"write\"\nrepo = \"me/x\"",
            write,
            Some("acme/y"),
        ),
        (
            "role = \"read\"\nrepo = \"acme/y\"",
            "role = \"write\"",
            read,
            Some("acme/y"),
        ),
        ("repo = \"acme/y\"", "", None, Some("acme/y")),
    ] {
        let machine = Machine::new();
        machine.write(PROJECT, project);
        machine.write(USER, user);
        let defaults = machine.defaults();
        assert_eq!(defaults.role, role, "{project} | {user}");
        assert_eq!(defaults.repo.as_deref(), repo, "{project} | {user}");
    }
}

#[test]
fn of_the_projects_files_only_the_nearest_counts() {
    let machine = Machine::new();
    machine.write(PROJECT, "role = \"write\"\nprofile = \"ci\"");
    machine.write("project/hubtoken.toml", "repo = \"acme/y\"");
    machine.write(USER, "profile = \"lab\"");
    machine.write(
        STORED,
        format!("[ci]\nhf_token = {FIRST}\n\n[lab]\nhf_token = {SECOND}\n"),
    );
    let defaults = machine.defaults();
    assert_eq!(
        (defaults.role, defaults.repo.unwrap()),
        (None, "acme/y".to_owned())
    );
    assert_eq!(
        machine.found(),
        (format!("config:~/{USER}"), SECOND.to_owned())
    );
}

#[test]
fn both_files_exclude_sources() {
    let machine = Machine::new();
    machine.write(FILE, FIRST);
    machine.write(USER, "sources = [\"config\", \"command\"]");
    machine.write(PROJECT, "sources = [\"file\"]");
    assert!(matches!(machine.error(None), Error::TokenNotFound { .. }));
}

#[test]
fn a_projects_profile_does_not_take_the_users_endpoint() {
    let machine = Machine::new();
    machine.write(STORED, format!("[ci]\nhf_token = {FIRST}\n"));
    machine.write(PROJECT, "profile = \"ci\"");
    machine.write(
        USER,
        format!("endpoint = \"{HUB}\"\ntoken_file = \"/gone\"\nprofile = \"lab\""),
    );
    assert_eq!(machine.found().1, FIRST);
    assert_eq!(machine.endpoint(), "https://huggingface.co");
    // The user's own profile does, unless the login recorded its Hub.
    std::fs::remove_file(machine.home.path().join(PROJECT)).unwrap();
    machine.write(STORED, format!("[lab]\nhf_token = {SECOND}\n"));
    assert_eq!(machine.endpoint(), HUB);
    machine.store("lab", SECOND, OTHER_HUB);
    assert_eq!(machine.endpoint(), OTHER_HUB);
}

#[test]
fn a_token_file_belongs_to_its_endpoint_whatever_is_stored() {
    let machine = Machine::new();
    let secret = machine.write("secret", FIRST);
    let named = format!("token_file = '{}'", secret.display());
    machine.write(USER, format!("{named}\nendpoint = \"{HUB}\""));
    machine.store("ci", FIRST, OTHER_HUB);
    assert_eq!(machine.endpoint(), HUB);
    // Also when it is looked up again by its fingerprint.
    let found = machine.ask(Argument::Ambient, None).unwrap().credential;
    let reference = crate::token_reference::TokenReference::of(&found.unwrap());
    let again = machine.resolver.restore(&reference, &machine.inputs());
    assert_eq!(again.unwrap().endpoint.as_str(), HUB);
    // Without an endpoint, it belongs where the login found it.
    machine.write(USER, named);
    assert_eq!(machine.endpoint(), OTHER_HUB);
}
