//! Tests the operations one after another in one process.
#![allow(clippy::unwrap_used)]

mod addition;
mod crowd;
mod faults;
mod homeless;
mod issued;
mod keyring;
mod keyring_verbs;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod refusals;
#[cfg(unix)]
mod special;
mod unverified;

use std::path::Path;

use super::Entry;
use super::token_metadata::TokenMetadata;
use super::token_store::{Saved, TokenStore};
use crate::endpoint::Endpoint;
use crate::env::StaticEnvironment;
use crate::error::Error;
use crate::interrupt::NeverInterrupted;
use crate::paths::Paths;
use crate::token::Token;

const HUB: &str = "https://huggingface.co";
const TEAM: &str = "https://hub.example";

fn token_store(home: &Path) -> TokenStore<'static> {
    let environment =
        StaticEnvironment::from([("HOME", "/nowhere"), ("HF_HOME", home.to_str().unwrap())]);
    TokenStore::new(
        &Paths::new(&environment),
        Endpoint::parse(HUB).unwrap(),
        &NeverInterrupted,
    )
}

/// A folder in memory if possible: these tests run many processes, and a slow disk would make them
/// wait for each other.
fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn token(word: &str) -> Token {
    Token::parse(&format!("hf_FakeFakeFakeFakeFakeFakeFake{word}"))
        .unwrap()
        .unwrap()
}

fn record(endpoint: &str, user: &str) -> TokenMetadata {
    TokenMetadata {
        endpoint: Endpoint::parse(endpoint).unwrap(),
        user: Some(user.to_owned()),
        role: Some("write".to_owned()),
        organizations: Vec::new(),
        created_at: Some(1),
        expires_at: None,
        verified: true,
        in_git: false,
        replaces: None,
    }
}

fn save(token_store: &TokenStore, name: &str, word: &str, endpoint: &str) -> String {
    let saved = token_store.save(name, &token(word), &record(endpoint, "alice"), false);
    saved.unwrap().name
}

fn listed(token_store: &TokenStore) -> Vec<Entry> {
    token_store.list().unwrap().map(Result::unwrap).collect()
}

fn names(token_store: &TokenStore) -> Vec<(String, bool)> {
    let entries = listed(token_store).into_iter();
    entries.map(|entry| (entry.name, entry.active)).collect()
}

#[test]
fn the_verbs() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("new");
    let token_store = token_store(&home);
    assert!(listed(&token_store).is_empty());
    save(&token_store, "ci", "A", HUB);
    save(&token_store, "laptop", "B", HUB);
    assert_eq!(
        names(&token_store),
        [("ci".to_owned(), false), ("laptop".to_owned(), true)]
    );
    token_store.switch("ci").unwrap();
    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(read("token"), token("A").expose());
    assert_eq!(
        token_store.rename("ci", "DEFAULT").unwrap().name,
        "DEFAULT~89dbf710"
    );
    assert!(matches!(
        token_store.rename("laptop", "DEFAULT"),
        Err(Error::NameTaken(_))
    ));
    assert!(token_store.remove("DEFAULT~89dbf710").unwrap().active);
    assert!(!home.join("token").exists());
    assert!(!read("hubtoken_endpoints.json").contains("hf_"));
    assert_eq!(read("hubtoken_endpoints.json").matches("alice").count(), 1);
    assert_eq!(token_store.remove_all().unwrap().names, ["laptop"]);
    assert!(!home.join("stored_tokens").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        save(&token_store, "ci", "A", HUB);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home), 0o700);
        for name in ["token", "stored_tokens", "hubtoken_endpoints.json"] {
            assert_eq!(mode(&home.join(name)), 0o600, "{name}");
        }
    }
}

#[test]
fn a_login_elsewhere_is_never_offered_here() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    save(&token_store, "ci", "A", HUB);
    let name = save(&token_store, "ci", "B", TEAM);
    assert!(name.starts_with("ci-alice~"), "{name}");
    assert_eq!(
        names(&token_store),
        [("ci".to_owned(), true), (name.clone(), false)]
    );
    assert_eq!(listed(&token_store)[1].endpoint.as_str(), TEAM);
    assert!(matches!(
        token_store.switch(&name),
        Err(Error::UntrustedEndpoint(_))
    ));
}

