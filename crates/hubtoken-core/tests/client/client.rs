//! The Hub client against servers that send bad responses, or none.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use hubtoken_core::credential::Credential;
use hubtoken_core::endpoint::Endpoint;
use hubtoken_core::env::StaticEnvironment;
use hubtoken_core::error::{Error, UnknownKind};
use hubtoken_core::expiry::Expiry;
use hubtoken_core::http;
use hubtoken_core::identity::cache::shared::LeaseTiming;
use hubtoken_core::identity::client::{Client, IdentityAnswer};
use hubtoken_core::identity::failure::Failure;
use hubtoken_core::identity::{Options, REJECTION_LIFETIME, Settings};
use hubtoken_core::interrupt::NeverInterrupted;
use hubtoken_core::source::Source;
use hubtoken_core::token::Token;

use crate::support::fake_hub::{FakeHub, answer};
use crate::support::time::{HANG_LIMIT, HandClock};

pub const TOKEN: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
pub const ALICE: &str =
    r#"{"name":"alice","auth":{"type":"access_token","accessToken":{"role":"write"}}}"#;

pub fn credential(endpoint: &str) -> Arc<Credential> {
    Arc::new(Credential {
        token: Token::parse(TOKEN).expect("a token").expect("not blank"),
        source: Source::Environment("HF_TOKEN".to_owned()),
        endpoint: Endpoint::parse(endpoint).expect("an endpoint"),
        expires_at: Expiry::default(),
        renewal: None,
    })
}

fn usual() -> Options {
    Options {
        timeout: HANG_LIMIT,
        ..Options::default()
    }
}

fn ask(client: &Arc<Client>, endpoint: &str, options: &Options) -> Result<IdentityAnswer, Failure> {
    let credential = credential(endpoint);
    let connection = client.connect(&credential.endpoint, &Settings::default());
    client.identify(&credential, &connection, options, &NeverInterrupted)
}

/// The error that a caller sees for a response.
fn error(answer: String) -> Error {
    let server = FakeHub::start(answer);
    match ask(&Arc::default(), server.endpoint(), &usual()) {
        Ok(_) => unreachable!("there is no identity in this answer"),
        Err(failure) => failure.into_error(&credential(server.endpoint())),
    }
}

#[test]
fn no_bad_answer_says_anything_about_the_token() {
    for bad in [
        answer(
            200,
            "Content-Type: text/html\r\n",
            "<html>sign in to the hotel</html>",
        ),
        answer(200, "", "{\"name\": \"ali"),
        answer(200, "", "{}"),
        answer(403, "", "{\"error\":\"no\"}"),
        answer(404, "", "not found"),
        answer(500, "", ""),
        answer(302, "Location: /api/whoami-v2\r\n", ""),
        answer(302, "", ""),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"name\"".to_owned(),
        "not http at all\r\n\r\n".to_owned(),
        String::new(),
    ] {
        let error = error(bad.clone());
        assert!(matches!(error, Error::Unknown { .. }), "{bad}: {error}");
        let message = error.to_string();
        assert!(
            message.contains("hf_…keXX from the environment variable HF_TOKEN"),
            "{message}"
        );
        assert!(
            message.contains("may still be valid") && !message.contains(TOKEN),
            "{message}"
        );
    }
}

#[test]
fn a_rate_limit_tells_how_long_to_wait() {
    for (headers, expected) in [
        ("RateLimit: \"api\";r=0;t=42\r\n", Some(42)),
        ("Retry-After: 7\r\n", Some(7)),
        ("", None),
    ] {
        let Error::Unknown {
            kind: UnknownKind::RateLimited { retry_after },
            ..
        } = error(answer(429, headers, ""))
        else {
            unreachable!("a 429 is a rate limit");
        };
        assert_eq!(retry_after, expected);
    }
}

#[test]
fn a_401_is_about_the_token_and_is_believed_for_a_while() {
    let server = FakeHub::start(answer(401, "", "{\"error\":\"Invalid credentials\"}"));
    let time = HandClock::default();
    let client = Arc::new(Client::with_clock(LeaseTiming::default(), time.clock()));
    for _ in 0..3 {
        let failure = ask(&client, server.endpoint(), &usual()).err();
        assert!(matches!(failure, Some(Failure::Rejected(_))));
    }
    assert_eq!(server.requests(), 1);
    time.pass(REJECTION_LIFETIME + Duration::from_millis(1));
    let failure = ask(&client, server.endpoint(), &usual()).err();
    assert!(matches!(failure, Some(Failure::Rejected(_))));
    assert_eq!(server.requests(), 2);
    server.set_answer(answer(200, "", ALICE));
    time.pass(Duration::from_millis(1));
    let again = Options {
        max_age: Some(Duration::ZERO),
        ..usual()
    };
    assert!(ask(&client, server.endpoint(), &again).is_ok());
}

