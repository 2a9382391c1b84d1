//! One request for all waiting clients, whatever happens to it: on disk, and in a memory cache that
//! stands in for a networked one. Each client has what a process has; `shared.rs` uses real
//! processes.
//!
//! The time that waiting is measured in passes only when a test says so.

use std::sync::Arc;
use std::time::Duration;

use hubtoken_core::identity::cache::disk::DiskCache;
use hubtoken_core::identity::cache::shared::{CacheKey, LeaseTiming, SharedCache as _, TryLease};
use hubtoken_core::identity::client::{Client, IdentityAnswer};
use hubtoken_core::identity::failure::Failure;
use hubtoken_core::identity::{Options, Settings};
use hubtoken_core::interrupt::NeverInterrupted;

use crate::client::{ALICE, credential};
use crate::support::fake_hub::{FakeHub, answer};
use crate::support::memory_cache::{MemoryCache, ObservedCache};
use crate::support::time::{HANG_LIMIT, HandClock, until};

const CLIENTS: usize = 12;
const TIMING: LeaseTiming = LeaseTiming {
    poll_interval: Duration::from_millis(2),
    heartbeat: Duration::from_millis(5),
    stale_after: Duration::from_secs(30),
    max_hold: Duration::from_mins(30),
};

type Outcome = Result<IdentityAnswer, Failure>;

fn ask(
    cache: &Arc<ObservedCache>,
    server: &FakeHub,
    time: &HandClock,
    options: &Options,
) -> Outcome {
    let client = Arc::new(Client::with_clock(TIMING, time.clock()));
    let credential = credential(server.endpoint());
    let connection = client
        .connect(&credential.endpoint, &Settings::default())
        .with_shared_cache(cache.clone());
    client.identify(&credential, &connection, options, &NeverInterrupted)
}

fn patient() -> Options {
    Options {
        max_stale: Duration::ZERO,
        timeout: HANG_LIMIT,
        ..Options::default()
    }
}

/// Lets time pass while a leader is alive, in steps. After each step, all followers have seen a new
/// heartbeat.
fn pass_while_it_lives(cache: &ObservedCache, time: &HandClock, length: Duration) {
    // Shorter than a lease may go without a heartbeat.
    const STEP: Duration = Duration::from_secs(29);
    let mut passed = Duration::ZERO;
    while passed < length {
        time.pass(STEP);
        passed += STEP;
        let before = cache.newest();
        until(|| cache.all_have_seen_more_than(before));
    }
}

/// The results of many clients that send requests at once. `meanwhile` is called when one of them
/// has reached the Hub and all the others wait for it.
fn together(
    cache: &Arc<ObservedCache>,
    server: &FakeHub,
    time: &HandClock,
    meanwhile: impl FnOnce(),
) -> Vec<Outcome> {
    std::thread::scope(|scope| {
        let ask = || ask(cache, server, time, &patient());
        let callers: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        until(|| server.requests() >= 1 && cache.waiting() == CLIENTS - 1);
        meanwhile();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("no panic"))
            .collect()
    })
}

/// Runs a test with each kind of shared cache.
fn in_each_cache(test: impl Fn(Arc<ObservedCache>)) {
    let folder = tempfile::tempdir().expect("a folder");
    test(ObservedCache::new(DiskCache::new(
        folder.path().join("cache"),
    )));
    let left = std::fs::read_dir(folder.path().join("cache")).expect("the cache");
    for entry in left {
        let name = entry.expect("a file").file_name();
        let name = name.to_string_lossy();
        assert!(
            !name.ends_with(".lock") && !name.ends_with(".new"),
            "{name}"
        );
    }
    test(ObservedCache::new(MemoryCache::default()));
}

fn users(outcomes: Vec<Outcome>) -> Vec<String> {
    outcomes
        .into_iter()
        .map(|outcome| outcome.expect("an identity").identity.user.clone())
        .collect()
}

