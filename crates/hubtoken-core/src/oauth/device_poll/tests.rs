#![allow(clippy::unwrap_used)]
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::fake_hub::FakeHub;
use super::*;
use crate::identity::Settings;
use crate::identity::client::Client;
use crate::interrupt::NeverInterrupted;

const ACCESS: &str = "hf_oauth_eyFakeFakeFakeFakeFake.eyFake.Fake";
const CODE: &str = "q7Zp2Lm9Xv4Rt8Wy";

/// Time that passes by waiting alone.
struct ByHand {
    now: Cell<Instant>,
    waits: RefCell<Vec<u64>>,
    interrupted_after: usize,
}

impl ByHand {
    fn new() -> Self {
        Self {
            now: Cell::new(Instant::now()),
            waits: RefCell::default(),
            interrupted_after: usize::MAX,
        }
    }
}

impl Pace for ByHand {
    fn now(&self) -> Instant {
        self.now.get()
    }

    fn wait(&self, time: Duration, _: &dyn Interrupt) -> bool {
        self.now.set(self.now.get() + time);
        self.waits.borrow_mut().push(time.as_secs());
        self.waits.borrow().len() >= self.interrupted_after
    }
}

fn authorization() -> DeviceAuthorization {
    let text = format!(
        r#"{{"device_code": "{CODE}", "user_code": "ABCD-EFGH", "interval": 5, "expires_in": 60,
           "verification_uri": "https://hub.example/oauth/device"}}"#
    );
    DeviceAuthorization::parse(text.as_bytes()).unwrap()
}

/// What becomes of a login whose Hub gives these answers, one after the other; the last one stays.
/// `None` closes the connection.
fn outcome(
    answers: &[Option<(u16, &str)>],
    pace: &ByHand,
) -> (Result<TokenResponse, Error>, usize, Vec<u64>) {
    let answers: Vec<Option<(u16, String)>> = answers
        .iter()
        .map(|answer| answer.map(|(status, body)| (status, body.to_owned())))
        .collect();
    let asked = AtomicUsize::new(0);
    let hub = FakeHub::start(move |request| {
        assert_eq!(request.line, "POST /oauth/token");
        assert_eq!(request.field("grant_type").as_deref(), Some(GRANT_TYPE));
        assert_eq!(request.field("device_code").as_deref(), Some(CODE));
        assert_eq!(request.field("client_id").as_deref(), Some("a-client"));
        let number = asked.fetch_add(1, Ordering::SeqCst);
        answers.get(number).or(answers.last()).cloned().flatten()
    });
    let endpoint = Client::default().token_endpoint(&hub.endpoint, &Settings::default());
    let mut left = Vec::new();
    let result = poll(
        &authorization(),
        &endpoint,
        "a-client",
        pace,
        &NeverInterrupted,
        &mut |time| {
            left.push(time.as_secs());
            Ok(())
        },
    );
    (result, hub.requests().len(), left)
}

const PENDING: Option<(u16, &str)> = Some((400, r#"{"error": "authorization_pending"}"#));
const SLOW: Option<(u16, &str)> = Some((400, r#"{"error": "slow_down"}"#));

fn issued() -> String {
    format!(r#"{{"access_token": "{ACCESS}", "token_type": "bearer", "expires_in": 2592000}}"#)
}

#[test]
fn a_login_waits_for_its_approval() {
    let pace = ByHand::new();
    let issued = issued();
    let (result, asked, left) = outcome(&[PENDING, PENDING, Some((200, &issued))], &pace);
    assert_eq!(result.unwrap().access_token.expose(), ACCESS);
    assert_eq!((asked, left), (3, vec![60, 55]));
    assert_eq!(*pace.waits.borrow(), [5, 5]);
    // The first request is sent at once.
    let pace = ByHand::new();
    let (result, asked, _) = outcome(&[Some((200, &issued))], &pace);
    assert!(result.is_ok() && asked == 1 && pace.waits.borrow().is_empty());
}

#[test]
fn slow_down_lengthens_the_interval_for_good() {
    let pace = ByHand::new();
    let issued = issued();
    let answers = [SLOW, PENDING, SLOW, PENDING, Some((200, &*issued))];
    assert!(outcome(&answers, &pace).0.is_ok());
    assert_eq!(*pace.waits.borrow(), [10, 10, 15, 15]);
}

#[test]
fn the_words_of_the_hub_end_it() {
    for (code, said) in [
        (
            "access_denied",
            "the login was denied in the browser. Start",
        ),
        (
            "expired_token",
            "the code expired before the login was approved. Start",
        ),
        (
            "invalid_client",
            "the login by browser was refused: `invalid_client`",
        ),
    ] {
        let body = format!(r#"{{"error": "{code}"}}"#);
        let (result, asked, _) = outcome(&[PENDING, Some((400, &body))], &ByHand::new());
        let error = result.unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert!(error.to_string().contains("log in with a token"), "{error}");
        let Error::Login { code: found, .. } = error else {
            unreachable!("{error}");
        };
        assert_eq!((found.as_deref(), asked), (Some(code), 2));
    }
}

#[test]
fn what_says_nothing_ends_nothing_until_the_code_expires() {
    let issued = issued();
    let answers = [
        None,
        Some((502, "<html>")),
        Some((500, r#"{"error": "access_denied"}"#)),
        Some((429, r#"{"error": "We had to rate limit you"}"#)),
        Some((200, "{}")),
        Some((404, "Not Found")),
        Some((200, &*issued)),
    ];
    let (result, asked, _) = outcome(&answers, &ByHand::new());
    assert!(result.is_ok());
    assert_eq!(asked, 7);
    let pace = ByHand::new();
    let (result, asked, _) = outcome(&[None], &pace);
    let error = result.unwrap_err();
    assert!(error.to_string().starts_with("the code expired"), "{error}");
    assert_eq!(pace.waits.borrow().iter().sum::<u64>(), 60);
    assert_eq!(asked, 12);
}

#[test]
fn nothing_shows_the_device_code() {
    let body = format!(r#"{{"error": "odd", "error_description": "no code {CODE} here"}}"#);
    let (result, _, _) = outcome(&[Some((400, &body))], &ByHand::new());
    let error = result.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CODE), "{error}");
    assert!(!format!("{:?}", authorization()).contains(CODE));
}

#[test]
fn an_interruption_ends_the_wait() {
    let pace = ByHand {
        interrupted_after: 2,
        ..ByHand::new()
    };
    let (result, asked, _) = outcome(&[PENDING], &pace);
    assert!(matches!(result.unwrap_err(), Error::Interrupted));
    assert_eq!(asked, 2);
}

#[test]
fn who_watches_may_end_the_wait() {
    let hub = FakeHub::start(|_| Some((400, r#"{"error": "authorization_pending"}"#.to_owned())));
    let endpoint = Client::default().token_endpoint(&hub.endpoint, &Settings::default());
    let result = poll(
        &authorization(),
        &endpoint,
        "a-client",
        &ByHand::new(),
        &NeverInterrupted,
        &mut |_| Err(Error::unknown("the page is gone")),
    );
    assert_eq!(result.unwrap_err().to_string(), "the page is gone");
}
