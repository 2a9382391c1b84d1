//! Tests for the user whom git names, and for the expiry that git is told.

use tempfile::TempDir;

use super::tests::{answer, asked, machine};
use crate::env::StaticEnvironment;
use crate::token::Digest;

const HUB: &str = "https://huggingface.co";
const TEAM: &str = "https://hub.example";
const NEVER: i64 = 4_102_444_800;

/// A stored token with the metadata of a login; no `user` for one that `huggingface_hub` stored.
struct Stored {
    name: &'static str,
    user: Option<&'static str>,
    role: &'static str,
    endpoint: &'static str,
    expires_at: Option<i64>,
}

fn stored(name: &'static str, user: &'static str) -> Stored {
    Stored {
        name,
        user: Some(user),
        role: "write",
        endpoint: HUB,
        expires_at: None,
    }
}

/// The value of a stored token: its name tells them apart.
fn value(name: &str) -> String {
    format!("hf_{name}{}", "Fake".repeat(8))
}

/// A machine with stored tokens, the first of which is the active one.
fn machine_with(tokens: &[Stored]) -> (TempDir, StaticEnvironment) {
    let (home, environment) = machine();
    let sections: Vec<String> = tokens
        .iter()
        .map(|token| format!("[{}]\nhf_token = {}\n\n", token.name, value(token.name)))
        .collect();
    let records: serde_json::Map<String, serde_json::Value> = tokens
        .iter()
        .filter_map(|token| {
            let record = serde_json::json!({
                "endpoint": token.endpoint,
                "user": token.user?,
                "role": token.role,
                "organizations": ["acme"],
                "created_at": 1,
                "expires_at": token.expires_at,
            });
            Some((Digest::of(&value(token.name)).hex(), record))
        })
        .collect();
    let metadata = serde_json::json!({ "tokens": records }).to_string();
    std::fs::write(home.path().join("stored_tokens"), sections.concat()).unwrap();
    std::fs::write(home.path().join("hubtoken_endpoints.json"), metadata).unwrap();
    if let Some(first) = tokens.first() {
        std::fs::write(home.path().join("token"), value(first.name)).unwrap();
    }
    (home, environment)
}

/// The name of the stored token that git gets for a user, and the warnings.
fn given(
    user: impl AsRef<[u8]>,
    host: &str,
    (home, environment): &(TempDir, StaticEnvironment),
) -> (Option<String>, Vec<String>) {
    let mut asked = asked("https", host);
    asked.username = Some(user.as_ref().to_vec());
    let response = answer(&asked, home, environment).unwrap();
    let password = response.attributes.map(|attributes| {
        let asked = Some(user.as_ref()).filter(|user| !user.is_empty());
        assert_eq!(attributes.username.unwrap(), asked.unwrap_or(b"hf_user"));
        String::from_utf8(attributes.password.unwrap().to_vec()).unwrap()
    });
    (password, response.warnings)
}

fn gets(name: &str) -> (Option<String>, Vec<String>) {
    (Some(value(name)), Vec::new())
}

#[test]
fn a_user_gets_their_own_token() {
    let world = machine_with(&[
        stored("a", "alice"),
        stored("b", "bob"),
        stored("c", "carol"),
    ]);
    for (user, token) in [
        ("alice", "a"),
        ("bob", "b"),
        ("BOB", "b"),
        ("carol", "c"),
        // Names that stand for no user, and an organization.
        ("", "a"),
        ("hf_user", "a"),
        ("user", "a"),
        ("token", "a"),
        ("acme", "a"),
        ("ACME", "a"),
    ] {
        assert_eq!(given(user, "huggingface.co", &world), gets(token), "{user}");
    }
    let other_case = given("bob", "HuggingFace.co:443", &world);
    assert_eq!(other_case, gets("b"));
}

