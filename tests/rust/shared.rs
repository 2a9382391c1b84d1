//! What processes of one machine share: this binary runs itself again as each of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hubtoken::env::{Environment as _, Fixed};
use hubtoken::http::Settings;
use hubtoken::identity::client::{Client, Known};
use hubtoken::identity::failure::Failure;
use hubtoken::identity::freshness::Freshness;
use hubtoken::identity::shared::Pace;
use hubtoken::identity::{Never, Options};

use crate::client::{ALICE, TOKEN, credential};
use crate::server::{Server, answer};

const PROCESSES: usize = 16;
const AGAIN: Options = Options {
    max_age: Some(Duration::ZERO),
    max_stale: Duration::from_hours(1),
    timeout: Duration::from_secs(10),
    freshness: Freshness::CLIENT,
};

/// Asks as a new process would: with a client that remembers nothing.
fn ask(home: &Path, endpoint: &str, options: &Options) -> Result<Known, Failure> {
    ask_with(&Arc::default(), home, endpoint, options, &[])
}

fn ask_with(
    client: &Arc<Client>,
    home: &Path,
    endpoint: &str,
    options: &Options,
    variables: &[(&str, &str)],
) -> Result<Known, Failure> {
    let mut environment = Fixed::default();
    environment.set("HF_HOME", home);
    for (name, value) in variables {
        environment.set(name, value);
    }
    let credential = credential(endpoint);
    let line = client.line(&credential.endpoint, &Settings::read(&environment));
    client.identify(&credential, &line, options, &Never)
}

fn user(known: Result<Known, Failure>) -> String {
    known.expect("an identity").identity.user.clone()
}

/// A process that asks when it is told to.
#[test]
#[ignore = "run by the other tests, in processes of their own"]
fn process() {
    let environment = Fixed::of_process();
    let (Some(home), Some(endpoint)) = (
        environment.get("TEST_HOME"),
        environment.get("TEST_ENDPOINT"),
    ) else {
        return;
    };
    println!("\nready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a word");
    let endpoint = endpoint.into_string().expect("text");
    let known = ask(home.as_ref(), &endpoint, &Options::default());
    assert_eq!(user(known), "alice");
}

fn start(home: &Path, endpoint: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "shared::process", "--ignored", "--nocapture"])
        .env("TEST_HOME", home)
        .env("TEST_ENDPOINT", endpoint)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let stdout = child.stdout.as_mut().expect("a pipe");
    assert!(
        BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .any(|line| line == "ready")
    );
    child
}

fn release(child: &mut Child) {
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"go\n").expect("it listens");
}

#[test]
fn many_processes_make_one_request() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(answer(200, "", ALICE));
    server.set_delay(Duration::from_millis(200));
    let mut children: Vec<Child> = (0..PROCESSES)
        .map(|_| start(home.path(), server.endpoint()))
        .collect();
    children.iter_mut().for_each(release);
    for child in children {
        let done = child.wait_with_output().expect("it ends");
        assert!(done.status.success(), "{done:?}");
    }
    assert_eq!(server.requests(), 1);
    let folder = home.path().join("hubtoken/identities");
    let files: Vec<_> = std::fs::read_dir(folder)
        .expect("the cache")
        .map(|entry| entry.expect("a file").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(&files[0]).expect("text");
    assert!(text.contains("alice") && !text.contains(TOKEN), "{text}");
}

#[test]
fn a_process_that_is_killed_gives_the_lock_back() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(answer(200, "", ALICE));
    server.set_delay(Duration::from_mins(1));
    let mut child = start(home.path(), server.endpoint());
    release(&mut child);
    while server.requests() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it is dead");
    server.set_delay(Duration::ZERO);
    let started = Instant::now();
    let known = ask(home.path(), server.endpoint(), &Options::default());
    assert_eq!(user(known), "alice");
    // Not after having waited for the lock.
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[cfg(unix)]
#[test]
fn a_process_that_is_stopped_is_replaced_by_one() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(answer(200, "", ALICE));
    server.set_delay(Duration::from_mins(1));
    let mut child = start(home.path(), server.endpoint());
    release(&mut child);
    while server.requests() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let signal = |name: &str| {
        let done = Command::new("kill")
            .args([name, &child.id().to_string()])
            .status();
        assert!(done.is_ok_and(|status| status.success()));
    };
    signal("-STOP");
    server.set_delay(Duration::ZERO);
    let pace = Pace {
        grace: Duration::from_millis(500),
        ..Pace::default()
    };
    std::thread::scope(|scope| {
        let ask = || {
            let client = Arc::new(Client::new(pace));
            let options = Options::default();
            user(ask_with(
                &client,
                home.path(),
                server.endpoint(),
                &options,
                &[],
            ))
        };
        let callers: Vec<_> = (0..PROCESSES).map(|_| scope.spawn(ask)).collect();
        for caller in callers {
            assert_eq!(caller.join().expect("no panic"), "alice");
        }
    });
    assert_eq!(server.requests(), 2);
    signal("-KILL");
    child.wait().expect("it is dead");
}

