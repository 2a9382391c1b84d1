//! A time-out is one caller's budget for a whole call, whoever sends the requests.
//!
//! The time passes only when a test says so, and every time-out is far longer than a test may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hubtoken_core::error::{Error, UnknownKind};
use hubtoken_core::identity::cache::shared::LeaseTiming;
use hubtoken_core::identity::client::{Client, IdentityAnswer};
use hubtoken_core::identity::failure::Failure;
use hubtoken_core::identity::freshness::Freshness;
use hubtoken_core::identity::{Options, Settings};
use hubtoken_core::interrupt::{Interrupt, NeverInterrupted};
use hubtoken_core::repository::RepositoryType;
use hubtoken_core::require::Requirement;
use hubtoken_core::role::{Required, Role};

use crate::client::{ALICE, credential};
use crate::support::fake_hub::{FakeHub, Gate, answer};
use crate::support::time::{HandClock, until};

const HOUR: Duration = Duration::from_hours(1);

fn client(time: &HandClock) -> Arc<Client> {
    Arc::new(Client::with_clock(LeaseTiming::default(), time.clock()))
}

/// A Hub that holds back its answers, and a client whose time passes by hand.
fn held_hub() -> (FakeHub, Gate, HandClock, Arc<Client>) {
    let hub = FakeHub::start(answer(200, "", ALICE));
    let gate = hub.close_gate();
    let time = HandClock::default();
    let client = client(&time);
    (hub, gate, time, client)
}

/// A call that has started, whenever its thread comes to it.
fn started(client: &Client, timeout: Duration) -> Options {
    Options {
        max_stale: Duration::ZERO,
        timeout,
        ..Options::default()
    }
    .begun(client.clock().now())
}

fn ask(client: &Arc<Client>, hub: &FakeHub, options: &Options) -> Result<IdentityAnswer, Failure> {
    let credential = credential(hub.endpoint());
    let connection = client.connect(&credential.endpoint, &Settings::default());
    client.identify(&credential, &connection, options, &NeverInterrupted)
}

fn requirement() -> Requirement {
    Requirement {
        required: Required::Role(Role::Write),
        repository: Some(("alice/tiny".to_owned(), RepositoryType::Model)),
        namespace: None,
        must_exist: false,
        needed_until: None,
    }
}

