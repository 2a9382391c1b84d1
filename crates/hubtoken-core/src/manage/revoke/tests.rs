#![allow(clippy::unwrap_used)]
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::interrupt::NeverInterrupted;
use crate::oauth::fake_hub::{FakeHub, FakeRequest};

fn value(number: usize) -> Zeroizing<String> {
    let letters: String = format!("{number:06}")
        .bytes()
        .map(|digit| char::from(digit - b'0' + b'a'))
        .collect();
    Zeroizing::new(format!("hf_{letters}FakeFakeFakeFakeFakeFakeFake"))
}

fn fresh() -> Options {
    Options {
        max_age: Some(std::time::Duration::ZERO),
        max_stale: std::time::Duration::ZERO,
        ..Options::default()
    }
}

/// What becomes of values at a Hub, and its requests.
fn outcome(
    values: &[Zeroizing<String>],
    answer: impl Fn(&FakeRequest) -> Option<(u16, String)> + Send + Sync + 'static,
) -> (Vec<Revoked>, Option<Error>, Vec<FakeRequest>) {
    let hub = FakeHub::start(answer);
    let client = Arc::<Client>::default();
    let revocation = Revocation {
        client: &client,
        endpoint: &hub.endpoint,
        settings: &Settings::default(),
        interrupt: &NeverInterrupted,
    };
    let (mut revoked, failure) = revocation.send(values);
    revocation.verify(values, &mut revoked, &fresh()).unwrap();
    let requests = hub.requests();
    (revoked, failure, requests)
}

fn is_revocation(request: &FakeRequest) -> bool {
    request.line == format!("POST {PATH}")
}

fn states(revoked: &[Revoked]) -> Vec<&'static str> {
    revoked.iter().map(|each| each.state.as_str()).collect()
}

fn rejected() -> (u16, String) {
    let body = r#"{"error": "Invalid credentials in Authorization header"}"#;
    (401, body.to_owned())
}

#[test]
fn what_whoami_rejects_is_dead_and_what_it_accepts_is_alive() {
    let alive = format!("Bearer {}", *value(1));
    let (revoked, failure, requests) = outcome(&[value(0), value(1)], move |request| {
        if is_revocation(request) {
            return Some((202, String::new()));
        }
        let is_alive = request
            .headers
            .iter()
            .any(|(name, value)| name == "authorization" && *value == alive);
        if is_alive {
            return Some((200, r#"{"type": "user", "name": "alice"}"#.to_owned()));
        }
        Some(rejected())
    });
    assert!(failure.is_none());
    assert_eq!(states(&revoked), ["dead", "alive"]);
    let revocation = requests.first().unwrap();
    assert!(is_revocation(revocation));
    let body: serde_json::Value = serde_json::from_str(&revocation.body).unwrap();
    assert_eq!(body["credentials"][0], *value(0).as_str());
    // Whoever has a value may revoke it: nobody is named.
    let has_header = |name| revocation.headers.iter().any(|(each, _)| each == name);
    assert!(!has_header("authorization"));
    assert!(requests.iter().all(|request| !request.line.contains("hf_")));
}

#[test]
fn values_are_sent_a_thousand_at_a_time_and_asked_about_until_the_limit() {
    let values: Vec<_> = (0..2_500).map(value).collect();
    let (revoked, failure, requests) = outcome(&values, |request| {
        if is_revocation(request) {
            Some((202, String::new()))
        } else {
            Some((429, String::new()))
        }
    });
    assert!(failure.is_none());
    let sizes: Vec<usize> = requests
        .iter()
        .filter(|request| is_revocation(request))
        .map(|request| request.body.matches("hf_").count())
        .collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(
        requests.len(),
        4,
        "one question is enough to learn of the limit"
    );
    assert!(states(&revoked).iter().all(|state| *state == "unverified"));
    let reason = revoked.last().unwrap().state.reason().unwrap();
    assert!(reason.contains("limit"), "{reason}");
    assert_eq!(sent(&revoked).len(), 2_500);
}

#[test]
fn a_failure_in_the_middle_says_what_was_sent() {
    let values: Vec<_> = (0..2_500).map(value).collect();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let (revoked, failure, _) = outcome(&values, move |request| {
        if !is_revocation(request) {
            return Some(rejected());
        }
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Some((if number == 1 { 503 } else { 202 }, String::new()))
    });
    let failure = failure.unwrap();
    assert!(failure.to_string().contains("status 503"), "{failure}");
    let states = states(&revoked);
    // A server that fails may have done it before, so whoami is asked.
    assert!(states[..2_000].iter().all(|state| *state == "dead"));
    assert!(states[2_000..].iter().all(|state| *state == "not sent"));
    assert_eq!(sent(&revoked).len(), 1_000);
}

#[test]
fn what_the_endpoint_cannot_take_is_not_sent() {
    let long = Zeroizing::new(format!("hf_oauth_{}", "x".repeat(LONGEST)));
    let foreign = Zeroizing::new("sk-proj-FakeFakeFakeFakeFakeFakeFake".to_owned());
    let refresh = Zeroizing::new("hf_oauth__refresh_FakeFakeFakeFakeFakeFakeFakeFakeXX".to_owned());
    let (revoked, failure, requests) = outcome(&[long, foreign, refresh], |request| {
        is_revocation(request).then(|| (202, String::new()))
    });
    assert!(failure.is_none());
    assert_eq!(states(&revoked), ["not sent", "not sent", "unverified"]);
    assert!(
        revoked[0]
            .state
            .reason()
            .unwrap()
            .contains("200 characters")
    );
    assert!(
        revoked[2]
            .state
            .reason()
            .unwrap()
            .contains("access tokens alone")
    );
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].body.contains("sk-") && !requests[0].body.contains("xxx"));
    let (revoked, _, requests) = outcome(&[], |_| None);
    assert!(revoked.is_empty() && requests.is_empty());
}