#[test]
fn a_slow_hub_is_asked_once() {
    in_each_cache(|cache| {
        let server = FakeHub::start(answer(200, "", ALICE));
        let gate = server.close_gate();
        let time = HandClock::default();
        let outcomes = together(&cache, &server, &time, || {
            // Longer than a lease may go without a heartbeat, but this one keeps sending them.
            pass_while_it_lives(&cache, &time, TIMING.stale_after * 3);
            gate.open();
        });
        assert_eq!(users(outcomes), ["alice"; CLIENTS]);
        assert_eq!(server.requests(), 1);
    });
}

#[test]
fn who_has_no_more_time_says_so_and_asks_nobody() {
    in_each_cache(|cache| {
        let server = FakeHub::start(answer(200, "", ALICE));
        let gate = server.close_gate();
        let time = HandClock::default();
        std::thread::scope(|scope| {
            let (cache, server, time) = (&cache, &server, &time);
            let leader = scope.spawn(move || ask(cache, server, time, &patient()));
            until(|| server.requests() == 1);
            let hasty = Options {
                timeout: Duration::from_mins(4),
                ..patient()
            };
            let other = scope.spawn(move || ask(cache, server, time, &hasty));
            until(|| cache.counting() == 1);
            pass_while_it_lives(cache, time, Duration::from_secs(230));
            time.pass(Duration::from_secs(8));
            let failure = other.join().expect("no panic").err();
            let Some(Failure::TimedOut { text, .. }) = failure else {
                panic!("{failure:?}");
            };
            assert_eq!(text, "no answer within 240 seconds");
            gate.open();
            assert!(leader.join().expect("no panic").is_ok());
        });
        assert_eq!(server.requests(), 1);
    });
}

#[test]
fn a_failure_is_the_answer_for_all_who_waited_and_for_nobody_else() {
    for (bad, is_it) in [
        (
            answer(503, "", ""),
            (|failure| matches!(failure, Failure::Unreachable(_))) as fn(&Failure) -> bool,
        ),
        (answer(200, "", "<html>"), |failure| {
            matches!(failure, Failure::UnexpectedResponse(_))
        }),
        (answer(429, "", ""), |failure| {
            matches!(
                failure,
                Failure::RateLimited {
                    retry_after: None,
                    ..
                }
            )
        }),
    ] {
        in_each_cache(|cache| {
            let server = FakeHub::start(bad.clone());
            let gate = server.close_gate();
            let time = HandClock::default();
            let outcomes = together(&cache, &server, &time, || gate.open());
            for outcome in outcomes {
                let failure = outcome.err().expect("a failure");
                assert!(is_it(&failure), "{failure:?}");
            }
            assert_eq!(server.requests(), 1);
            // A later client has not waited for the failure.
            server.set_answer(answer(200, "", ALICE));
            assert!(ask(&cache, &server, &time, &patient()).is_ok());
            assert_eq!(server.requests(), 2);
        });
    }
}

#[test]
fn who_asks_anew_takes_no_failure_of_a_question_from_before() {
    in_each_cache(|cache| {
        let server = FakeHub::start(answer(503, "", ""));
        let gate = server.close_gate();
        let time = HandClock::default();
        std::thread::scope(|scope| {
            let (cache, server, time) = (&cache, &server, &time);
            let leader = scope.spawn(move || ask(cache, server, time, &patient()));
            until(|| server.requests() == 1);
            time.pass(Duration::from_secs(1));
            let anew = Options {
                max_age: Some(Duration::ZERO),
                ..patient()
            };
            let other = scope.spawn(move || ask(cache, server, time, &anew));
            until(|| cache.waiting() == 1);
            gate.open();
            assert!(leader.join().expect("no panic").is_err());
            assert!(other.join().expect("no panic").is_err());
            assert_eq!(server.requests(), 2);
        });
    });
}

#[test]
fn the_impatience_of_one_is_no_answer_for_another() {
    in_each_cache(|cache| {
        let server = FakeHub::start(answer(200, "", ALICE));
        let gate = server.close_gate();
        // The failure is held back until a follower could take it for an answer.
        cache.tell_failures_to(1);
        let time = HandClock::default();
        std::thread::scope(|scope| {
            let hasty = Options {
                timeout: Duration::from_nanos(1),
                ..patient()
            };
            let (cache, server, time) = (&cache, &server, &time);
            let leader = scope.spawn(move || ask(cache, server, time, &hasty));
            until(|| cache.held() == 1);
            let follower = scope.spawn(move || ask(cache, server, time, &patient()));
            until(|| cache.failures() == 1);
            // No client has an answer so far. The follower gets one, because it sends a request
            // itself.
            assert!(leader.join().expect("no panic").is_err());
            gate.open();
            assert!(follower.join().expect("no panic").is_ok());
            assert_eq!(cache.held(), 2);
        });
    });
}

