//! A denial is fresh: a cached answer alone denies nothing, in this process and in those that share
//! the disk. Ages are simulated with recorded request times, and are so far from every bound that
//! no outcome depends on how long a test takes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hubtoken_core::clock::Timestamp;
use hubtoken_core::error::{DenialKind, Error, ResponseDetails, UnknownKind};
use hubtoken_core::identity::cache::disk::DiskCache;
use hubtoken_core::identity::cache::shared::{LeaseTiming, LimitScope, SharedEntry};
use hubtoken_core::identity::client::{Client, IdentityAnswer};
use hubtoken_core::identity::failure::Failure;
use hubtoken_core::identity::freshness::{DoublingAge, Freshness, Repeated};
use hubtoken_core::identity::{Options, Settings};
use hubtoken_core::interrupt::NeverInterrupted;
use hubtoken_core::require::Requirement;
use hubtoken_core::role::{Required, Role};

use crate::client::{ALICE, credential};
use crate::support::fake_hub::{FakeHub, answer};
use crate::support::time::{HandClock, until};

const READER: &str =
    r#"{"name":"alice","auth":{"type":"access_token","accessToken":{"role":"read"}}}"#;
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// Ages far above those in the tests.
const CALM: Options = Options {
    max_age: Some(Duration::from_hours(24)),
    max_stale: Duration::from_hours(24),
    timeout: Duration::from_mins(1),
    started: None,
    freshness: Freshness {
        denial: DoublingAge::constant(HOUR),
        rejection: DoublingAge {
            first: HOUR,
            longest: Duration::from_hours(2),
        },
        caches_failures: true,
    },
};
/// No earlier answer is fresh enough for a denial.
const STRICT: Options = Options {
    freshness: Freshness {
        denial: DoublingAge::constant(Duration::ZERO),
        rejection: DoublingAge::constant(Duration::ZERO),
        caches_failures: false,
    },
    ..CALM
};

/// The time that long ago.
fn ago(age: Duration) -> Timestamp {
    let now = Timestamp::now();
    Timestamp {
        instant: now.instant.checked_sub(age).expect("a machine that is up"),
        wall: now.wall.checked_sub(age).expect("a clock that goes"),
    }
}

fn shared(folder: &Path, server: &FakeHub) -> SharedEntry {
    let credential = credential(server.endpoint());
    let cache = Arc::new(DiskCache::new(folder.join("cache")));
    SharedEntry::new(cache, &credential.token.digest(), &credential.endpoint)
}

/// Stores an identity as if another process had requested it.
fn seed_identity(folder: &Path, server: &FakeHub, body: &str, age: Duration) {
    let credential = credential(server.endpoint());
    shared(folder, server).insert_identity(ago(age), body.as_bytes(), &credential);
}

fn requirement() -> Requirement {
    Requirement {
        required: Required::Role(Role::Write),
        repository: None,
        namespace: None,
        must_exist: false,
        needed_until: None,
    }
}

fn require(
    client: &Arc<Client>,
    folder: &Path,
    server: &FakeHub,
    options: &Options,
) -> Result<(), Error> {
    let credential = credential(server.endpoint());
    let connection = client
        .connect(&credential.endpoint, &Settings::default())
        .with_shared_cache(Arc::new(DiskCache::new(folder.join("cache"))));
    requirement()
        .check(client, &credential, &connection, options, &NeverInterrupted)
        .map(|_| ())
}

/// Requires a role as a new process does.
fn require_anew(folder: &Path, server: &FakeHub, options: &Options) -> Result<(), Error> {
    require(&Arc::default(), folder, server, options)
}

fn identify(
    client: &Arc<Client>,
    folder: &Path,
    server: &FakeHub,
    options: &Options,
) -> Result<IdentityAnswer, Failure> {
    let credential = credential(server.endpoint());
    let connection = client
        .connect(&credential.endpoint, &Settings::default())
        .with_shared_cache(Arc::new(DiskCache::new(folder.join("cache"))));
    client.identify(&credential, &connection, options, &NeverInterrupted)
}