#[test]
fn a_user_without_a_token_gets_the_folders_and_a_line_says_so() {
    let mut tokens = vec![stored("a", "alice"), stored("b", "bob")];
    tokens[1].endpoint = TEAM;
    tokens.push(Stored {
        user: None,
        ..stored("carol", "")
    });
    let world = machine_with(&tokens);
    let long = "x".repeat(5000);
    let secret = "hf_SecretFakeFakeFakeFakeFakeFakeFakeZZ";
    for user in [
        "nobody",
        "bob",
        "carol",
        "b",
        "bob%40",
        "../bob",
        "b\u{202e}b",
        &long,
        secret,
    ] {
        let (password, warnings) = given(user, "huggingface.co", &world);
        assert_eq!(password, Some(value("a")), "{user}");
        let [line] = warnings.as_slice() else {
            panic!("{warnings:?}");
        };
        assert!(
            line.contains("hubtoken login") && line.contains(HUB),
            "{line}"
        );
        assert!(!line.contains("Secret") && !line.contains('\u{202e}') && line.len() < 500);
        assert!(!line.contains('\n'));
    }
    let (password, warnings) = given(b"b\xff", "huggingface.co", &world);
    assert_eq!((password, warnings.len()), (Some(value("a")), 1));
    // The token of another Hub is that Hub's answer.
    assert_eq!(given("bob", "hub.example", &world), gets("b"));
    for (user, host) in [
        ("alice", "hub.example"),
        ("git", "github.com"),
        ("bob", "evil.example"),
        ("bob", "huggingface.co:8443"),
    ] {
        assert_eq!(
            given(user, host, &world),
            (None, Vec::new()),
            "{user} {host}"
        );
    }
}

