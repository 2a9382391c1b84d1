//! Tests what each verb does to tokens in a keyring: nothing is left there, and nothing lost.

use std::collections::HashSet;

use super::keyring::{MINUTE, World};
use super::*;
use crate::store::keyring::Failure;

/// A world with these tokens in the keyring.
fn in_keyring(tokens: &[(&str, &str)]) -> World {
    let world = World::new();
    for (name, word) in tokens {
        world.save(name, word);
        world.store().move_to_keyring(name).unwrap();
    }
    world
}

#[test]
fn the_keyring_shows_the_new_name_of_a_renamed_token() {
    let world = in_keyring(&[("ci", "A")]);
    assert_eq!(world.keyring.names(), ["ci"]);
    let renamed = world.store().rename("ci", "new").unwrap();
    assert!(renamed.warnings.is_empty());
    assert_eq!(world.keyring.names(), ["new"]);
    assert_eq!(world.keyring.values(), [token("A").expose()]);
    // Whatever the keyring says, the token has its new name, and the next time shows it.
    for failure in [
        Failure::InCi,
        Failure::Absent("none".to_owned()),
        Failure::Locked,
        Failure::Dismissed,
        Failure::Silent(MINUTE),
    ] {
        world.keyring.fail(Some(failure.clone()));
        let renamed = world.store().rename("new", "newer").unwrap();
        let [warning] = &renamed.warnings[..] else {
            panic!("{:?}", renamed.warnings);
        };
        assert!(warning.contains("`newer` now") && warning.contains(&failure.sentence()));
        assert!(warning.contains("`hubtoken rename newer newer`"));
        assert_eq!(world.in_keyring(), ["newer"]);
        world.keyring.fail(None);
        assert_eq!(world.keyring.names(), ["new"]);
        let again = world.store().rename("newer", "newer").unwrap();
        assert!(again.warnings.is_empty());
        assert_eq!(world.keyring.names(), ["newer"]);
        world.store().rename("newer", "new").unwrap();
    }
}

#[test]
fn a_value_that_the_keyring_has_as_well_is_said_to_be_stored_there() {
    let world = in_keyring(&[("kept", "A")]);
    world.save("gone", "A");
    assert!(world.has_active());
    let removed = world.store().remove("gone").unwrap();
    assert_eq!(removed.also_stored_as, ["kept"]);
    // What is in the keyring is in no file.
    assert!(removed.active && !world.has_active() && !world.file_has("A"));
    world.save("file", "A");
    let removed = world.store().remove("kept").unwrap();
    assert_eq!(removed.also_stored_as, ["file"]);
    assert!(!removed.active && world.has_active() && world.keyring.values().is_empty());
}

#[test]
fn the_active_token_goes_from_the_keyring_as_well() {
    let world = in_keyring(&[("copy", "A"), ("other", "B")]);
    world.save("ci", "A");
    world.keyring.fail(Some(Failure::Locked));
    let removed = world.store().remove_active().unwrap();
    assert_eq!(removed.names, ["ci"]);
    assert!(removed.active && removed.warnings[0].contains("`copy`"));
    assert!(removed.warnings[0].contains("stays stored"));
    assert_eq!(world.in_keyring(), ["copy", "other"]);
    world.keyring.fail(None);
    world.save("ci", "A");
    let removed = world.store().remove_active().unwrap();
    assert_eq!(removed.names, ["ci", "copy"]);
    assert_eq!(world.keyring.values(), [token("B").expose()]);
    assert_eq!(world.in_keyring(), ["other"]);
}

#[test]
fn revoked_values_are_found_by_their_digests() {
    let world = in_keyring(&[("a", "A"), ("b", "B"), ("c", "C")]);
    let values =
        |words: &[&str]| -> HashSet<_> { words.iter().map(|word| token(word).digest()).collect() };
    let removed = world.store().remove_values(&values(&["A", "X"])).unwrap();
    assert_eq!(removed.names, ["a"]);
    assert_eq!(world.in_keyring(), ["b", "c"]);
    assert_eq!(world.keyring.values().len(), 2);
    // They are dead, so their names go even if the keyring keeps them, which is asked once.
    world.keyring.fail(Some(Failure::Silent(MINUTE)));
    *world.keyring.before.lock().unwrap() = Some({
        let asked = std::sync::atomic::AtomicBool::new(false);
        Box::new(move |_| {
            let again = asked.swap(true, std::sync::atomic::Ordering::Relaxed);
            assert!(!again, "a keyring that hangs was asked again");
        })
    });
    let removed = world.store().remove_values(&values(&["B", "C"])).unwrap();
    assert_eq!((removed.names.len(), removed.warnings.len()), (2, 2));
    assert!(removed.warnings[0].contains("may still be in the keyring"));
    assert!(world.in_keyring().is_empty());
}

#[test]
fn a_rotated_value_takes_the_place_of_the_old_one_in_the_keyring() {
    let world = in_keyring(&[("ci", "old")]);
    let (old, account) = (token("old").digest(), record(HUB, "acme--ci"));
    let added = world.store().replace_value(old, &token("new"), &account);
    let added = added.unwrap();
    assert_eq!((added.names, added.warnings), (vec!["ci".into()], vec![]));
    assert_eq!(world.keyring.values(), [token("new").expose()]);
    assert!(!world.file_has("new"));
    assert_eq!(world.in_keyring(), ["ci"]);
    // A value that nobody can ask for again is stored in any case.
    world.keyring.fail(Some(Failure::Locked));
    let new = token("new").digest();
    let added = world.store().replace_value(new, &token("last"), &account);
    let warnings = added.unwrap().warnings;
    assert!(warnings[0].contains("is in the file") && warnings[0].contains("locked"));
    assert!(warnings[1].contains("may still be in the keyring"));
    assert!(world.file_has("last") && world.in_keyring().is_empty());
}

#[test]
fn the_values_of_an_account_are_also_those_in_the_keyring() {
    let world = in_keyring(&[("a", "1111"), ("b", "2222")]);
    let endpoint = Endpoint::parse(HUB).unwrap();
    let other = token("5555").digest();
    let of = |last| world.store().values_of(&endpoint, "alice", last, other);
    assert_eq!(of(None).unwrap().0, ["a", "b"]);
    assert_eq!(of(Some("2222")).unwrap().0, ["b"]);
    world.keyring.fail(Some(Failure::Locked));
    assert_eq!(of(None).unwrap().0, ["a", "b"]);
    let error = of(Some("2222")).unwrap_err().to_string();
    assert!(error.contains("the keyring is locked"), "{error}");
}