#[test]
fn a_token_does_not_follow_a_redirect_to_another_server() {
    let thief = FakeHub::start(answer(200, "", ALICE));
    let server = FakeHub::start(answer(
        302,
        &format!("Location: {}/api/whoami-v2\r\n", thief.endpoint()),
        "",
    ));
    let failure = ask(&Arc::default(), server.endpoint(), &usual()).err();
    assert!(matches!(failure, Some(Failure::UnexpectedResponse(_))));
    assert_eq!(thief.requests(), 0);
    assert_eq!(server.authorizations(), [format!("Bearer {TOKEN}")]);
}

#[test]
fn many_callers_make_one_request() {
    const CALLERS: usize = 64;
    let server = FakeHub::start(answer(200, "", ALICE));
    let client: Arc<Client> = Arc::default();
    let barrier = Barrier::new(CALLERS);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                barrier.wait();
                let known = ask(&client, server.endpoint(), &usual()).ok();
                assert_eq!(
                    known.map(|known| known.identity.user.clone()).as_deref(),
                    Some("alice")
                );
            });
        }
    });
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_stale_identity_stands_in_while_the_hub_is_away() {
    let server = FakeHub::start(answer(200, "", ALICE));
    let client = Arc::default();
    assert!(ask(&client, server.endpoint(), &usual()).is_ok());
    server.set_answer(answer(503, "", ""));
    let again = |max_stale| Options {
        max_age: Some(Duration::ZERO),
        max_stale,
        ..usual()
    };
    let known = ask(&client, server.endpoint(), &again(Duration::from_hours(1)));
    assert!(known.is_ok_and(|known| known.stale.is_some()));
    assert!(ask(&client, server.endpoint(), &again(Duration::ZERO)).is_err());
    // A rejection is an answer, so no stale identity replaces it.
    server.set_answer(answer(401, "", ""));
    let failure = ask(&client, server.endpoint(), &again(Duration::from_hours(1))).err();
    assert!(matches!(failure, Some(Failure::Rejected(_))));
}

#[test]
fn nobody_is_asked_offline_nor_through_a_proxy_for_this_machine() {
    let server = FakeHub::start(answer(200, "", ALICE));
    let proxy = FakeHub::start(answer(200, "", ALICE));
    let client: Arc<Client> = Arc::default();
    let credential = credential(server.endpoint());
    let offline = Settings::read(&StaticEnvironment::from([
        ("HF_HUB_OFFLINE", "1"),
        ("HUBTOKEN_DISABLE_CACHE", "1"),
    ]));
    let connection = client.connect(&credential.endpoint, &offline);
    let failure = client
        .identify(&credential, &connection, &usual(), &NeverInterrupted)
        .err();
    assert!(matches!(failure, Some(Failure::Offline)));
    assert_eq!(server.requests(), 0);
    let proxied = Settings::read(&StaticEnvironment::from([
        ("HTTPS_PROXY", proxy.endpoint()),
        ("ALL_PROXY", proxy.endpoint()),
        ("HUBTOKEN_DISABLE_CACHE", "1"),
    ]));
    let connection = client.connect(&credential.endpoint, &proxied);
    assert!(
        client
            .identify(&credential, &connection, &usual(), &NeverInterrupted)
            .is_ok()
    );
    assert_eq!((server.requests(), proxy.requests()), (1, 0));
}

/// How much of the time was spent before the request depends on the machine, so errors do not tell.
#[test]
fn a_time_out_names_the_whole_time_that_was_allowed() {
    let server = FakeHub::start(answer(200, "", ALICE));
    let gate = server.close_gate();
    let endpoint = Endpoint::parse(server.endpoint()).expect("an endpoint");
    let client = http::Transport::default()
        .client(&endpoint, &http::Settings::default())
        .expect("a client");
    let limit = http::TimeLimit {
        left: Duration::from_millis(1),
        whole: Duration::from_secs(10),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let failure = runtime
        .block_on(http::get(&client, &endpoint, "/", None, limit))
        .expect_err("no answer");
    assert_eq!(
        failure,
        http::TransportError::TimedOut {
            after: Duration::from_secs(10),
            text: "no answer within 10 seconds".to_owned(),
        }
    );
    drop(gate);
}
