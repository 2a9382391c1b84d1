//! A process that is killed at any time while it renews a login loses nothing.
//!
//! A child renews the same login again and again and is killed at a random time. Afterwards the files
//! are whole, and the next process can renew the login: what it finds is either the latest refresh
//! token, or the one before, whose answer was on its way.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hubtoken_core::credential::Credential;
use hubtoken_core::env::{self, ProcessEnvironment, StaticEnvironment};
use hubtoken_core::identity::client::Client;
use hubtoken_core::interrupt::NeverInterrupted;
use hubtoken_core::oauth::RenewalSettings;
use hubtoken_core::resolve::{Argument, Inputs, Request, Resolver};

use crate::support::issuer::{Issuer, access, refresh};

/// The number of kills, and the variable that overrides it.
const KILLS: u64 = 10;
const KILLS_VARIABLE: &str = "TEST_CRASHES";
/// A kill comes at most this many renewals after the first one began.
const LATEST: u32 = 3;

const HOME: &str = "HUBTOKEN_TEST_KILLED";
const HUB: &str = "HUBTOKEN_TEST_KILLED_HUB";

fn environment(home: &str, hub: &str) -> StaticEnvironment {
    StaticEnvironment::from([
        ("HOME", "/nowhere"),
        ("HF_HOME", home),
        ("HF_ENDPOINT", hub),
    ])
}

/// The active token, as a new process finds and renews it.
fn renewed(home: &str, hub: &str) -> Arc<Credential> {
    let environment = environment(home, hub);
    let request = Request {
        argument: Argument::Ambient,
        endpoint: None,
        profile: None,
    };
    let inputs = Inputs::read(&environment, None);
    let found = Resolver::default().resolve(&request, &inputs);
    let found = found.expect("a token").credential.expect("a token");
    let client = Client::default();
    let settings = || RenewalSettings::read(&environment);
    let current = client.renewed(&found, settings, &NeverInterrupted);
    let current = current.expect("the login lives");
    assert_eq!(current.warnings, [""; 0]);
    current.credential
}

/// Renews until it is killed. Does nothing when run as a test.
#[test]
fn a_process_that_is_killed() {
    let variable = |name| env::text(&ProcessEnvironment, name);
    let (Some(home), Some(hub)) = (variable(HOME), variable(HUB)) else {
        return;
    };
    // Not captured by the test harness, unlike `println!`.
    let mut parent = std::io::stdout();
    loop {
        parent.write_all(b"@begin\n").expect("a parent");
        renewed(&home, &hub);
    }
}

fn kill_one(home: &str, hub: &str, after: Duration) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "renewal_kills::a_process_that_is_killed"])
        .env(HOME, home)
        .env(HUB, hub)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let begun = lines.any(|line| line.is_ok_and(|line| line == "@begin"));
    assert!(begun, "the child did not begin");
    thread::sleep(after);
    child.kill().expect("a child that runs");
    child.wait().expect("its end");
}

#[test]
fn a_kill_at_any_moment_of_a_renewal_loses_no_login() {
    let kills = env::text(&ProcessEnvironment, KILLS_VARIABLE)
        .map_or(KILLS, |number| number.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().to_str().expect("text");
    let issuer = Issuer::start();
    let stored = format!(
        "[oauth-alice]\nhf_token = {}\nrefresh_token = {}\nexpires_at = 1\n\n",
        access(0),
        refresh(0)
    );
    fs::write(folder.path().join("stored_tokens"), stored).expect("a file");
    fs::write(folder.path().join("token"), access(0)).expect("a file");
    let started = Instant::now();
    renewed(home, issuer.endpoint());
    let latest = started.elapsed() * LATEST;
    for kill in 0..kills {
        let mut random = [0; 4];
        getrandom::fill(&mut random).expect("random bytes");
        let part = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        kill_one(home, issuer.endpoint(), latest.mul_f64(part));
        let found = renewed(home, issuer.endpoint());
        let (number, refused) = issuer.counts();
        assert_eq!(refused, 0, "kill {kill}");
        assert_eq!(found.token.expose(), access(number), "kill {kill}");
        check_files(folder.path(), number);
    }
}

/// The files agree on the latest tokens, and nothing is left over.
fn check_files(home: &Path, number: usize) {
    let text = |name: &str| fs::read_to_string(home.join(name)).expect("a file");
    let stored = text("stored_tokens");
    assert!(stored.contains(&access(number)), "{number}: {stored}");
    assert!(stored.contains(&refresh(number)), "{number}: {stored}");
    assert_eq!(text("token"), access(number));
    let mut names: Vec<_> = fs::read_dir(home)
        .expect("a folder")
        .map(|file| file.expect("a file").file_name())
        .collect();
    names.sort();
    let expected = [
        "hubtoken_endpoints.json",
        "stored_tokens",
        "stored_tokens.lock",
        "token",
    ];
    assert_eq!(names, expected);
}