#[test]
fn nothing_shows_a_value() {
    let (revoked, failure, _) = outcome(&[value(7)], |request| {
        let body = request.body.clone();
        Some((
            400,
            format!(r#"{{"error": "bad: {}"}}"#, body.replace('"', "'")),
        ))
    });
    let shown = format!("{revoked:?} {failure:?} {}", failure.as_ref().unwrap());
    assert!(!shown.contains(value(7).as_str()), "{shown}");
    assert_eq!(revoked[0].mask, "hf_…Fake");
}

/// A Hub that ends the connection of the second request without an answer, or answers it with a status.
fn with_second(
    answer: impl Fn() -> Option<(u16, String)> + Send + Sync + 'static,
) -> (Vec<&'static str>, Option<Error>) {
    let values: Vec<_> = (0..2_500).map(value).collect();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let (revoked, failure, _) = outcome(&values, move |request| {
        if !is_revocation(request) {
            return Some((429, String::new()));
        }
        match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            1 => answer(),
            _ => Some((202, String::new())),
        }
    });
    let states = states(&revoked);
    (
        [
            states[0],
            states[999],
            states[1_000],
            states[1_999],
            states[2_000],
        ]
        .to_vec(),
        failure,
    )
}

#[test]
fn what_may_have_arrived_counts_as_sent() {
    let (unverified, not_sent) = ("unverified", "not sent");
    let sent = [unverified, unverified, unverified, unverified, not_sent];
    let refused = [unverified, unverified, not_sent, not_sent, not_sent];
    let (states, failure) = with_second(|| None);
    assert_eq!(states, sent);
    assert!(failure.is_some());
    for (status, expected) in [
        (500, sent),
        (503, sent),
        (400, refused),
        (404, refused),
        (413, refused),
        (429, refused),
    ] {
        let (states, failure) = with_second(move || Some((status, String::new())));
        assert_eq!(states, expected, "{status}");
        assert!(failure.is_some(), "{status}");
    }
}

#[test]
fn an_interrupted_wait_leaves_what_is_known() {
    struct Flag(AtomicBool);
    impl Interrupt for Flag {
        fn is_set(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }
    let interrupt = Arc::new(Flag(AtomicBool::new(false)));
    let ended = Arc::new(AtomicBool::new(false));
    let (setting, ending) = (Arc::clone(&interrupt), Arc::clone(&ended));
    let hub = FakeHub::start(move |request| {
        if is_revocation(request) {
            return Some((202, String::new()));
        }
        let is_first = request
            .headers
            .iter()
            .any(|(_, each)| each.ends_with(value(0).as_str()));
        if !is_first {
            setting.0.store(true, Ordering::Relaxed);
            // There is no answer before the wait has ended.
            while !ending.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        }
        Some(rejected())
    });
    let values: Vec<_> = (0..4).map(value).collect();
    let client = Arc::<Client>::default();
    let revocation = Revocation {
        client: &client,
        endpoint: &hub.endpoint,
        settings: &Settings::default(),
        interrupt: &*interrupt,
    };
    let (mut revoked, failure) = revocation.send(&values);
    assert!(failure.is_none());
    let verified = revocation.verify(&values, &mut revoked, &fresh());
    ended.store(true, Ordering::Relaxed);
    assert!(matches!(verified, Err(Error::Interrupted)));
    assert_eq!(
        states(&revoked),
        ["dead", "unverified", "unverified", "unverified"]
    );
    assert!(revoked[3].state.reason().unwrap().contains("interrupted"));
}
