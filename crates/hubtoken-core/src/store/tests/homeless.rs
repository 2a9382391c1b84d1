//! Tests a store without a home folder: what reads finds nothing, what writes says why it cannot.

use super::*;

/// A user without a home folder, whatever the system says of the one that runs the tests.
fn homeless() -> TokenStore<'static> {
    TokenStore::new(
        &Paths::default(),
        Endpoint::parse(HUB).unwrap(),
        &NeverInterrupted,
    )
}

#[test]
fn what_reads_finds_nothing() {
    let token_store = homeless();
    assert!(listed(&token_store).is_empty());
    for missing in [
        token_store.switch("ci").map(drop),
        token_store.remove("ci").map(drop),
        token_store.rename("ci", "new").map(drop),
    ] {
        let Err(Error::TokenNotFound {
            message: problem, ..
        }) = missing
        else {
            unreachable!("nothing is stored");
        };
        assert!(problem.contains("no token is stored"), "{problem}");
    }
    assert!(token_store.remove_all().unwrap().names.is_empty());
    assert!(!token_store.remove_active().unwrap().active);
}

#[test]
fn what_writes_says_what_to_set() {
    let token_store = homeless();
    let saved = token_store.save("ci", &token("A"), &record(HUB, "alice"), false);
    for failed in [saved.map(drop), token_store.check_home()] {
        let Err(Error::Store(problem)) = failed else {
            unreachable!("there is no folder");
        };
        assert!(problem.contains("HF_HOME"), "{problem}");
    }
}