#[test]
fn a_broken_file_is_set_aside_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let path = folder.path().join("stored_tokens");
    for (number, content) in ["hf_FakeSecret", "[a]\nhf_FakeSecret", "\u{feff}[a]"]
        .iter()
        .enumerate()
    {
        std::fs::write(&path, content).unwrap();
        let Err(problem) = token_store.list() else {
            unreachable!("{content} was read");
        };
        assert!(!problem.to_string().contains("hf_Fake"), "{problem}");
        let saved = token_store
            .save("ci", &token("A"), &record(HUB, "alice"), false)
            .unwrap();
        let aside = folder
            .path()
            .join(format!("stored_tokens.broken-{}", number + 1));
        assert!(saved.warnings[0].contains(aside.to_str().unwrap()));
        assert!(!saved.warnings[0].contains("hf_Fake"));
        assert_eq!(std::fs::read_to_string(aside).unwrap(), *content);
        assert_eq!(names(&token_store), [("ci".to_owned(), true)]);
    }
}

#[test]
fn a_broken_file_stays_where_a_name_is_looked_for_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let path = folder.path().join("stored_tokens");
    std::fs::write(&path, "[a]\nhf_FakeSecret").unwrap();
    assert!(matches!(token_store.remove("a"), Err(Error::Store(_))));
    assert!(matches!(token_store.rename("a", "b"), Err(Error::Store(_))));
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "[a]\nhf_FakeSecret"
    );
    assert!(!folder.path().join("stored_tokens.broken-1").exists());
}

#[test]
fn a_value_that_another_name_has_stays_the_active_token() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    save(&token_store, "ci", "A", HUB);
    save(&token_store, "laptop", "A", HUB);
    save(&token_store, "other", "B", HUB);
    token_store.switch("ci").unwrap();
    let removed = token_store.remove("ci").unwrap();
    assert_eq!(
        (removed.names.as_slice(), removed.active),
        (&["ci".to_owned()][..], false)
    );
    assert_eq!(removed.also_stored_as, ["laptop"]);
    assert_eq!(
        names(&token_store),
        [("laptop".to_owned(), true), ("other".to_owned(), false)]
    );
    // The Hub and the user of the value are still known.
    assert_eq!(listed(&token_store)[0].user.as_deref(), Some("alice"));
    // A value that is not the active one does not become it.
    save(&token_store, "again", "A", HUB);
    token_store.switch("other").unwrap();
    assert_eq!(
        token_store.remove("again").unwrap().also_stored_as,
        ["laptop"]
    );
    assert_eq!(
        names(&token_store),
        [("laptop".to_owned(), false), ("other".to_owned(), true)]
    );
    // The last name of a value takes the active token with it.
    token_store.switch("laptop").unwrap();
    token_store.rename("laptop", "desk").unwrap();
    let removed = token_store.remove("desk").unwrap();
    assert!(removed.active && removed.also_stored_as.is_empty());
    assert!(!folder.path().join("token").exists());
    // `logout` without a name removes every name of the active value.
    save(&token_store, "one", "C", HUB);
    save(&token_store, "two", "C", HUB);
    let removed = token_store.remove_active().unwrap();
    assert_eq!(removed.names, ["one", "two"]);
    assert!(removed.active && removed.also_stored_as.is_empty());
}

#[test]
fn a_value_written_differently_under_another_name_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let value = token("A").expose().to_owned();
    for (rest, stays) in [
        (format!("[laptop]\nhf_token = \"{value}\"\n\n"), true),
        (
            format!("[hf_FakeFakeFakeFakeFakeFakeFakeFakeXX]\nhf_token = {value}\n\n"),
            true,
        ),
        ("[laptop]\nhf_token = \n\n".to_owned(), false),
        (format!("[laptop]\nrefresh_token = {value}\n\n"), false),
    ] {
        let text = format!("[ci]\nhf_token = {value}\n\n{rest}");
        std::fs::write(folder.path().join("stored_tokens"), text).unwrap();
        std::fs::write(folder.path().join("token"), &value).unwrap();
        let removed = token_store.remove("ci").unwrap();
        assert_eq!(removed.active, !stays, "{rest}");
        assert_eq!(folder.path().join("token").exists(), stays, "{rest}");
        assert!(!removed.also_stored_as.concat().contains("FakeFake"));
    }
}
