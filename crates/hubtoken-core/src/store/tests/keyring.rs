//! Tests tokens whose values are in a keyring, with one in memory that fails when told so.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::store::keyring::memory::MemoryKeyring;
use crate::store::keyring::{Failure, KeyringAccess};
use crate::store::{IssuedFields, read, read_all};
use crate::token::RefreshToken;

pub(super) const MINUTE: Duration = Duration::from_mins(1);

pub(super) struct World {
    pub(super) home: tempfile::TempDir,
    pub(super) keyring: Arc<MemoryKeyring>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            keyring: Arc::default(),
        }
    }

    pub(super) fn store(&self) -> TokenStore<'static> {
        let access = KeyringAccess::of(self.keyring.clone(), MINUTE);
        token_store(self.home.path()).with_keyring(access)
    }

    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(self.home.path().join("stored_tokens")).unwrap_or_default()
    }

    /// Stores a token in the file, as the active one.
    pub(super) fn save(&self, name: &str, word: &str) {
        save(&self.store(), name, word, HUB);
    }

    pub(super) fn has_active(&self) -> bool {
        self.home.path().join("token").exists()
    }

    pub(super) fn in_keyring(&self) -> Vec<String> {
        let entries = listed(&self.store()).into_iter();
        let entries = entries.filter(|entry| entry.keyring.is_some());
        entries.map(|entry| entry.name).collect()
    }

    /// Whether the file has the value of a token.
    pub(super) fn file_has(&self, word: &str) -> bool {
        self.text().contains(token(word).expose())
    }
}

#[test]
fn a_token_moves_to_the_keyring_and_back() {
    let world = World::new();
    world.save("ci", "A");
    world.save("other", "B");
    world.store().switch("ci").unwrap();
    let moved = world.store().move_to_keyring("ci").unwrap();
    assert!(moved.changed && moved.was_active && moved.warnings.is_empty());
    assert_eq!(world.keyring.values(), [token("A").expose()]);
    assert!(!world.file_has("A") && world.file_has("B") && !world.has_active());
    assert_eq!(world.in_keyring(), ["ci"]);
    let entry = listed(&world.store())
        .into_iter()
        .find(|entry| entry.name == "ci");
    let entry = entry.unwrap();
    assert_eq!(entry.user.as_deref(), Some("alice"));
    assert!(
        entry
            .token
            .unwrap_err()
            .to_string()
            .contains("in the keyring")
    );
    assert!(!world.store().move_to_keyring("ci").unwrap().changed);

    let moved = world.store().move_to_file("ci").unwrap();
    assert!(moved.changed && moved.warnings.is_empty());
    assert!(world.file_has("A") && world.keyring.values().is_empty());
    assert!(!world.text().contains("hubtoken_keyring"));
    assert!(!world.store().move_to_file("ci").unwrap().changed);
    assert_eq!(world.store().switch("ci").unwrap().token, token("A"));
}

#[test]
fn a_login_stores_in_the_keyring_and_the_value_is_nowhere_else() {
    let world = World::new();
    world.save("ci", "A");
    let store = world.store().saving_in_keyring(true);
    let saved = store
        .save("ci", &token("A"), &record(HUB, "alice"), true)
        .unwrap();
    assert!(!saved.active && saved.in_keyring && saved.warnings.is_empty());
    assert!(!world.file_has("A") && !world.has_active());
    // Another login under the name replaces the item, here or in the file.
    let saved = store.save("ci", &token("B"), &record(HUB, "alice"), true);
    assert!(saved.unwrap().warnings.is_empty());
    assert_eq!(world.keyring.values(), [token("B").expose()]);
    world
        .store()
        .save("ci", &token("C"), &record(HUB, "alice"), true)
        .unwrap();
    assert!(world.keyring.values().is_empty() && world.file_has("C"));
    // An entry of another account is not replaced unasked.
    store
        .save("x", &token("D"), &record(HUB, "alice"), true)
        .unwrap();
    let other = world
        .store()
        .save("x", &token("E"), &record(HUB, "bob"), false);
    assert_ne!(other.unwrap().name, "x");
    assert_eq!(world.in_keyring(), ["x"]);
}

