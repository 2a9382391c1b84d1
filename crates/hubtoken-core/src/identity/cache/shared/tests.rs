#![allow(clippy::unwrap_used)]
use super::*;
use crate::identity::cache::disk::DiskCache;
use crate::identity::failure::Reason;
use crate::source::Source;
use crate::token::Token;

const VALUE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";

fn credential() -> Credential {
    Credential {
        token: Token::parse(VALUE).unwrap().unwrap(),
        source: Source::Argument,
        endpoint: Endpoint::default_hub(),
        expires_at: Expiry::default(),
        renewal: None,
    }
}

fn shared(folder: &std::path::Path) -> SharedEntry {
    let credential = credential();
    SharedEntry::new(
        Arc::new(DiskCache::new(folder.to_owned())),
        &credential.token.digest(),
        &credential.endpoint,
    )
}

fn later(now: Timestamp, seconds: u64) -> Timestamp {
    let length = Duration::from_secs(seconds);
    Timestamp {
        instant: now.instant + length,
        wall: now.wall + length,
    }
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The same instant after the wall clock was set forward or back.
fn set(now: Timestamp, forward: bool, length: Duration) -> Timestamp {
    let wall = if forward {
        now.wall.checked_add(length)
    } else {
        now.wall.checked_sub(length)
    };
    Timestamp {
        wall: wall.unwrap(),
        ..now
    }
}

/// The current time in whole milliseconds, which is what records store.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp {
        wall: Duration::from_millis(now.milliseconds()),
        ..now
    }
}

fn limit(left: Duration) -> RateLimit {
    RateLimit {
        left,
        response: ResponseDetails::default(),
    }
}

fn once(now: Timestamp) -> Repeated {
    Repeated {
        confirmed: now.instant,
        times: 0,
    }
}

const HOUR: Duration = Duration::from_hours(1);
const YEARS: Duration = Duration::from_hours(24 * 365 * 10);