#[test]
fn who_came_later_and_still_has_time_takes_over() {
    in_each_cache(|cache| {
        let server = FakeHub::start(answer(200, "", ALICE));
        let gate = server.close_gate();
        let time = HandClock::default();
        let options = Options {
            timeout: Duration::from_secs(200),
            ..patient()
        };
        std::thread::scope(|scope| {
            let (cache, server, time) = (&cache, &server, &time);
            let gate = gate;
            let leader = scope.spawn(move || ask(cache, server, time, &options));
            until(|| server.requests() == 1);
            time.pass(Duration::from_secs(100));
            let follower = scope.spawn(move || ask(cache, server, time, &options));
            until(|| cache.counting() == 1);
            pass_while_it_lives(cache, time, Duration::from_secs(87));
            time.pass(Duration::from_secs(13));
            let failure = leader.join().expect("no panic").err();
            assert!(
                matches!(failure, Some(Failure::TimedOut { .. })),
                "{failure:?}"
            );
            until(|| server.requests() == 2);
            gate.open();
            assert!(follower.join().expect("no panic").is_ok());
        });
    });
}

#[test]
fn a_stale_lease_is_broken_by_one() {
    in_each_cache(|cache| {
        let server = FakeHub::start(answer(200, "", ALICE));
        let credential = credential(server.endpoint());
        let key = CacheKey {
            token: CacheKey::of_token(&credential.token.digest()),
            hub: CacheKey::of_hub(&credential.endpoint),
        };
        // A leader that holds the lease and does nothing, like a stopped process.
        let TryLease::Acquired(lease) = cache.try_lease(&key) else {
            panic!("the lease is free");
        };
        let gate = server.close_gate();
        let time = HandClock::default();
        let outcomes = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..CLIENTS)
                .map(|_| scope.spawn(|| ask(&cache, &server, &time, &patient())))
                .collect();
            until(|| cache.counting() == CLIENTS);
            assert_eq!(server.requests(), 0);
            // All of them notice at once that it is stale.
            time.pass(TIMING.stale_after);
            until(|| server.requests() >= 1);
            // The stopped leader releases a lease that it no longer owns.
            drop(lease);
            gate.open();
            callers
                .into_iter()
                .map(|caller| caller.join().expect("no panic"))
                .collect()
        });
        assert_eq!(users(outcomes), ["alice"; CLIENTS]);
        assert_eq!(server.requests(), 1);
    });
}

#[test]
fn a_lease_is_not_renewed_for_ever() {
    in_each_cache(|cache| {
        let server = FakeHub::start(answer(200, "", ALICE));
        // The first connection has died, and its caller would wait for it for a long time.
        let gate = server.close_gate();
        let time = HandClock::default();
        let endless = Options {
            timeout: Duration::from_hours(10_000),
            ..patient()
        };
        std::thread::scope(|scope| {
            let (cache, server, time) = (&cache, &server, &time);
            // Moved here, so that a hanging test opens it.
            let gate = gate;
            let stuck = scope.spawn(move || ask(cache, server, time, &endless));
            until(|| server.requests() == 1);
            let other = scope.spawn(move || ask(cache, server, time, &endless));
            until(|| cache.waiting() == 1);
            time.pass(TIMING.max_hold);
            until(|| {
                // How soon the last heartbeat is seen does not matter: time passes only after one
                // was seen twice, and continues to pass until there is no new one.
                if cache.counting() == 1 {
                    time.pass(TIMING.stale_after);
                }
                server.requests() == 2
            });
            gate.open();
            for caller in [stuck, other] {
                assert!(caller.join().expect("no panic").is_ok());
            }
        });
    });
}