#[test]
fn a_value_with_two_names_stays_active_and_is_warned_about() {
    let world = World::new();
    world.save("one", "A");
    world.save("two", "A");
    let moved = world.store().move_to_keyring("one").unwrap();
    assert!(moved.warnings[0].contains("two"), "{:?}", moved.warnings);
    assert!(world.has_active() && world.file_has("A"));
    world.store().move_to_keyring("two").unwrap();
    assert!(!world.has_active() && !world.file_has("A"));
    assert_eq!(world.keyring.values().len(), 2);
}

#[test]
fn names_work_as_for_every_other_token() {
    let world = World::new();
    world.save("ci", "A");
    world.store().move_to_keyring("ci").unwrap();
    assert_eq!(world.store().rename("ci", "new").unwrap().name, "new");
    assert_eq!(world.in_keyring(), ["new"]);
    let error = world.store().switch("new").unwrap_err();
    assert!(matches!(&error, Error::Store(text) if text.contains("hubtoken move new --file")));
    let error = world.store().move_to_file("ci").unwrap_err().to_string();
    assert!(
        error.contains("no stored token `ci`") && error.contains("new"),
        "{error}"
    );
    let removed = world.store().remove("new").unwrap();
    assert_eq!(removed.names, ["new"]);
    assert_eq!(removed.tokens, [token("A").digest()]);
    assert!(world.keyring.values().is_empty() && world.text().is_empty());
}

#[test]
fn all_go_at_once_but_those_that_the_keyring_keeps() {
    let world = World::new();
    for (name, word) in [("a", "A"), ("b", "B"), ("c", "C")] {
        world.save(name, word);
    }
    world.store().move_to_keyring("a").unwrap();
    world.store().move_to_keyring("b").unwrap();
    world.keyring.fail(Some(Failure::Locked));
    let error = world.store().remove("a").unwrap_err().to_string();
    assert!(
        error.contains("locked") && error.contains("stays stored"),
        "{error}"
    );
    let removed = world.store().remove_all().unwrap();
    assert_eq!(removed.names, ["c"]);
    assert_eq!(removed.warnings.len(), 2);
    assert_eq!(world.in_keyring(), ["a", "b"]);
    world.keyring.fail(None);
    assert_eq!(world.store().remove_all().unwrap().names, ["a", "b"]);
    assert!(world.keyring.values().is_empty());
}

#[test]
fn a_keyring_that_fails_leaves_the_token_where_it_is() {
    for (failure, words) in [
        (Failure::InCi, "CI"),
        (Failure::Absent("none".to_owned()), "no keyring service"),
        (Failure::Locked, "locked"),
        (Failure::Dismissed, "dismissed"),
        (Failure::Silent(MINUTE), "has not answered for 60 seconds"),
        (
            Failure::Other("failed (x)".to_owned()),
            "the keyring failed (x)",
        ),
    ] {
        let world = World::new();
        world.save("ci", "A");
        world.keyring.fail(Some(failure));
        let error = world.store().move_to_keyring("ci").unwrap_err();
        assert!(
            matches!(&error, Error::Store(text) if text.contains(words)),
            "{error}"
        );
        assert!(world.file_has("A") && world.has_active() && world.in_keyring().is_empty());
        // The next move heals what is left.
        world.keyring.fail(None);
        assert!(!world.store().move_to_file("ci").unwrap().changed);
        assert!(!world.text().contains("hubtoken_keyring"));
        world.store().move_to_keyring("ci").unwrap();
        assert_eq!(world.keyring.values().len(), 1);
    }
}