fn text(outcome: Result<IdentityAnswer, Failure>) -> String {
    match outcome.err() {
        Some(Failure::TimedOut { text, .. }) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_follower_stops_at_its_own_deadline_and_its_leader_goes_on() {
    let (hub, gate, time, client) = held_hub();
    std::thread::scope(|scope| {
        let (client, hub) = (&client, &hub);
        let gate = gate;
        let long = started(client, HOUR * 9);
        let leader = scope.spawn(move || ask(client, hub, &long));
        until(|| hub.requests() == 1);
        let short = started(client, HOUR * 2);
        let follower = scope.spawn(move || ask(client, hub, &short));
        time.pass(HOUR * 2);
        let failure = text(follower.join().expect("no panic"));
        assert_eq!(failure, "no answer within 7200 seconds");
        gate.open();
        assert!(leader.join().expect("no panic").is_ok());
    });
    assert_eq!(hub.requests(), 1);
}

#[test]
fn a_follower_with_more_time_takes_over() {
    let (hub, gate, time, client) = held_hub();
    std::thread::scope(|scope| {
        let (client, hub) = (&client, &hub);
        let gate = gate;
        let short = started(client, HOUR);
        let leader = scope.spawn(move || ask(client, hub, &short));
        until(|| hub.requests() == 1);
        let long = started(client, HOUR * 9);
        let followers = [(); 3].map(|()| scope.spawn(move || ask(client, hub, &long)));
        time.pass(HOUR);
        let failure = text(leader.join().expect("no panic"));
        assert_eq!(failure, "no answer within 3600 seconds");
        until(|| hub.requests() == 2);
        gate.open();
        for follower in followers {
            assert!(follower.join().expect("no panic").is_ok());
        }
    });
    assert_eq!(hub.requests(), 2);
}

/// Keeps a caller that waits from continuing, from when it is armed until it is released.
#[derive(Default)]
struct HeldUp {
    armed: AtomicBool,
    holds: AtomicBool,
    released: AtomicBool,
}

impl HeldUp {
    /// Returns when the caller is held.
    fn hold(&self) {
        self.armed.store(true, Ordering::SeqCst);
        until(|| self.holds.load(Ordering::SeqCst));
    }

    fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
    }
}

impl Interrupt for HeldUp {
    fn is_set(&self) -> bool {
        if self.armed.load(Ordering::SeqCst) {
            self.holds.store(true, Ordering::SeqCst);
            until(|| self.released.load(Ordering::SeqCst));
        }
        false
    }
}

#[test]
fn an_answer_that_another_caller_gets_in_the_meantime_counts() {
    let hub = FakeHub::start(answer(200, "", ALICE));
    hub.set_route("/api/models/", answer(200, "", "OK"));
    for (path, requirement) in [
        ("/api/whoami-v2", None),
        ("/api/models/", Some(requirement())),
    ] {
        let before = hub.requests_for(path);
        let gate = hub.close_gate_for(path);
        let time = HandClock::default();
        let client = client(&time);
        let held_up = HeldUp::default();
        let ask = |options: &Options, interrupt: &dyn Interrupt| {
            let credential = credential(hub.endpoint());
            let connection = client.connect(&credential.endpoint, &Settings::default());
            match &requirement {
                None => client
                    .identify(&credential, &connection, options, interrupt)
                    .map(|answer| assert!(answer.stale.is_none()))
                    .map_err(|failure| failure.into_error(&credential)),
                Some(requirement) => requirement
                    .check(&client, &credential, &connection, options, interrupt)
                    .map(|assurance| assert!(assurance.stale.is_none())),
            }
        };
        std::thread::scope(|scope| {
            let (ask, held_up) = (&ask, &held_up);
            let gate = gate;
            let short = started(&client, HOUR);
            let leader = scope.spawn(move || ask(&short, held_up));
            until(|| hub.requests_for(path) == before + 1);
            held_up.hold();
            let long = started(&client, HOUR * 9);
            let follower = scope.spawn(move || ask(&long, &NeverInterrupted));
            time.pass(HOUR);
            until(|| hub.requests_for(path) == before + 2);
            gate.open();
            let second = follower.join();
            held_up.release();
            second.expect("no panic").expect("an answer");
            leader.join().expect("no panic").expect("the same answer");
        });
        assert_eq!(hub.requests_for(path), before + 2);
    }
}

#[test]
fn callers_whose_time_ends_together_send_one_request() {
    let (hub, gate, time, client) = held_hub();
    std::thread::scope(|scope| {
        let (client, hub) = (&client, &hub);
        let _gate = gate;
        let first = started(client, HOUR);
        let leader = scope.spawn(move || ask(client, hub, &first));
        until(|| hub.requests() == 1);
        // Too little is left for another request after the leader's.
        time.pass(Duration::from_mins(5));
        let second = started(client, HOUR);
        let follower = scope.spawn(move || ask(client, hub, &second));
        time.pass(HOUR);
        for caller in [leader, follower] {
            let failure = text(caller.join().expect("no panic"));
            assert_eq!(failure, "no answer within 3600 seconds");
        }
    });
    assert_eq!(hub.requests(), 1);
}

#[test]
fn all_requests_of_a_check_share_one_budget() {
    let (hub, first, time, client) = held_hub();
    let requirement = requirement();
    std::thread::scope(|scope| {
        let _first = first;
        let check = scope.spawn(|| {
            let credential = credential(hub.endpoint());
            let connection = client.connect(&credential.endpoint, &Settings::default());
            let options = Options {
                timeout: HOUR * 10,
                ..Options::default()
            };
            requirement.check(
                &client,
                &credential,
                &connection,
                &options,
                &NeverInterrupted,
            )
        });
        until(|| hub.requests() == 1);
        time.pass(HOUR * 6);
        // The account is answered; the repository is not.
        let _second = hub.close_gate_for("/api/models/");
        until(|| hub.requests_for("/api/models/") == 1);
        time.pass(HOUR * 4);
        match check.join().expect("no panic").err() {
            Some(Error::Unknown { message, kind, .. }) => {
                assert_eq!(kind, UnknownKind::Unreachable);
                assert!(
                    message.contains("no answer within 36000 seconds"),
                    "{message}"
                );
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_short_time_out_is_not_kept_as_the_answer_for_callers_with_more_time() {
    let (hub, gate, time, client) = held_hub();
    let options = |timeout| Options {
        freshness: Freshness::SERVER,
        ..started(&client, timeout)
    };
    let anew = |options: &Options| {
        let credential = credential(hub.endpoint());
        let connection = client.connect(&credential.endpoint, &Settings::default());
        let age = Duration::from_secs(10);
        client.identify_fresh(&credential, &connection, options, age, &NeverInterrupted)
    };
    let short = options(Duration::from_secs(1));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| anew(&short));
        until(|| hub.requests() == 1);
        time.pass(Duration::from_secs(1));
        text(asked.join().expect("no panic"));
    });
    // The same patience gets the same answer without a request.
    text(anew(&options(Duration::from_secs(1))));
    assert_eq!(hub.requests(), 1);
    gate.open();
    assert!(anew(&options(HOUR)).is_ok());
    assert_eq!(hub.requests(), 2);
}
