//! Tests the storing of tokens that were created for a job.

use super::*;
use crate::store::ini;
use crate::token::Digest;

fn value(home: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(home.join("stored_tokens")).unwrap();
    let sections = ini::parse(&text).unwrap();
    let section = sections.iter().find(|section| section.name == name)?;
    section.get("hf_token").map(|value| value.to_string())
}

#[test]
fn it_becomes_no_active_token_and_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    save(&token_store, "laptop", "A", HUB);
    token_store.check_addition(Some("ci")).unwrap();
    assert_eq!(names(&token_store), [("laptop".to_owned(), true)]);
    let added = token_store
        .add("ci", &token("B"), &record(HUB, "acme--ci"))
        .unwrap();
    assert_eq!((added.names, added.active), (vec!["ci".to_owned()], false));
    assert_eq!(
        names(&token_store),
        [("ci".to_owned(), false), ("laptop".to_owned(), true)]
    );
    for name in ["ci", "laptop"] {
        let error = token_store.check_addition(Some(name));
        assert!(matches!(error, Err(Error::NameTaken(_))));
        let error = token_store.add(name, &token("C"), &record(HUB, "acme--ci"));
        assert!(matches!(error, Err(Error::NameTaken(_))));
    }
    let secret = token_store.check_addition(Some(token("D").expose()));
    assert!(matches!(secret, Err(Error::TokenFormat(_))));
    assert_eq!(value(folder.path(), "ci").unwrap(), token("B").expose());
}

#[test]
fn a_check_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    token_store.check_addition(None).unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| name.to_string_lossy().contains("lock")),
        "{left:?}"
    );
    std::fs::create_dir(folder.path().join("stored_tokens")).unwrap();
    assert!(matches!(
        token_store.check_addition(None),
        Err(Error::Store(_))
    ));
}

#[test]
fn a_new_value_follows_the_old_one_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let account = record(HUB, "acme--ci");
    token_store.add("ci", &token("old"), &account).unwrap();
    token_store.add("copy", &token("old"), &account).unwrap();
    token_store.add("other", &token("B"), &account).unwrap();
    let old = token("old").digest();
    let added = token_store
        .replace_value(old, &token("new"), &account)
        .unwrap();
    assert_eq!(
        (added.names, added.active),
        (vec!["ci".into(), "copy".into()], false)
    );
    for name in ["ci", "copy"] {
        assert_eq!(value(folder.path(), name).unwrap(), token("new").expose());
    }
    assert_eq!(value(folder.path(), "other").unwrap(), token("B").expose());
    // The active token is one of the places.
    token_store.switch("other").unwrap();
    let added = token_store
        .replace_value(token("B").digest(), &token("C"), &account)
        .unwrap();
    assert!(added.active);
    let active = std::fs::read_to_string(folder.path().join("token")).unwrap();
    assert_eq!(active, token("C").expose());
    // What is stored nowhere is no error.
    let added = token_store
        .replace_value(old, &token("D"), &account)
        .unwrap();
    assert!(added.names.is_empty());
    let text = std::fs::read_to_string(folder.path().join("stored_tokens")).unwrap();
    assert!(!text.contains(token("D").expose()) && !text.contains(token("old").expose()));
}

#[test]
fn the_values_of_an_account_are_those_of_its_hub() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    for (name, word, endpoint, user) in [
        ("a", "1111", HUB, "acme--ci"),
        ("b", "2222", HUB, "acme--ci"),
        ("c", "3333", TEAM, "acme--ci"),
        ("d", "4444", HUB, "acme--other"),
    ] {
        let record = record(endpoint, user);
        token_store.add(name, &token(word), &record).unwrap();
    }
    let endpoint = Endpoint::parse(HUB).unwrap();
    let of = |last: Option<&str>, manager: Digest| {
        let found = token_store
            .values_of(&endpoint, "acme--ci", last, manager)
            .unwrap();
        (found.0, found.1.len())
    };
    let other = token("5555").digest();
    assert_eq!(of(None, token("2222").digest()), (vec!["a".into()], 1));
    assert_eq!(of(None, other), (vec!["a".into(), "b".into()], 2));
    assert_eq!(of(Some("2222"), other), (vec!["b".into()], 1));
    assert_eq!(of(Some("4444"), other), (vec![], 0));
}