fn is_denied(outcome: &Result<(), Error>) -> bool {
    let kind = DenialKind::InsufficientRole;
    matches!(outcome, Err(Error::AccessDenied { kind: known, .. }) if *known == kind)
}

#[test]
fn an_old_no_is_asked_again_and_an_old_yes_is_not() {
    for (body, age, requests) in [
        (READER, 2 * MINUTE, 1),
        (ALICE, 2 * MINUTE, 0),
        // Older than any identity is trusted.
        (ALICE, 10 * MINUTE, 1),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = FakeHub::start(answer(200, "", ALICE));
        seed_identity(folder.path(), &server, body, age);
        let outcome = require_anew(folder.path(), &server, &Options::default());
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(server.requests(), requests, "{body}");
    }
}

#[test]
fn a_no_of_a_moment_ago_is_told_again_without_a_question() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    seed_identity(folder.path(), &server, READER, HOUR / 2);
    assert!(is_denied(&require_anew(folder.path(), &server, &CALM)));
    assert_eq!(server.requests(), 0);
    // The caller's `max_age` bounds it as well.
    let younger = Options {
        max_age: Some(10 * MINUTE),
        ..CALM
    };
    assert!(require_anew(folder.path(), &server, &younger).is_ok());
    assert_eq!(server.requests(), 1);
}

#[test]
fn in_one_process_a_no_from_memory_is_asked_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", READER));
    let client = Arc::default();
    for requests in 1..=3 {
        assert!(is_denied(&require(
            &client,
            folder.path(),
            &server,
            &STRICT
        )));
        assert_eq!(server.requests(), requests);
    }
    server.set_answer(answer(200, "", ALICE));
    assert!(require(&client, folder.path(), &server, &STRICT).is_ok());
    assert!(require(&client, folder.path(), &server, &STRICT).is_ok());
    assert_eq!(server.requests(), 4);
}

#[test]
fn what_was_asked_in_the_same_call_is_fresh_however_slow_the_hub_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", READER));
    for max_age in [None, Some(Duration::ZERO)] {
        let before = server.requests();
        // The time that passes is not the end of the caller's.
        let options = Options {
            max_age,
            timeout: 2 * HOUR,
            ..STRICT
        };
        let time = HandClock::default();
        let client = Arc::new(Client::with_clock(LeaseTiming::default(), time.clock()));
        let gate = server.close_gate();
        std::thread::scope(|scope| {
            let outcome = scope.spawn(|| require(&client, folder.path(), &server, &options));
            until(|| server.requests() > before);
            time.pass(HOUR);
            gate.open();
            assert!(is_denied(&outcome.join().expect("an outcome")));
        });
        assert_eq!(server.requests() - before, 1);
    }
}

#[test]
fn a_repeated_no_is_counted_across_processes_and_a_yes_ends_the_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", READER));
    let question = |record: &serde_json::Value| record["denials"][0]["times"].as_u64();
    let denied = || {
        let cache = std::fs::read_dir(folder.path().join("cache")).expect("the cache");
        let path = cache
            .map(|entry| entry.expect("a file").path())
            .find(|path| path.extension().is_some_and(|end| end == "denied"))?;
        let text = std::fs::read_to_string(&path).expect("a record");
        Some((path, serde_json::from_str(&text).expect("JSON")))
    };
    for times in 0..8 {
        // More than a minute exceeds every age; less than five is not forgotten.
        seed_identity(folder.path(), &server, READER, 2 * MINUTE);
        if let Some((path, mut record)) = denied() {
            let record: &mut serde_json::Value = &mut record;
            let earlier = Timestamp::now().milliseconds() - 120_000;
            record["asked_at"] = earlier.into();
            record["denials"][0]["confirmed_at"] = earlier.into();
            std::fs::write(path, record.to_string()).expect("a record");
        }
        let outcome = require_anew(folder.path(), &server, &Options::default());
        assert!(is_denied(&outcome), "{outcome:?}");
        assert_eq!(server.requests(), times + 1);
        let (_, record) = denied().expect("a record");
        assert_eq!(question(&record), u64::try_from(times).ok());
        let text = record.to_string();
        assert!(!text.contains("hf_") && !text.contains("write"), "{text}");
    }
    // 128 times two seconds exceeds the bound of a minute. An answer half that old is not requested
    // again.
    seed_identity(folder.path(), &server, READER, Duration::from_secs(10));
    assert!(is_denied(&require_anew(
        folder.path(),
        &server,
        &Options::default()
    )));
    assert_eq!(server.requests(), 8);
    server.set_answer(answer(200, "", ALICE));
    seed_identity(folder.path(), &server, READER, 2 * MINUTE);
    assert!(require_anew(folder.path(), &server, &Options::default()).is_ok());
    assert!(denied().is_none());
}