#[test]
fn the_next_process_knows_and_asks_on_demand() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(answer(200, "", ALICE));
    let asked = |options: &Options| user(ask(home.path(), server.endpoint(), options));
    assert_eq!(asked(&Options::default()), "alice");
    assert_eq!(asked(&Options::default()), "alice");
    assert_eq!(server.requests(), 1);
    server.set_answer(answer(200, "", &ALICE.replace("alice", "bob")));
    assert_eq!(asked(&AGAIN), "bob");
    assert_eq!(asked(&Options::default()), "bob");
    assert_eq!(server.requests(), 2);
    // Forgotten by one process is forgotten by all.
    let client: Arc<Client> = Arc::default();
    let known = ask_with(&client, home.path(), server.endpoint(), &AGAIN, &[]);
    assert_eq!(user(known), "bob");
    client.forget_endpoint(&credential(server.endpoint()).endpoint);
    assert_eq!(asked(&Options::default()), "bob");
    assert_eq!(server.requests(), 4);
    client.forget(credential(server.endpoint()).token.digest());
    assert_eq!(asked(&Options::default()), "bob");
    assert_eq!(server.requests(), 5);
    // The switch.
    let off = [("HUBTOKEN_DISABLE_CACHE", "1")];
    let known = ask_with(
        &Arc::default(),
        home.path(),
        server.endpoint(),
        &Options::default(),
        &off,
    );
    assert_eq!(user(known), "bob");
    assert_eq!(server.requests(), 6);
}

#[test]
fn a_rate_limit_is_every_process_s() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(answer(429, "Retry-After: 30\r\n", ""));
    for options in [Options::default(), AGAIN, Options::default()] {
        let failure = ask(home.path(), server.endpoint(), &options).err();
        let Some(Failure::RateLimited {
            retry_after: Some(seconds),
        }) = failure
        else {
            panic!("{failure:?}");
        };
        assert!((28..=30).contains(&seconds), "{seconds}");
    }
    assert_eq!(server.requests(), 1);
    // One without a time is nobody's.
    let server = Server::start(answer(429, "", ""));
    for _ in 0..2 {
        assert!(ask(home.path(), server.endpoint(), &AGAIN).is_err());
    }
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_rejection_is_every_process_s_and_ends_what_was_known() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(answer(200, "", ALICE));
    assert!(ask(home.path(), server.endpoint(), &AGAIN).is_ok());
    server.set_answer(answer(401, "", ""));
    for options in [AGAIN, Options::default(), Options::default()] {
        let failure = ask(home.path(), server.endpoint(), &options).err();
        assert!(matches!(failure, Some(Failure::Rejected)));
    }
    assert_eq!(server.requests(), 2);
}

#[test]
fn what_another_process_learnt_stands_in_while_the_hub_is_away() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(answer(200, "", ALICE));
    assert!(ask(home.path(), server.endpoint(), &AGAIN).is_ok());
    server.set_answer(answer(503, "", ""));
    let known = ask(home.path(), server.endpoint(), &AGAIN).expect("an identity");
    assert!(matches!(known.stale, Some((_, Failure::Unreachable(_)))));
    assert_eq!(server.requests(), 2);
    let offline = [("HF_HUB_OFFLINE", "1")];
    for (options, stale) in [(Options::default(), false), (AGAIN, true)] {
        let endpoint = server.endpoint();
        let known = ask_with(&Arc::default(), home.path(), endpoint, &options, &offline)
            .expect("an identity");
        assert_eq!(known.stale.is_some(), stale);
    }
    assert_eq!(server.requests(), 2);
    let never = Options {
        max_stale: Duration::ZERO,
        ..AGAIN
    };
    assert!(ask(home.path(), server.endpoint(), &never).is_err());
}

#[test]
fn a_home_that_cannot_be_written_costs_a_request_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("file");
    std::fs::write(&home, "").expect("a file");
    let server = Server::start(answer(200, "", ALICE));
    for _ in 0..2 {
        let known = ask(&home, server.endpoint(), &Options::default());
        assert_eq!(user(known), "alice");
    }
    assert_eq!(server.requests(), 2);
}
