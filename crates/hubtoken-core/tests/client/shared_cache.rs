//! What the processes of one machine share. This binary starts itself again as each of them.
//!
//! Their clocks stand still, so that a busy machine never makes a lease stale.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hubtoken_core::env::{Environment as _, StaticEnvironment};
use hubtoken_core::identity::cache::disk::DiskCache;
use hubtoken_core::identity::cache::shared::LeaseTiming;
use hubtoken_core::identity::client::{Client, IdentityAnswer};
use hubtoken_core::identity::failure::Failure;
use hubtoken_core::identity::{Options, REJECTION_LIFETIME, Settings};
use hubtoken_core::interrupt::{Interrupt, NeverInterrupted};

use crate::client::{ALICE, TOKEN, credential};
use crate::support::fake_hub::{FakeHub, answer};
use crate::support::memory_cache::ObservedCache;
use crate::support::time::{HANG_LIMIT, HandClock, until};

const PROCESSES: usize = 16;

fn usual() -> Options {
    Options {
        timeout: HANG_LIMIT,
        ..Options::default()
    }
}

fn again() -> Options {
    Options {
        max_age: Some(Duration::ZERO),
        max_stale: Duration::from_hours(1),
        ..usual()
    }
}

/// A client with empty caches and the given clock.
fn client(time: &HandClock) -> Arc<Client> {
    Arc::new(Client::with_clock(LeaseTiming::default(), time.clock()))
}

/// Sends a request as a new process would: with empty caches. Each call is a little later than the
/// last, so that it is clear which answer is newer.
fn ask(
    home: &Path,
    endpoint: &str,
    time: &HandClock,
    options: &Options,
) -> Result<IdentityAnswer, Failure> {
    time.pass(Duration::from_millis(10));
    ask_with(&client(time), home, endpoint, options, &[])
}

fn ask_with(
    client: &Arc<Client>,
    home: &Path,
    endpoint: &str,
    options: &Options,
    variables: &[(&str, &str)],
) -> Result<IdentityAnswer, Failure> {
    let mut environment = StaticEnvironment::default();
    environment.set("HF_HOME", home);
    for (name, value) in variables {
        environment.set(name, value);
    }
    let credential = credential(endpoint);
    let connection = client.connect(&credential.endpoint, &Settings::read(&environment));
    client.identify(&credential, &connection, options, &NeverInterrupted)
}

fn user(known: Result<IdentityAnswer, Failure>) -> String {
    known.expect("an identity").identity.user.clone()
}

/// Like `ask_with`, but through a cache that reports what its followers see.
fn ask_watched(
    client: &Arc<Client>,
    cache: &Arc<ObservedCache>,
    endpoint: &str,
) -> Result<IdentityAnswer, Failure> {
    let credential = credential(endpoint);
    let connection = client
        .connect(&credential.endpoint, &Settings::default())
        .with_shared_cache(cache.clone());
    client.identify(&credential, &connection, &usual(), &NeverInterrupted)
}

/// The shared cache of a home folder, wrapped.
fn watched(home: &Path) -> Arc<ObservedCache> {
    let environment = StaticEnvironment::from([("HF_HOME", home.to_str().expect("text"))]);
    let folder = Settings::read(&environment).shared_cache.expect("a folder");
    ObservedCache::new(DiskCache::new(folder))
}

/// Detects that its caller is waiting for a request: only then is it asked whether to continue.
#[derive(Default)]
struct Waits(AtomicBool);

impl Interrupt for Waits {
    fn is_set(&self) -> bool {
        self.0.store(true, Ordering::SeqCst);
        false
    }
}

/// A follower does not read the shared cache before the request that it follows has failed.
#[test]
fn a_follower_of_a_failed_request_uses_what_another_process_learned() {
    let home = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    let time = HandClock::default();
    assert_eq!(
        user(ask(home.path(), server.endpoint(), &time, &usual())),
        "alice"
    );
    server.set_answer(answer(500, "", ""));
    let gate = server.close_gate();
    let client = client(&time);
    let credential = credential(server.endpoint());
    let home_text = home.path().to_str().expect("text");
    let waits = Waits::default();
    let followed = std::thread::scope(|scope| {
        // The leader shares nothing, so it does not find what the other process left.
        let leader = scope.spawn(|| {
            let connection = client.connect(&credential.endpoint, &Settings::default());
            client.identify(&credential, &connection, &usual(), &NeverInterrupted)
        });
        until(|| server.requests() == 2);
        let follower = {
            let (client, credential, waits) = (&client, &credential, &waits);
            let settings = Settings::read(&StaticEnvironment::from([("HF_HOME", home_text)]));
            let connection = client.connect(&credential.endpoint, &settings);
            scope.spawn(move || client.identify(credential, &connection, &usual(), waits))
        };
        until(|| waits.0.load(Ordering::SeqCst));
        drop(gate);
        // It failed, unless the follower was faster: then memory has an answer for the leader too.
        if let Ok(known) = leader.join().expect("no panic") {
            assert!(known.stale.is_none());
        }
        follower.join().expect("no panic")
    })
    .expect("an identity");
    assert!(followed.stale.is_none());
    assert_eq!(followed.identity.user, "alice");
    assert_eq!(server.requests(), 2);
}

