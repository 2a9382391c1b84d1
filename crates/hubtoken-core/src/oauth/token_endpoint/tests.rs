#![allow(clippy::unwrap_used)]
use std::sync::mpsc::channel;

use super::*;
use crate::env::StaticEnvironment;
use crate::interrupt::NeverInterrupted;
use crate::oauth::fake_hub::FakeHub;

const ISSUED: &str = r#"{"access_token": "hf_oauth_eyFakeFakeFakeFakeFake.eyFake.Fake"}"#;
const FIELDS: [(&str, &str); 2] = [
    ("grant_type", "refresh_token"),
    ("refresh_token", "hf_oauth__refresh_Fake&Fake=Fake\"Fake"),
];

fn endpoint(hub: &FakeHub, environment: &StaticEnvironment) -> TokenEndpoint {
    TokenEndpoint::new(
        Arc::default(),
        Arc::default(),
        hub.endpoint.clone(),
        Settings::read(environment),
    )
}

#[test]
fn fields_arrive_in_both_encodings() {
    let hub = FakeHub::start(|_| Some((200, ISSUED.to_owned())));
    let endpoint = endpoint(&hub, &StaticEnvironment::default());
    for (encoding, content_type) in [
        (Encoding::Form, "application/x-www-form-urlencoded"),
        (Encoding::Json, "application/json"),
    ] {
        let response = endpoint
            .request(encoding, &FIELDS, &NeverInterrupted)
            .unwrap();
        assert!(response.access_token.expose().starts_with("hf_oauth_ey"));
        let request = hub.requests().pop().unwrap();
        assert_eq!(request.line, "POST /oauth/token");
        let has = |name: &str, value: &str| {
            let headers = &request.headers;
            headers
                .iter()
                .any(|header| *header == (name.to_owned(), value.to_owned()))
        };
        assert!(has("content-type", content_type) && has("accept", "application/json"));
        assert!(
            request
                .headers
                .iter()
                .all(|(name, _)| name != "authorization")
        );
        let value = match encoding {
            Encoding::Form => request.field("refresh_token"),
            Encoding::Json => {
                let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
                body["refresh_token"].as_str().map(str::to_owned)
            }
        };
        assert_eq!(value.as_deref(), Some(FIELDS[1].1));
    }
}

#[test]
fn a_refusal_is_told_from_a_hub_that_does_not_answer() {
    for (answer, code) in [
        (
            Some((400, r#"{"error": "invalid_grant"}"#)),
            Some("invalid_grant"),
        ),
        (Some((500, ISSUED)), None),
        (Some((302, "")), None),
        (Some((200, "<html>")), None),
        (Some((200, r#"{"access_token": "***"}"#)), None),
        (None, None),
    ] {
        let hub = FakeHub::start(move |_| answer.map(|(status, body)| (status, body.to_owned())));
        let failure = endpoint(&hub, &StaticEnvironment::default())
            .request(Encoding::Form, &FIELDS, &NeverInterrupted)
            .unwrap_err();
        assert_eq!(failure.code(), code, "{answer:?}");
        let error = failure.into_error("the renewal", "Log in again");
        assert_eq!(
            matches!(error, Error::Login { .. }),
            code.is_some(),
            "{error}"
        );
        assert!(!error.to_string().contains("Fake"), "{error}");
    }
}

#[test]
fn offline_nothing_is_sent() {
    let hub = FakeHub::start(|_| Some((200, ISSUED.to_owned())));
    let offline = StaticEnvironment::from([("HF_HUB_OFFLINE", "1")]);
    let failure = endpoint(&hub, &offline).request(Encoding::Form, &FIELDS, &NeverInterrupted);
    assert!(matches!(
        failure,
        Err(TokenFailure::Inconclusive(Error::Unknown {
            kind: UnknownKind::Offline,
            ..
        }))
    ));
    assert!(hub.requests().is_empty());
}

struct Always;

impl Interrupt for Always {
    fn is_set(&self) -> bool {
        true
    }
}

#[test]
fn an_interrupted_caller_does_not_wait() {
    let (open, gate) = channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let hub = FakeHub::start(move |_| {
        let _ = gate.lock().unwrap().recv();
        None
    });
    let failure =
        endpoint(&hub, &StaticEnvironment::default()).request(Encoding::Form, &FIELDS, &Always);
    assert!(matches!(
        failure,
        Err(TokenFailure::Inconclusive(Error::Interrupted))
    ));
    drop(open);
}