#[test]
fn time_that_passes_is_seen_by_both_clocks() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    shared.insert_identity(now, br#"{"name":"alice"}"#, &credential());
    shared.insert_limit(LimitScope::Whoami, now, YEARS, &ResponseDetails::default());
    let minute = later(now, 60);
    let (asked, identity, _) = shared.identity(minute).unwrap();
    assert_eq!(identity.user, "alice");
    let age = minute.instant - asked;
    assert!(age >= Duration::from_mins(1) && age < Duration::from_secs(61));
    // An hour at most, whatever the Hub says.
    assert_eq!(
        shared.limit(LimitScope::Whoami, minute),
        Some(limit(Duration::from_mins(59)))
    );
    assert_eq!(shared.limit(LimitScope::Whoami, later(now, 3_600)), None);
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_fresh_and_locks_nobody_out() {
    for length in [Duration::from_secs(2), HOUR, YEARS] {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path());
        let now = now();
        shared.insert_identity(now, br#"{"name":"alice"}"#, &credential());
        shared.insert_limit(LimitScope::Whoami, now, HOUR, &ResponseDetails::default());
        shared.insert_rejection(now, once(now), &ResponseDetails::default());
        let failure = Failure::Unreachable("".into());
        shared.insert_failure(now, 7, &failure, &credential());
        let back = set(now, false, length);
        // All of it is from the future.
        assert!(shared.identity(back).is_none());
        assert!(shared.rejection(back).is_none());
        assert!(shared.limit(LimitScope::Whoami, back).is_none());
        let failure = shared.failure(back, &[7], None, true);
        assert!(failure.is_none());
        // Later answers are trusted by the clock as it is now.
        shared.insert_limit(
            LimitScope::Whoami,
            back,
            Duration::from_secs(5),
            &ResponseDetails::default(),
        );
        assert_eq!(
            shared.limit(LimitScope::Whoami, later(back, 2)),
            Some(limit(Duration::from_secs(3)))
        );
        shared.insert_identity(back, br#"{"name":"bob"}"#, &credential());
        assert_eq!(shared.identity(later(back, 2)).unwrap().1.user, "bob");
    }
}

#[test]
fn a_clock_that_is_set_forward_makes_everything_old_and_nothing_last() {
    for length in [HOUR, YEARS] {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path());
        let now = now();
        shared.insert_identity(now, br#"{"name":"alice"}"#, &credential());
        shared.insert_limit(LimitScope::Whoami, now, HOUR, &ResponseDetails::default());
        shared.insert_rejection(now, once(now), &ResponseDetails::default());
        let on = set(now, true, length);
        // A process with a shorter uptime cannot represent such an early instant.
        let age = |asked: Instant| on.instant.saturating_duration_since(asked);
        assert!(
            shared
                .identity(on)
                .is_none_or(|(asked, ..)| age(asked) >= length)
        );
        assert!(
            shared
                .rejection(on)
                .is_none_or(|known| age(known.asked) >= length)
        );
        assert!(shared.limit(LimitScope::Whoami, on).is_none());
    }
}

#[test]
fn a_limit_that_somebody_wrote_to_last_for_ever_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    shared.insert_limit(
        LimitScope::Whoami,
        now,
        Duration::from_secs(5),
        &ResponseDetails::default(),
    );
    let path = folder.path().join(&names(folder.path())[0]);
    let good = std::fs::read_to_string(&path).unwrap();
    let until = serde_json::from_str::<Value>(&good).unwrap()["until"].to_string();
    for bad in ["0", "18446744073709551615", "-1", "null", "\"soon\""] {
        std::fs::write(&path, good.replace(&until, bad)).unwrap();
        assert_eq!(shared.limit(LimitScope::Whoami, now), None, "{bad}");
    }
}

#[test]
fn a_failure_is_for_those_who_waited_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    let second = Duration::from_secs(1);
    let failed = Failure::Unreachable("the Hub answered with status 503".into());
    shared.insert_failure(now, 7, &failed, &credential());
    let asked = now.instant.checked_sub(second);
    let is_shared = |lease_ids: &[u64], not_before, accepts_time_outs| {
        shared
            .failure(now, lease_ids, not_before, accepts_time_outs)
            .is_some()
    };
    assert!(is_shared(&[3, 7], asked, false));
    assert!(is_shared(&[7], None, true));
    assert!(!is_shared(&[], asked, true));
    assert!(!is_shared(&[3], asked, true));
    // Sent before this caller's limit.
    assert!(!is_shared(&[7], Some(now.instant + second), true));
    // The leader's time was over. That is no answer for a caller that has more.
    let timed_out = Failure::TimedOut {
        after: second,
        text: "no answer within 1 seconds".to_owned(),
    };
    shared.insert_failure(now, 7, &timed_out, &credential());
    assert!(is_shared(&[7], asked, true));
    assert!(!is_shared(&[7], asked, false));
    shared.insert_identity(now, br#"{"name":"alice"}"#, &credential());
    assert!(!is_shared(&[7], asked, true));
    // Failures that concern only the caller are not shared.
    for own in [
        Failure::Rejected(ResponseDetails::default()),
        Failure::Offline,
        Failure::Interrupted,
    ] {
        shared.insert_failure(now, 7, &own, &credential());
        assert!(!is_shared(&[7], asked, true));
    }
}

#[test]
fn a_success_ends_a_limit_and_a_rejection_ends_an_identity() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    shared.insert_limit(
        LimitScope::Whoami,
        now,
        Duration::from_secs(5),
        &ResponseDetails::default(),
    );
    shared.insert_identity(now, br#"{"name":"alice"}"#, &credential());
    assert!(shared.limit(LimitScope::Whoami, now).is_none());
    shared.remove_identity();
    shared.insert_rejection(now, once(now), &ResponseDetails::default());
    assert!(shared.identity(now).is_none());
    assert!(shared.rejection(now).is_some());
}

#[test]
fn no_token_reaches_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    for body in [
        format!(r#"{{"name":"alice","x":["{VALUE}"]}}"#),
        format!(r#"{{"name":"alice","x":"\u0068{}"}}"#, &VALUE[1..]),
        r#"{"name":"alice","x":"api_org_FakeFakeFakeFakeFakeFake"}"#.to_owned(),
        "no JSON".to_owned(),
    ] {
        shared.insert_identity(Timestamp::now(), body.as_bytes(), &credential());
        assert_eq!(names(folder.path()), [""; 0], "{body}");
        let failure = Failure::UnexpectedResponse(body.into());
        shared.insert_failure(Timestamp::now(), 7, &failure, &credential());
        for name in names(folder.path()) {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.contains("no JSON"), "{text}");
        }
        shared.insert_identity(Timestamp::now(), b"", &credential());
    }
}

#[test]
fn what_is_not_exactly_this_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    shared.insert_identity(now, br#"{"name":"alice"}"#, &credential());
    let path = folder.path().join(&names(folder.path())[0]);
    let good = std::fs::read_to_string(&path).unwrap();
    assert!(shared.identity(now).is_some());
    for bad in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        good.replace("\"version\":1", "\"version\":2"),
        good.replace("huggingface.co", "hub.example"),
        good.replace("\"digest\":\"", "\"digest\":\"00"),
        good.replace("alice", ""),
        good.replace("\"asked_at\":", "\"asked_at\":9"),
        good[..good.len() / 2].to_owned(),
        "[".repeat(100_000),
        " ".repeat(300_000),
    ] {
        std::fs::write(&path, &bad).unwrap();
        assert!(shared.identity(now).is_none(), "{bad:.100}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(shared.identity(now).is_none());
    shared.insert_identity(now, br#"{"name":"alice"}"#, &credential());
}

#[test]
fn other_processes_know_how_often_a_no_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    let (request, other) = (Digest::of("write"), Digest::of("read"));
    let third = Repeated {
        confirmed: now.instant,
        times: 3,
    };
    shared.insert_denial(&request, third, later(now, 5));
    assert_eq!(shared.denial(&request, later(now, 9)), Some(third));
    assert_eq!(shared.denial(&other, now), None);
    // From the future, as after the clock was set back.
    assert_eq!(shared.denial(&request, set(now, false, HOUR)), None);
    for number in 0..100 {
        let request = Digest::of(&number.to_string());
        shared.insert_denial(&request, once(later(now, number)), later(now, number));
    }
    let last = later(now, 100);
    assert_eq!(shared.denial(&request, last), None);
    assert!(shared.denial(&Digest::of("99"), last).is_some());
    shared.remove_denials();
    assert_eq!(shared.denial(&Digest::of("99"), last), None);
    shared.insert_rejection(now, third, &ResponseDetails::default());
    let known = shared.rejection(later(now, 7)).unwrap();
    assert_eq!((known.asked, known.repeated), (now.instant, third));
}

#[test]
fn the_end_that_a_source_told_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    for (end, is_over) in [(Expiry::UNKNOWN, false), (Expiry::at_unix_seconds(1), true)] {
        let credential = Credential {
            expires_at: end,
            ..credential()
        };
        shared.insert_identity(now, br#"{"name":"alice"}"#, &credential);
        let (.., known) = shared.identity(now).unwrap();
        assert_eq!((known, known.has_passed()), (end, is_over));
    }
}

#[test]
fn a_failure_is_shared_with_those_who_take_the_same_route() {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    let asker = shared(folder.path()).with_route("a".to_owned());
    let is_shared = |route: &str| {
        let follower = shared(folder.path()).with_route(route.to_owned());
        follower.failure(now, &[7], None, true).is_some()
    };
    for failure in [
        Failure::Unreachable("the proxy cannot be reached".into()),
        Failure::UnexpectedResponse("it is a proxy's page".into()),
    ] {
        asker.insert_failure(now, 7, &failure, &credential());
        assert_eq!(
            [is_shared("a"), is_shared("b"), is_shared("")],
            [true, false, false]
        );
    }
    // The Hub itself has said this.
    let limited = Failure::RateLimited {
        retry_after: None,
        response: ResponseDetails::default(),
    };
    asker.insert_failure(now, 7, &limited, &credential());
    assert_eq!([is_shared("a"), is_shared("b")], [true, true]);
}

#[test]
fn what_an_answer_says_about_itself_is_shared_and_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path());
    let now = now();
    let said = ResponseDetails::new(Some("Root=1-2".to_owned()), Some("No.".to_owned()));
    shared.insert_rejection(now, once(now), &said);
    assert_eq!(shared.rejection(now).unwrap().response, said);
    shared.insert_limit(LimitScope::Hub, now, HOUR, &said);
    assert_eq!(shared.limit(LimitScope::Hub, now).unwrap().response, said);
    assert_eq!(shared.limit(LimitScope::Whoami, now), None);
    let failure = Failure::Unreachable(Reason {
        text: "the Hub answered with status 503".to_owned(),
        response: said.clone(),
    });
    shared.insert_failure(now, 7, &failure, &credential());
    let known = shared.failure(now, &[7], None, true).unwrap();
    assert_eq!(known.response(), said);

    for name in names(folder.path()) {
        let path = folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let bad = text.replace("No.", &format!("\\u001b[31m{}", "x ".repeat(2_000)));
        std::fs::write(&path, bad).unwrap();
    }
    let read = shared.rejection(now).unwrap().response;
    let message = read.server_message().unwrap();
    assert!(message.starts_with("\u{fffd}[31m") && message.chars().count() <= 500);
}
