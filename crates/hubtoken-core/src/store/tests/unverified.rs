//! Tests tokens that were stored without asking their Hub.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::name::placeholder;

fn unverified(token_store: &TokenStore<'_>, name: Option<&str>, word: &str) -> String {
    let token = token(word);
    let record = TokenMetadata::unverified(Endpoint::parse(HUB).unwrap());
    let wanted = name.map_or_else(|| placeholder(&token), str::to_owned);
    let saved = token_store.save(&wanted, &token, &record, name.is_some());
    saved.unwrap().name
}

fn marks(token_store: &TokenStore<'_>) -> Vec<(String, Option<bool>)> {
    let entries = listed(token_store).into_iter();
    entries.map(|entry| (entry.name, entry.verified)).collect()
}

#[test]
fn a_token_is_unverified_until_its_hub_has_named_it() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let name = unverified(&token_store, None, "A");
    assert!(name.starts_with("token~"), "{name}");
    assert_eq!(marks(&token_store), [(name.clone(), Some(false))]);
    assert!(listed(&token_store)[0].active);
    // It can be changed like any other.
    token_store.rename(&name, "mine").unwrap();
    assert_eq!(marks(&token_store), [("mine".to_owned(), Some(false))]);
    token_store.rename("mine", &name).unwrap();
    // A login that asks the Hub replaces the name that hubtoken made up.
    save(&token_store, "ci", "A", HUB);
    assert_eq!(marks(&token_store), [("ci".to_owned(), Some(true))]);
    // One that does not ask forgets nothing, and uses the name that is there.
    assert_eq!(unverified(&token_store, None, "A"), "ci");
    assert_eq!(unverified(&token_store, Some("ci"), "A"), "ci");
    let entry = &listed(&token_store)[0];
    assert_eq!(entry.user.as_deref(), Some("alice"));
    assert_eq!(marks(&token_store), [("ci".to_owned(), Some(true))]);
}

#[test]
fn what_huggingface_hub_stored_has_no_mark() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[theirs]\nhf_token = {}\n\n", token("A").expose());
    std::fs::write(folder.path().join("stored_tokens"), text).unwrap();
    let token_store = token_store(folder.path());
    assert_eq!(marks(&token_store), [("theirs".to_owned(), None)]);
}

#[test]
fn what_is_learned_is_shown_at_once_and_recorded_by_the_next_change() {
    let folder = tempfile::tempdir().unwrap();
    let first = token_store(folder.path());
    unverified(&first, Some("mine"), "A");
    save(&first, "other", "B", HUB);
    let knows = AtomicBool::new(false);
    let learning = token_store(folder.path()).learning_from(Box::new(|_, endpoint| {
        let is_known = knows.load(Ordering::Relaxed);
        is_known.then(|| record(endpoint.as_str(), "alice"))
    }));
    let file = folder.path().join("hubtoken_endpoints.json");
    let written = || std::fs::read_to_string(&file).unwrap();
    assert_eq!(marks(&learning)[0].1, Some(false));
    knows.store(true, Ordering::Relaxed);
    assert_eq!(marks(&learning)[0].1, Some(true));
    assert_eq!(listed(&learning)[0].user.as_deref(), Some("alice"));
    // Nothing is written on read.
    assert!(written().contains("verified"));
    learning.switch("other").unwrap();
    assert!(!written().contains("verified"), "{}", written());
    assert_eq!(marks(&first)[0], ("mine".to_owned(), Some(true)));
}

#[test]
fn what_gits_helper_was_given_is_remembered_until_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let given = TokenMetadata {
        in_git: true,
        replaces: None,
        ..record(HUB, "alice")
    };
    token_store.save("a", &token("A"), &given, true).unwrap();
    save(&token_store, "a", "A", HUB);
    save(&token_store, "b", "B", HUB);
    let removed = token_store.remove("b").unwrap();
    assert!(removed.in_git.is_empty());
    let removed = token_store.remove_all().unwrap();
    assert_eq!(removed.in_git.len(), 1);
    assert_eq!(removed.in_git[0].0.as_str(), HUB);
    assert!(removed.in_git[0].1 == token("A"));
    assert!(!format!("{removed:?}").contains("Fake"));
}

#[test]
fn a_name_of_another_program_is_shown_without_the_token_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let token = token("A");
    let section = format!("[{0}]\nhf_token = {0}\n", token.expose());
    std::fs::write(folder.path().join("stored_tokens"), section).unwrap();
    let token_store = token_store(folder.path());
    let name = unverified(&token_store, None, "A");
    assert!(!name.contains(token.expose()), "{name}");
    assert_eq!(marks(&token_store), [(name.clone(), Some(false))]);
    token_store.switch(&name).unwrap();
}
