//! Tests many concurrent processes.

use std::process::{Child, Command, Stdio};

use super::*;
use crate::env::{self, ProcessEnvironment};

/// The variables that turn this test binary into one of the processes.
const HOME: &str = "HUBTOKEN_TEST_STORE";
const WORD: &str = "HUBTOKEN_TEST_WORD";
/// How often each process logs in and out.
const ROUNDS: usize = 3;

/// Runs [`a_process`] in a separate process.
fn spawn(home: &Path, word: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::crowd::a_process"])
        .env(HOME, home)
        .env(WORD, word)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Logs in, switches and logs out. Does nothing when run as a test.
#[test]
fn a_process() {
    let variable = |name| env::text(&ProcessEnvironment, name);
    let (Some(home), Some(word)) = (variable(HOME), variable(WORD)) else {
        return;
    };
    let token_store = token_store(Path::new(&home));
    for round in 0..ROUNDS {
        let passing = format!("{word}-passing-{round}");
        save(&token_store, &passing, &format!("P{word}{round}"), HUB);
        token_store.switch("first").unwrap();
        token_store.remove(&passing).unwrap();
    }
    save(&token_store, &word, &word, HUB);
}

#[test]
fn many_processes_lose_nothing() {
    let folder = quick_folder();
    let token_store = token_store(folder.path());
    save(&token_store, "first", "first", HUB);
    let words: Vec<String> = (0..100).map(|number| format!("w{number}")).collect();
    let children: Vec<Child> = words
        .iter()
        .map(|word| spawn(folder.path(), word))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut found: Vec<String> = names(&token_store)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let mut expected: Vec<String> = words.into_iter().chain(["first".to_owned()]).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