#[test]
fn a_crash_at_any_step_leaves_the_token_and_the_next_move_heals() {
    // What the files and the keyring have after each step of both moves, as if it were the last.
    let world = World::new();
    world.save("ci", "A");
    let before = world.text();
    world.store().move_to_keyring("ci").unwrap();
    let (after, items) = (world.text(), world.keyring.items.lock().unwrap().clone());
    let field = after
        .lines()
        .find(|line| line.starts_with("hubtoken_keyring"));
    let announced = before.replacen("\n\n", &format!("\n{}\n\n", field.unwrap()), 1);
    for (text, has_item) in [
        (&before, false),
        (&announced, false),
        (&announced, true),
        (&after, true),
    ] {
        for to_keyring in [true, false] {
            let path = world.home.path().join("stored_tokens");
            std::fs::write(&path, text).unwrap();
            let items = if has_item {
                items.clone()
            } else {
                HashMap::default()
            };
            *world.keyring.items.lock().unwrap() = items;
            let store = world.store();
            let moved = if to_keyring {
                store.move_to_keyring("ci")
            } else {
                store.move_to_file("ci")
            };
            assert!(moved.unwrap().warnings.is_empty(), "{text}");
            assert_eq!(world.file_has("A"), !to_keyring);
            assert_eq!(world.keyring.values().len(), usize::from(to_keyring));
            assert_eq!(world.text().contains("hubtoken_keyring"), to_keyring);
            assert_eq!(read_all(&path).unwrap().len(), 1);
            assert_eq!(read(&path).unwrap().len(), usize::from(!to_keyring));
        }
    }
}

#[test]
fn of_two_moves_at_once_one_completes_and_the_value_is_never_lost() {
    let world = World::new();
    world.save("ci", "A");
    // While the first move waits for the keyring, a second one takes place.
    let (home, keyring) = (world.home.path().to_owned(), Arc::downgrade(&world.keyring));
    let mut second = Some(());
    let second = std::sync::Mutex::new(second.take());
    let before = move |operation: &str| {
        let first = second.lock().unwrap().take();
        if operation != "write" || first.is_none() {
            return;
        }
        let keyring = Arc::new(MemoryKeyring {
            items: std::sync::Mutex::default(),
            ..MemoryKeyring::default()
        });
        let store = token_store(&home).with_keyring(KeyringAccess::of(keyring.clone(), MINUTE));
        store.move_to_keyring("ci").unwrap();
        store.move_to_file("ci").unwrap();
        drop(store);
    };
    drop(keyring);
    *world.keyring.before.lock().unwrap() = Some(Box::new(before));
    let error = world.store().move_to_keyring("ci").unwrap_err().to_string();
    assert!(error.contains("meanwhile"), "{error}");
    assert!(world.file_has("A") && world.keyring.values().is_empty());
}

#[test]
fn a_changed_or_missing_value_is_not_taken_back() {
    for value in [
        None,
        Some("hf_SomethingElseFakeFakeFakeFakeFakeXX"),
        Some(""),
    ] {
        let world = World::new();
        world.save("ci", "A");
        world.store().move_to_keyring("ci").unwrap();
        let mut items = world.keyring.items.lock().unwrap();
        match value {
            None => items.clear(),
            Some(value) => items.values_mut().for_each(|item| value.clone_into(item)),
        }
        drop(items);
        let error = world.store().move_to_file("ci").unwrap_err().to_string();
        assert!(
            error.contains("any more") && !error.contains("Fake"),
            "{error}"
        );
        assert_eq!(world.in_keyring(), ["ci"]);
    }
}

#[test]
fn a_token_that_renews_itself_stays_in_the_file() {
    let world = World::new();
    let issued = IssuedFields {
        issued_at: None,
        refresh_token: Some(RefreshToken::parse("hf_refresh_FakeFakeFakeFake").unwrap()),
        expires_at: Some(4_000_000_000),
    };
    let save = |store: TokenStore<'_>| {
        store.save_issued("o", &token("A"), Some(&issued), &record(HUB, "alice"), true)
    };
    save(world.store()).unwrap();
    for refused in [
        world.store().move_to_keyring("o").map(drop),
        save(world.store().saving_in_keyring(true)).map(drop),
        world
            .store()
            .saving_in_keyring(true)
            .save("o", &token("A"), &record(HUB, "alice"), true)
            .map(drop),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("renews itself") && !error.contains("Fake"),
            "{error}"
        );
    }
    assert!(world.text().contains("refresh_token") && world.keyring.values().is_empty());
}