#[test]
fn a_no_that_nobody_confirms_is_an_unknown_that_quotes_it() {
    for (bad, kind) in [
        (
            answer(429, "Retry-After: 30\r\n", ""),
            UnknownKind::RateLimited {
                retry_after: Some(30),
            },
        ),
        (
            answer(429, "", ""),
            UnknownKind::RateLimited { retry_after: None },
        ),
        (answer(503, "", ""), UnknownKind::Unreachable),
        (answer(200, "", "<html>"), UnknownKind::Other),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = FakeHub::start(bad.clone());
        seed_identity(folder.path(), &server, READER, 2 * HOUR);
        let client = Arc::default();
        // One request, however often it is called.
        for _ in 0..3 {
            let outcome = require(&client, folder.path(), &server, &CALM);
            let Err(Error::Unknown {
                message,
                kind: known,
                ..
            }) = outcome
            else {
                panic!("{bad}: {outcome:?}");
            };
            let same = std::mem::discriminant(&known) == std::mem::discriminant(&kind);
            assert!(same, "{bad}: {known:?}");
            for part in [
                "write",
                "2 hours ago",
                "its role is read, and write is needed",
                "hf_…keXX from the environment variable HF_TOKEN",
            ] {
                assert!(message.contains(part), "{message}");
            }
        }
        assert_eq!(server.requests(), 1, "{bad}");
        if matches!(kind, UnknownKind::RateLimited { .. }) {
            // Another process obeys the limit, even one without a duration.
            assert!(require_anew(folder.path(), &server, &CALM).is_err());
            assert_eq!(server.requests(), 1, "{bad}");
        }
    }
}

#[test]
fn many_who_refuse_at_once_ask_once_though_nobody_answers() {
    const CALLERS: usize = 16;
    for bad in [answer(503, "", ""), answer(429, "", "")] {
        for _ in 0..20 {
            let folder = tempfile::tempdir().expect("a folder");
            let server = FakeHub::start(bad.clone());
            seed_identity(folder.path(), &server, READER, 2 * HOUR);
            let client = Arc::default();
            let barrier = std::sync::Barrier::new(CALLERS);
            std::thread::scope(|scope| {
                for _ in 0..CALLERS {
                    scope.spawn(|| {
                        barrier.wait();
                        let outcome = require(&client, folder.path(), &server, &CALM);
                        assert!(matches!(outcome, Err(Error::Unknown { .. })), "{outcome:?}");
                    });
                }
            });
            assert_eq!(server.requests(), 1, "{bad}");
        }
    }
}

#[test]
fn who_is_not_patient_asks_again_as_soon_as_the_hub_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(503, "", ""));
    seed_identity(folder.path(), &server, READER, 2 * MINUTE);
    let client = Arc::default();
    let ask = || require(&client, folder.path(), &server, &Options::default());
    assert!(matches!(ask(), Err(Error::Unknown { .. })));
    server.set_answer(answer(200, "", ALICE));
    assert!(ask().is_ok());
    assert_eq!(server.requests(), 2);
}