/// A process that sends a request on command and reports when it waits for another one.
#[test]
#[ignore = "run by the other tests, in processes of their own"]
fn process() {
    let environment = StaticEnvironment::of_process();
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
    let cache = watched(home.as_ref());
    let known = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = client(&HandClock::default());
            ask_watched(&client, &cache, &endpoint)
        });
        until(|| asking.is_finished() || cache.waiting() == 1);
        println!("\nwaits or knows");
        asking.join().expect("no panic")
    });
    assert_eq!(user(known), "alice");
}

/// This binary as another process.
struct Process {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(home: &Path, endpoint: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args([
                "--exact",
                "shared_cache::process",
                "--ignored",
                "--nocapture",
            ])
            .env("TEST_HOME", home)
            .env("TEST_ENDPOINT", endpoint)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let stdout = child.stdout.take().expect("a pipe");
        let said = BufReader::new(stdout).lines();
        let mut process = Self { child, said };
        process.wait_for("ready");
        process
    }

    /// Waits for a line of its output.
    fn wait_for(&mut self, word: &str) {
        let mut said = self.said.by_ref().map_while(Result::ok);
        assert!(said.any(|line| line == word));
    }

    /// Lets it send its request.
    fn release(&mut self) {
        let mut stdin = self.child.stdin.take().expect("a pipe");
        stdin.write_all(b"go\n").expect("it listens");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn many_processes_make_one_request() {
    let home = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    let gate = server.close_gate();
    let mut processes: Vec<Process> = (0..PROCESSES)
        .map(|_| Process::start(home.path(), server.endpoint()))
        .collect();
    // One sends a request, and all the others wait for it.
    let (first, others) = processes.split_first_mut().expect("some");
    first.release();
    until(|| server.requests() == 1);
    others.iter_mut().for_each(Process::release);
    for process in others {
        process.wait_for("waits or knows");
    }
    gate.open();
    for process in &mut processes {
        let done = process.child.wait().expect("it ends");
        assert!(done.success(), "{done:?}");
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
    let server = FakeHub::start(answer(200, "", ALICE));
    let gate = server.close_gate();
    let mut process = Process::start(home.path(), server.endpoint());
    process.release();
    until(|| server.requests() == 1);
    process.child.kill().expect("it runs");
    process.child.wait().expect("it is dead");
    gate.open();
    // Its clock stands still: a client that had to wait for the lease would wait forever.
    let known = ask(
        home.path(),
        server.endpoint(),
        &HandClock::default(),
        &usual(),
    );
    assert_eq!(user(known), "alice");
}

#[cfg(unix)]
#[test]
fn a_process_that_is_stopped_is_replaced_by_one() {
    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

    let home = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    let gate = server.close_gate();
    let mut process = Process::start(home.path(), server.endpoint());
    process.release();
    until(|| server.requests() == 1);
    let pid = Pid::from_child(&process.child);
    kill_process(pid, Signal::STOP).expect("it runs");
    let stopped = waitpid(Some(pid), WaitOptions::UNTRACED).expect("it is there");
    assert!(stopped.is_some_and(|(_, status)| status.stopped()));
    let time = HandClock::default();
    let cache = watched(home.path());
    std::thread::scope(|scope| {
        let ask = || user(ask_watched(&client(&time), &cache, server.endpoint()));
        let callers: Vec<_> = (0..PROCESSES).map(|_| scope.spawn(ask)).collect();
        until(|| cache.counting() == PROCESSES);
        assert_eq!(server.requests(), 1);
        time.pass(LeaseTiming::default().stale_after);
        until(|| server.requests() >= 2);
        gate.open();
        for caller in callers {
            assert_eq!(caller.join().expect("no panic"), "alice");
        }
    });
    assert_eq!(server.requests(), 2);
}

#[test]
fn the_next_process_knows_and_asks_on_demand() {
    let time = HandClock::default();
    let home = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    let asked = |options: &Options| user(ask(home.path(), server.endpoint(), &time, options));
    assert_eq!(asked(&usual()), "alice");
    assert_eq!(asked(&usual()), "alice");
    assert_eq!(server.requests(), 1);
    server.set_answer(answer(200, "", &ALICE.replace("alice", "bob")));
    assert_eq!(asked(&again()), "bob");
    assert_eq!(asked(&usual()), "bob");
    assert_eq!(server.requests(), 2);
    // Dropped by one process means dropped for all.
    let one = client(&time);
    let known = ask_with(&one, home.path(), server.endpoint(), &again(), &[]);
    assert_eq!(user(known), "bob");
    one.invalidate_endpoint(&credential(server.endpoint()).endpoint);
    assert_eq!(asked(&usual()), "bob");
    assert_eq!(server.requests(), 4);
    one.invalidate(credential(server.endpoint()).token.digest());
    assert_eq!(asked(&usual()), "bob");
    assert_eq!(server.requests(), 5);
    // The off switch.
    let off = [("HUBTOKEN_DISABLE_CACHE", "1")];
    let known = ask_with(
        &client(&time),
        home.path(),
        server.endpoint(),
        &usual(),
        &off,
    );
    assert_eq!(user(known), "bob");
    assert_eq!(server.requests(), 6);
}

#[test]
fn a_rate_limit_is_every_process_s() {
    let time = HandClock::default();
    let home = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(429, "Retry-After: 30\r\n", ""));
    for options in [usual(), again(), usual()] {
        let failure = ask(home.path(), server.endpoint(), &time, &options).err();
        let Some(Failure::RateLimited {
            retry_after: Some(seconds),
            ..
        }) = failure
        else {
            panic!("{failure:?}");
        };
        assert_eq!(seconds, 30);
    }
    assert_eq!(server.requests(), 1);
    time.pass(Duration::from_secs(30));
    assert!(ask(home.path(), server.endpoint(), &time, &usual()).is_err());
    assert_eq!(server.requests(), 2);
    // A limit without a duration is not shared.
    let server = FakeHub::start(answer(429, "", ""));
    for _ in 0..2 {
        assert!(ask(home.path(), server.endpoint(), &time, &again()).is_err());
    }
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_rejection_is_every_process_s_and_ends_what_was_known() {
    let time = HandClock::default();
    let home = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    assert!(ask(home.path(), server.endpoint(), &time, &again()).is_ok());
    server.set_answer(answer(401, "", ""));
    for options in [again(), usual(), usual()] {
        let failure = ask(home.path(), server.endpoint(), &time, &options).err();
        assert!(matches!(failure, Some(Failure::Rejected(_))));
    }
    assert_eq!(server.requests(), 2);
    // For a limited time.
    time.pass(REJECTION_LIFETIME);
    let failure = ask(home.path(), server.endpoint(), &time, &usual()).err();
    assert!(matches!(failure, Some(Failure::Rejected(_))));
    assert_eq!(server.requests(), 3);
}

#[test]
fn what_another_process_learned_stands_in_while_the_hub_is_away() {
    let time = HandClock::default();
    let home = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    assert!(ask(home.path(), server.endpoint(), &time, &again()).is_ok());
    server.set_answer(answer(503, "", ""));
    let known = ask(home.path(), server.endpoint(), &time, &again()).expect("an identity");
    assert!(matches!(known.stale, Some((_, Failure::Unreachable(_)))));
    assert_eq!(server.requests(), 2);
    let offline = [("HF_HUB_OFFLINE", "1")];
    for (options, stale) in [(usual(), false), (again(), true)] {
        let endpoint = server.endpoint();
        let known = ask_with(&client(&time), home.path(), endpoint, &options, &offline)
            .expect("an identity");
        assert_eq!(known.stale.is_some(), stale);
    }
    assert_eq!(server.requests(), 2);
    let never = Options {
        max_stale: Duration::ZERO,
        ..again()
    };
    assert!(ask(home.path(), server.endpoint(), &time, &never).is_err());
}

#[test]
fn a_home_that_cannot_be_written_costs_a_request_and_no_more() {
    let time = HandClock::default();
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("file");
    std::fs::write(&home, "").expect("a file");
    let server = FakeHub::start(answer(200, "", ALICE));
    for _ in 0..2 {
        let known = ask(&home, server.endpoint(), &time, &usual());
        assert_eq!(user(known), "alice");
    }
    assert_eq!(server.requests(), 2);
}
