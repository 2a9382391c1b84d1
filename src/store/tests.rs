//! The verbs, alone and by many processes at once, and what a kill leaves behind.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::endpoints::Record;
use super::machine::Machine;
use crate::endpoint::Endpoint;
use crate::env::{self, Fixed, ProcessEnvironment};
use crate::error::Error;
use crate::paths::Paths;
use crate::token::Token;

const HUB: &str = "https://huggingface.co";
const TEAM: &str = "https://hub.example";

fn machine(home: &Path) -> Machine {
    let environment = Fixed::from([("HOME", "/nowhere"), ("HF_HOME", home.to_str().unwrap())]);
    Machine::new(&Paths::new(&environment), Endpoint::parse(HUB).unwrap()).unwrap()
}

fn token(word: &str) -> Token {
    Token::parse(&format!("hf_FakeFakeFakeFakeFakeFakeFake{word}"))
        .unwrap()
        .unwrap()
}

fn record(endpoint: &str, user: &str) -> Record {
    Record {
        endpoint: Endpoint::parse(endpoint).unwrap(),
        user: Some(user.to_owned()),
        role: Some("write".to_owned()),
        created_at: Some(1),
        expires_at: None,
    }
}

fn save(machine: &Machine, name: &str, word: &str, endpoint: &str) -> String {
    let saved = machine.save(name, &token(word), &record(endpoint, "alice"), false);
    saved.unwrap().names.remove(0)
}

fn names(machine: &Machine) -> Vec<(String, bool)> {
    let entries = machine.list().unwrap().into_iter();
    entries.map(|entry| (entry.name, entry.active)).collect()
}

#[test]
fn the_verbs() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("new");
    let machine = machine(&home);
    assert!(machine.list().unwrap().is_empty());
    save(&machine, "ci", "A", HUB);
    save(&machine, "laptop", "B", HUB);
    assert_eq!(
        names(&machine),
        [("ci".to_owned(), false), ("laptop".to_owned(), true)]
    );
    machine.switch("ci").unwrap();
    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(read("token"), token("A").expose());
    assert_eq!(machine.rename("ci", "DEFAULT").unwrap(), "DEFAULT~89dbf710");
    assert!(matches!(
        machine.rename("laptop", "DEFAULT"),
        Err(Error::InvalidArgument(_))
    ));
    assert!(machine.remove("DEFAULT~89dbf710").unwrap().active);
    assert!(!home.join("token").exists());
    assert!(!read("hubtoken_endpoints.json").contains("hf_"));
    assert_eq!(read("hubtoken_endpoints.json").matches("alice").count(), 1);
    assert_eq!(machine.remove_all().unwrap().names, ["laptop"]);
    assert!(!home.join("stored_tokens").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        save(&machine, "ci", "A", HUB);
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
    let machine = machine(folder.path());
    save(&machine, "ci", "A", HUB);
    let name = save(&machine, "ci", "B", TEAM);
    assert!(name.starts_with("ci-alice~"), "{name}");
    assert_eq!(
        names(&machine),
        [("ci".to_owned(), true), (name.clone(), false)]
    );
    assert_eq!(machine.list().unwrap()[1].endpoint.as_str(), TEAM);
    assert!(matches!(
        machine.switch(&name),
        Err(Error::UntrustedEndpoint(_))
    ));
}

#[test]
fn a_broken_file_is_set_aside_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let path = folder.path().join("stored_tokens");
    for (number, content) in ["hf_FakeSecret", "[a]\nhf_FakeSecret", "\u{feff}[a]"]
        .iter()
        .enumerate()
    {
        std::fs::write(&path, content).unwrap();
        let Err(problem) = machine.list() else {
            unreachable!("{content} was read");
        };
        assert!(!problem.to_string().contains("hf_Fake"), "{problem}");
        let saved = machine
            .save("ci", &token("A"), &record(HUB, "alice"), false)
            .unwrap();
        let aside = folder
            .path()
            .join(format!("stored_tokens.broken-{}", number + 1));
        assert!(saved.warnings[0].contains(aside.to_str().unwrap()));
        assert!(!saved.warnings[0].contains("hf_Fake"));
        assert_eq!(std::fs::read_to_string(aside).unwrap(), *content);
        assert_eq!(names(&machine), [("ci".to_owned(), true)]);
    }
}

#[test]
fn a_broken_file_stays_where_a_name_is_looked_for_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let path = folder.path().join("stored_tokens");
    std::fs::write(&path, "[a]\nhf_FakeSecret").unwrap();
    assert!(matches!(machine.remove("a"), Err(Error::Store(_))));
    assert!(matches!(machine.rename("a", "b"), Err(Error::Store(_))));
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "[a]\nhf_FakeSecret"
    );
    assert!(!folder.path().join("stored_tokens.broken-1").exists());
}

/// The variables that make this test's binary one of many processes.
const HOME: &str = "HUBTOKEN_TEST_STORE";
const WORD: &str = "HUBTOKEN_TEST_WORD";

/// Runs [`a_process`] in a process of its own.
fn spawn(home: &Path, word: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::a_process"])
        .env(HOME, home)
        .env(WORD, word)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Logs in and out and switches for as long as it is told; nothing when run as a test.
#[test]
fn a_process() {
    let variable = |name| env::text(&ProcessEnvironment, name);
    let (Some(home), Some(word)) = (variable(HOME), variable(WORD)) else {
        return;
    };
    let machine = machine(Path::new(&home));
    let endless = word == "endless";
    let mut round = 0;
    while endless || round < 3 {
        round += 1;
        let passing = format!("{word}-passing-{}", round % 7);
        save(&machine, &passing, &format!("P{word}{round}"), HUB);
        machine.switch("first").unwrap();
        machine.remove(&passing).unwrap();
    }
    save(&machine, &word, &word, HUB);
}

#[test]
fn many_processes_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    save(&machine, "first", "first", HUB);
    let words: Vec<String> = (0..100).map(|number| format!("w{number}")).collect();
    let children: Vec<Child> = words
        .iter()
        .map(|word| spawn(folder.path(), word))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut found: Vec<String> = names(&machine).into_iter().map(|(name, _)| name).collect();
    let mut expected: Vec<String> = words.into_iter().chain(["first".to_owned()]).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_kill_leaves_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    save(&machine, "first", "first", HUB);
    for number in 0..40_u64 {
        let mut child = spawn(folder.path(), "endless");
        std::thread::sleep(Duration::from_micros(5_000 + number * 733));
        child.kill().unwrap();
        child.wait().unwrap();
        let entries = machine.list().unwrap();
        assert!(entries.iter().any(|entry| entry.name == "first"));
        assert!(entries.iter().all(|entry| entry.token.is_ok()));
        let active = std::fs::read_to_string(folder.path().join("token")).unwrap();
        assert!(active.starts_with("hf_FakeFakeFakeFakeFakeFakeFake"));
    }
    save(&machine, "last", "last", HUB);
    let left = std::fs::read_dir(folder.path()).unwrap();
    let new = left.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("hubtoken-new")
    });
    assert_eq!(new.count(), 0);
}
