//! Tests stored tokens whose values are in the system's keyring.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::store::keyring::memory::MemoryKeyring;
use crate::store::keyring::{Failure, KeyringAccess, KeyringItem};
use crate::token::Token;
use crate::token_reference::TokenReference;

struct World {
    machine: Machine,
    keyring: Arc<MemoryKeyring>,
}

impl World {
    /// A machine with the token `ci` in the keyring.
    fn new() -> Self {
        let world = Self {
            machine: Machine::new(),
            keyring: Arc::default(),
        };
        let item = KeyringItem::new(&Token::parse(FIRST).unwrap().unwrap()).unwrap();
        let section = format!("[ci]\nhubtoken_keyring = {}\n\n", item.to_text());
        world
            .machine
            .write(".cache/huggingface/stored_tokens", section);
        let mut items = world.keyring.items.lock().unwrap();
        items.insert(item.id, FIRST.to_owned());
        drop(items);
        world
    }

    fn inputs(&self) -> Inputs<'_> {
        let mut inputs = self.machine.inputs();
        inputs.slow_sources.keyring =
            KeyringAccess::of(self.keyring.clone(), Duration::from_mins(1));
        inputs
    }

    fn by_name(&self) -> Result<Arc<Credential>, Error> {
        let request = Request {
            profile: Some("ci"),
            ..AMBIENT
        };
        let found = self.machine.resolver.resolve(&request, &self.inputs())?;
        Ok(found.credential.unwrap())
    }

    fn must_not_be_asked(&self) {
        *self.keyring.before.lock().unwrap() = Some(Box::new(|_| panic!("the keyring was asked")));
    }
}

#[test]
fn a_token_in_the_keyring_is_found_by_its_name_and_asked_for_once() {
    let world = World::new();
    let found = world.by_name().unwrap();
    assert_eq!(found.token.expose(), FIRST);
    assert_eq!(found.source, Source::Keyring("ci".to_owned()));
    assert_eq!(found.source.to_string(), "keyring:ci");
    world.must_not_be_asked();
    assert_eq!(world.by_name().unwrap().token, found.token);
    // Nor is it asked for anything that another source has.
    let mut other = World::new();
    other.must_not_be_asked();
    other.machine.set("HF_TOKEN", SECOND);
    let found = other.machine.resolver.resolve(&AMBIENT, &other.inputs());
    assert_eq!(found.unwrap().credential.unwrap().token.expose(), SECOND);
    assert!(
        other
            .machine
            .resolver
            .explain(&AMBIENT, &other.inputs())
            .is_ok()
    );
}

#[test]
fn a_profile_in_the_keyring_is_found_and_not_asked_to_tell_what_is_in_effect() {
    let world = World::new();
    world
        .machine
        .write("project/hubtoken.toml", "profile = \"ci\"");
    world.must_not_be_asked();
    let in_effect = world.machine.resolver.in_effect(&world.inputs()).unwrap();
    assert_eq!(in_effect.source().unwrap().profile(), Some("ci"));
    assert!(in_effect.describe().unwrap().contains("was not asked"));
    *world.keyring.before.lock().unwrap() = None;
    let found = world
        .machine
        .resolver
        .resolve(&AMBIENT, &world.inputs())
        .unwrap();
    let found = found.credential.unwrap();
    assert_eq!(found.token.expose(), FIRST);
    assert!(matches!(found.source, Source::Configuration { .. }));
}

#[test]
fn a_keyring_that_fails_stops_the_chain_and_says_why() {
    for failure in [
        Failure::Absent("none".to_owned()),
        Failure::Locked,
        Failure::Dismissed,
        Failure::Other("failed".to_owned()),
    ] {
        let world = World::new();
        world.keyring.fail(Some(failure.clone()));
        let error = world.by_name().unwrap_err();
        assert!(matches!(error, Error::Store(_)));
        let message = error.to_string();
        assert!(
            message.contains("`ci`") && message.contains(&failure.sentence()),
            "{message}"
        );
        // A failure is not cached.
        world.keyring.fail(None);
        world.by_name().unwrap();
    }
    let world = World::new();
    world.keyring.items.lock().unwrap().clear();
    let message = world.by_name().unwrap_err().to_string();
    assert!(
        message.contains("hubtoken login --keyring --name ci"),
        "{message}"
    );
    let world = World::new();
    let mut items = world.keyring.items.lock().unwrap();
    items
        .values_mut()
        .for_each(|value| SECOND.clone_into(value));
    drop(items);
    let message = world.by_name().unwrap_err().to_string();
    assert!(
        message.contains("another value") && !message.contains("Fake"),
        "{message}"
    );
}

#[test]
fn a_pickle_does_not_ask_the_keyring() {
    let world = World::new();
    let reference = TokenReference::of(&world.by_name().unwrap());
    world.must_not_be_asked();
    // This process has the value already.
    let found = world.machine.resolver.restore(&reference, &world.inputs());
    assert_eq!(found.unwrap().token.expose(), FIRST);
    let fresh = Resolver::default();
    let error = fresh.restore(&reference, &world.inputs()).unwrap_err();
    assert!(error.to_string().contains("in the keyring"), "{error}");
}