#[test]
fn the_project_and_the_environment_go_before_the_user() {
    let tokens = [
        stored("a", "alice"),
        stored("b", "bob"),
        stored("c", "carol"),
    ];
    let mut world = machine_with(&tokens);
    let write = |path: &str, text: &str| {
        let path = world.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    // The user's own default for all folders is less specific than the name in a URL.
    write("config/hubtoken/config.toml", "profile = \"c\"\n");
    assert_eq!(given("hf_user", "huggingface.co", &world), gets("c"));
    assert_eq!(given("bob", "huggingface.co", &world), gets("b"));
    write("hubtoken.toml", "profile = \"a\"\n");
    for user in ["alice", "bob", "nobody", "acme"] {
        assert_eq!(given(user, "huggingface.co", &world), gets("a"), "{user}");
    }
    world.1.set("HF_TOKEN", value("c"));
    assert_eq!(given("carol", "huggingface.co", &world), gets("c"));
    let (password, warnings) = given("bob", "huggingface.co", &world);
    assert_eq!(password, Some(value("c")));
    assert!(warnings[0].contains("HF_TOKEN takes precedence over the stored token `b`"));
    assert_eq!(warnings.len(), 1);
    // Stored tokens stay unused where implicit ones do, and where a configuration excludes them.
    world.1.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    assert_eq!(given("bob", "huggingface.co", &world), (None, Vec::new()));
    let excluded = machine_with(&tokens);
    std::fs::write(
        excluded.0.path().join("hubtoken.toml"),
        "sources = [\"config\"]\n",
    )
    .unwrap();
    assert_eq!(
        given("bob", "huggingface.co", &excluded),
        (None, Vec::new())
    );
}

#[test]
fn the_best_of_several_tokens_of_a_user_is_chosen() {
    let token = |name, role, expires_at| Stored {
        role,
        expires_at,
        ..stored(name, "bob")
    };
    let others = || {
        [
            token("over", "write", Some(1)),
            token("scoped", "fine-grained", None),
            token("reader", "read", None),
            token("writer", "write", Some(NEVER)),
        ]
    };
    for (count, best) in [(1, "over"), (2, "scoped"), (3, "reader"), (4, "writer")] {
        let mut tokens = vec![stored("a", "alice")];
        tokens.extend(others().into_iter().take(count));
        let world = machine_with(&tokens);
        let (password, warnings) = given("bob", "huggingface.co", &world);
        assert_eq!(password, Some(value(best)));
        assert_eq!(warnings.len(), usize::from(best == "over"), "{warnings:?}");
    }
    // The active one of several, whatever its role.
    let active = [
        token("reader", "read", None),
        token("writer", "write", None),
    ];
    let world = machine_with(&active);
    assert_eq!(given("bob", "huggingface.co", &world), gets("reader"));
}

#[test]
fn a_store_that_cannot_be_read_is_told() {
    let world = machine_with(&[stored("a", "alice"), stored("b", "bob")]);
    std::fs::write(world.0.path().join("stored_tokens"), "[broken\n").unwrap();
    let (password, warnings) = given("bob", "huggingface.co", &world);
    assert_eq!(password, Some(value("a")));
    assert!(warnings[0].contains("cannot be understood"), "{warnings:?}");
}

#[test]
fn the_expiry_that_a_login_recorded_is_answered() {
    let expiry = |expires_at, more: &str, variable: Option<String>| {
        let mut world = machine_with(&[Stored {
            expires_at,
            ..stored("a", "alice")
        }]);
        let path = world.0.path().join("stored_tokens");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\n\n", more, 1)).unwrap();
        if let Some(value) = variable {
            world.1.set("HF_TOKEN", value);
        }
        let response = answer(&asked("https", "huggingface.co"), &world.0, &world.1).unwrap();
        let attributes = response.attributes.unwrap();
        assert_eq!(
            attributes.password.unwrap().as_slice(),
            value("a").as_bytes()
        );
        (attributes.password_expiry_utc, response.warnings)
    };
    let none = Vec::<String>::new();
    for (recorded, more, told) in [
        (Some(NEVER), "\n\n", Some(NEVER)),
        (None, "\nexpires_at = 4102444801\n\n", Some(NEVER + 1)),
        // The earlier one counts.
        (Some(NEVER), "\nexpires_at = 4102444801\n\n", Some(NEVER)),
        (
            Some(NEVER + 2),
            "\nexpires_at = 4102444801\n\n",
            Some(NEVER + 1),
        ),
        (None, "\n\n", None),
        (Some(i64::MAX), "\n\n", None),
    ] {
        assert_eq!(expiry(recorded, more, None), (told, none.clone()));
        // A value in the environment is as well known.
        assert_eq!(
            expiry(recorded, more, Some(value("a"))),
            (told, none.clone())
        );
    }
    // For git, 0 would mean that it never expires.
    for past in [i64::MIN, -1, 0, 1] {
        let (told, warnings) = expiry(Some(past), "\n\n", None);
        assert_eq!(told, Some(1));
        assert!(
            warnings[0].contains("has expired") && warnings.len() == 1,
            "{warnings:?}"
        );
    }
}

/// Moves a stored token to a keyring that is not there any more.
fn put_in_lost_keyring(name: &str, (home, _): &(TempDir, StaticEnvironment)) {
    let path = home.path().join("stored_tokens");
    let text = std::fs::read_to_string(&path).unwrap();
    let item = format!("{} {}", "ab".repeat(16), Digest::of(&value(name)).hex());
    let field = format!("hubtoken_keyring = {item}");
    let text = text.replace(&format!("hf_token = {}", value(name)), &field);
    std::fs::write(&path, text).unwrap();
}

#[test]
fn a_users_token_in_the_keyring_is_looked_for_and_why_it_is_not_given_is_said() {
    let mut world = machine_with(&[stored("a", "alice"), stored("b", "bob")]);
    put_in_lost_keyring("b", &world);
    let (token, warnings) = given("bob", "huggingface.co", &world);
    assert_eq!(token, Some(value("a")));
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(warning.contains("`bob`") && warning.contains("stored token `b`"));
    assert!(warning.contains("no keyring service here") && warning.contains("instead"));
    assert!(!warning.contains(&value("a")));
    // What the environment has decided needs no keyring.
    world.1.set("HF_TOKEN", value("a"));
    let (token, warnings) = given("bob", "huggingface.co", &world);
    assert_eq!(token, Some(value("a")));
    assert!(warnings[0].contains("takes precedence") && warnings[0].contains("`b`"));
}

#[test]
fn of_two_tokens_that_can_do_as_much_the_one_in_the_file_needs_no_keyring() {
    let world = machine_with(&[
        stored("a", "alice"),
        stored("kept", "bob"),
        stored("filed", "bob"),
    ]);
    put_in_lost_keyring("kept", &world);
    assert_eq!(given("bob", "huggingface.co", &world), gets("filed"));
}