#[test]
fn many_with_an_old_no_ask_once() {
    const CALLERS: usize = 32;
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    seed_identity(folder.path(), &server, READER, 2 * HOUR);
    let threads: Arc<Client> = Arc::default();
    let barrier = std::sync::Barrier::new(2 * CALLERS);
    std::thread::scope(|scope| {
        for number in 0..2 * CALLERS {
            let (threads, folder, server, barrier) = (&threads, folder.path(), &server, &barrier);
            scope.spawn(move || {
                barrier.wait();
                // Half of them are threads of one process, the others are separate processes.
                let outcome = if number % 2 == 0 {
                    require(threads, folder, server, &CALM)
                } else {
                    require_anew(folder, server, &CALM)
                };
                assert!(outcome.is_ok(), "{outcome:?}");
            });
        }
    });
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_rejection_is_asked_again_after_its_age() {
    for (age, requests) in [(HOUR / 2, 0), (HOUR * 3 / 2, 1)] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = FakeHub::start(answer(200, "", ALICE));
        let asked = ago(age);
        let repeated = Repeated {
            confirmed: asked.instant,
            times: 0,
        };
        shared(folder.path(), &server).insert_rejection(
            asked,
            repeated,
            &ResponseDetails::default(),
        );
        let outcome = identify(&Arc::default(), folder.path(), &server, &CALM);
        assert_eq!(outcome.is_ok(), requests == 1, "{age:?}");
        assert_eq!(server.requests(), requests, "{age:?}");
    }
}

#[test]
fn a_repeated_rejection_is_counted_across_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(401, "", ""));
    let shared = shared(folder.path(), &server);
    for times in 0..4 {
        let failure = identify(&Arc::default(), folder.path(), &server, &Options::default()).err();
        assert!(matches!(failure, Some(Failure::Rejected(_))), "{failure:?}");
        let known = shared.rejection(Timestamp::now()).expect("a rejection");
        assert_eq!(known.repeated.times, times);
        assert_eq!(server.requests(), usize::try_from(times).expect("few") + 1);
        let earlier = ago(2 * MINUTE);
        shared.insert_rejection(
            earlier,
            Repeated {
                confirmed: earlier.instant,
                times,
            },
            &ResponseDetails::default(),
        );
    }
    server.set_answer(answer(200, "", ALICE));
    let known = identify(&Arc::default(), folder.path(), &server, &Options::default());
    assert_eq!(known.expect("an identity").identity.user, "alice");
    assert!(shared.rejection(Timestamp::now()).is_none());
}

#[test]
fn the_limit_that_lasts_longest_is_the_one_that_is_quoted() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = FakeHub::start(answer(200, "", ALICE));
    let shared = shared(folder.path(), &server);
    let of = |id: &str| ResponseDetails::new(Some(id.to_owned()), None);
    let now = Timestamp::now();
    shared.insert_limit(LimitScope::Whoami, now, 10 * MINUTE, &of("short"));
    shared.insert_limit(LimitScope::Hub, now, HOUR, &of("long"));
    let failure = identify(&Arc::default(), folder.path(), &server, &Options::default()).err();
    let Some(Failure::RateLimited {
        retry_after: Some(seconds),
        response,
    }) = failure
    else {
        panic!("{failure:?}");
    };
    assert!(seconds > 1_800, "{seconds}");
    assert_eq!(response.request_id(), Some("long"));
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_rejection_that_nobody_confirms_is_an_unknown_that_quotes_it() {
    for (bad, kind) in [
        (
            answer(429, "Retry-After: 30\r\n", ""),
            UnknownKind::RateLimited {
                retry_after: Some(30),
            },
        ),
        (answer(503, "", ""), UnknownKind::Unreachable),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = FakeHub::start(bad);
        let asked = ago(MINUTE);
        let repeated = Repeated {
            confirmed: asked.instant,
            times: 0,
        };
        shared(folder.path(), &server).insert_rejection(
            asked,
            repeated,
            &ResponseDetails::default(),
        );
        let outcome = require_anew(folder.path(), &server, &Options::default());
        let Err(Error::Unknown {
            message,
            kind: known,
            ..
        }) = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_eq!(
            std::mem::discriminant(&known),
            std::mem::discriminant(&kind)
        );
        assert!(
            message.contains("whether it still does could not be checked"),
            "{message}"
        );
    }
}
