//! Tests the deadline, the interrupt and CI, and what each failure says.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::memory::MemoryKeyring;
use super::*;
use crate::env::StaticEnvironment;
use crate::interrupt::NeverInterrupted;

/// A keyring that never answers, as long as its sender lives.
fn silent() -> (std::sync::mpsc::Sender<()>, Arc<MemoryKeyring>) {
    let (sender, receiver): (_, Receiver<()>) = channel();
    let receiver = Mutex::new(receiver);
    let keyring = MemoryKeyring::default();
    *keyring.before.lock().unwrap() = Some(Box::new(move |_| {
        let _ = receiver.lock().unwrap().recv();
    }));
    (sender, Arc::new(keyring))
}

struct AlwaysInterrupted;

impl Interrupt for AlwaysInterrupted {
    fn is_set(&self) -> bool {
        true
    }
}

#[test]
fn a_keyring_that_never_answers_is_not_waited_for_beyond_the_deadline() {
    let (_sender, keyring) = silent();
    let access = KeyringAccess::of(keyring, Duration::from_millis(20));
    let failure = access.value("id", &NeverInterrupted).unwrap_err();
    assert!(matches!(failure, Failure::Silent(_)));
    assert!(failure.sentence().contains("HUBTOKEN_SOURCE_TIMEOUT"));
    let (_sender, keyring) = silent();
    let access = KeyringAccess::of(keyring, Duration::from_hours(1));
    let failure = access.value("id", &AlwaysInterrupted).unwrap_err();
    assert!(matches!(failure.into_error(), Error::Interrupted));
}

#[test]
fn a_value_that_does_not_come_back_is_not_stored() {
    struct Forgetful;
    impl Keyring for Forgetful {
        fn write(&self, _: &str, _: &Label, _: &str) -> Result<(), Failure> {
            Ok(())
        }
        fn relabel(&self, _: &str, _: &Label) -> Result<(), Failure> {
            Ok(())
        }
        fn read(&self, _: &str) -> Result<Option<Zeroizing<String>>, Failure> {
            Ok(None)
        }
        fn delete(&self, _: &str) -> Result<(), Failure> {
            Ok(())
        }
    }
    let access = KeyringAccess::of(Arc::new(Forgetful), Duration::from_mins(1));
    let label = Label {
        name: "ci".to_owned(),
        endpoint: "https://huggingface.co".to_owned(),
    };
    let failure = access.write("id", label, "hf_Fake", &NeverInterrupted);
    let sentence = failure.unwrap_err().sentence();
    assert!(sentence.contains("did not return") && !sentence.contains("Fake"));
}

#[test]
fn nobody_is_asked_in_ci_or_with_a_broken_setting() {
    for (value, is_ci) in [
        ("true", true),
        ("1", true),
        ("woodpecker", true),
        ("false", false),
        ("0", false),
        (" ", false),
    ] {
        let access = KeyringAccess::read(&StaticEnvironment::from([("CI", value)]));
        assert_eq!(
            matches!(access.open(), Err(Failure::InCi)),
            is_ci,
            "{value}"
        );
    }
    let broken = StaticEnvironment::from([("HUBTOKEN_SOURCE_TIMEOUT", "soon")]);
    let failure = KeyringAccess::read(&broken).open().err().unwrap();
    assert!(matches!(failure.into_error(), Error::Configuration(_)));
}

#[test]
fn every_failure_says_what_to_do_and_shows_no_secret() {
    let secret = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
    for failure in [
        Failure::InCi,
        Failure::Absent(secret.to_owned()),
        Failure::Locked,
        Failure::Dismissed,
        Failure::Silent(Duration::from_mins(1)),
        Failure::Other(secret.to_owned()),
    ] {
        let sentence = failure.sentence();
        assert!(!sentence.contains("FakeFake"), "{sentence}");
        assert!(!sentence.ends_with('.'), "{sentence}");
    }
}
