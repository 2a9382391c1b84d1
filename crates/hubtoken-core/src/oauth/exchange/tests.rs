#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::env::StaticEnvironment;
use crate::error::UnknownKind;
use crate::http::Settings;
use crate::oauth::fake_hub::FakeHub;

const ISSUED: &str = r#"{"access_token": "hf_jwt_eyFakeFakeFakeFakeFake.eyFake.Fake",
    "token_type": "bearer", "expires_in": 3600}"#;
/// The signature of every id token here, which nothing may show.
const SIGNATURE: &str = "U2lnbmF0dXJlU2lnbmF0dXJl";

fn id_token(claims: &str) -> String {
    format!(
        "eyJhbGciOiJSUzI1NiJ9.{}.{SIGNATURE}",
        URL_SAFE_NO_PAD.encode(claims)
    )
}

fn exchange(hub: &FakeHub, claims: &str) -> Exchange {
    let value = id_token(claims);
    let environment = StaticEnvironment::from([("HF_OIDC_ID_TOKEN", value.as_str())]);
    Exchange {
        resource: Resource::parse("datasets/acme/data").unwrap(),
        id_tokens: IdTokenSource::read(&environment).unwrap(),
        endpoint: hub.endpoint.clone(),
    }
}

fn exchanged(hub: &FakeHub, claims: &str) -> Result<TokenResponse, Error> {
    let settings = Settings::read(&StaticEnvironment::default());
    // The exchanger of another Hub is used for this one.
    let exchanger = TokenEndpoint::new(
        Arc::default(),
        Arc::default(),
        Endpoint::default_hub(),
        settings,
    );
    let outcome = exchanger.exchange(&exchange(hub, claims));
    if let Err(error) = &outcome {
        let text = format!("{error} {error:?}");
        assert!(!text.contains(&SIGNATURE[..8]), "{text}");
        assert!(
            !text.contains(&URL_SAFE_NO_PAD.encode(claims)[..8]),
            "{text}"
        );
        assert!(text.contains(hub.endpoint.as_str()), "{text}");
    }
    outcome
}

#[test]
fn the_request_is_that_of_huggingface_hub() {
    let hub = FakeHub::start(|_| Some((200, ISSUED.to_owned())));
    let response = exchanged(&hub, r#"{"sub": "x"}"#).unwrap();
    assert!(response.access_token.expose().starts_with("hf_jwt_ey"));
    assert_eq!(response.expires_in, Some(3600));
    let request = hub.requests().pop().unwrap();
    assert_eq!(request.line, "POST /oauth/token");
    assert!(
        request
            .headers
            .iter()
            .all(|(name, _)| name != "authorization")
    );
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    let expected = serde_json::json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "subject_token": id_token(r#"{"sub": "x"}"#),
        "resource": "datasets/acme/data",
    });
    assert_eq!(body, expected);
}

#[test]
fn a_refusal_has_the_hubs_words_and_what_can_be_seen_here() {
    let body = r#"{"error": "invalid_grant", "error_description": "No publisher matches."}"#;
    let hub = FakeHub::start(move |_| Some((400, body.to_owned())));
    let endpoint = &hub.endpoint;
    for (claims, expected) in [
        (
            format!(r#"{{"aud": "{endpoint}", "exp": 4000000000}}"#),
            format!("({endpoint}/datasets/acme/data/settings); `hubtoken oidc`"),
        ),
        (
            r#"{"aud": "https://other.example"}"#.to_owned(),
            format!("(aud) is https://other.example, and must be {endpoint}"),
        ),
        (
            r#"{"sub": "x"}"#.to_owned(),
            format!("is missing, and must be {endpoint}"),
        ),
        (
            format!(r#"{{"aud": "{endpoint}", "exp": 1000}}"#),
            "The id token has expired: set HF_OIDC_ID_TOKEN".to_owned(),
        ),
        (
            "not JSON".to_owned(),
            "`hubtoken oidc` shows the claims".to_owned(),
        ),
    ] {
        let error = exchanged(&hub, &claims).unwrap_err();
        let Error::Login { code, .. } = &error else {
            unreachable!("{error}");
        };
        assert_eq!(code.as_deref(), Some("invalid_grant"));
        let message = error.to_string();
        assert!(
            message.contains("`invalid_grant`, No publisher matches."),
            "{message}"
        );
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn an_answer_may_repeat_the_id_token_and_the_error_does_not() {
    let hub = FakeHub::start(|request| {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let repeated = &body["subject_token"];
        Some((
            400,
            serde_json::json!({"error": repeated, "error_description": repeated}).to_string(),
        ))
    });
    let error = exchanged(&hub, r#"{"sub": "FakeFakeFakeFake"}"#).unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{error}");
}

#[test]
fn no_answer_and_junk_say_nothing_about_the_job() {
    let huge = "x".repeat(5 * 1024 * 1024);
    for (answer, kind) in [
        (
            Some((500, r#"{"error": "invalid_grant"}"#)),
            UnknownKind::Unreachable,
        ),
        (Some((502, "<html>")), UnknownKind::Unreachable),
        (None, UnknownKind::Unreachable),
        (
            Some((429, "{}")),
            UnknownKind::RateLimited { retry_after: None },
        ),
        (Some((404, "Not Found")), UnknownKind::Other),
        (Some((200, "{}")), UnknownKind::Other),
        (
            Some((200, r#"{"access_token": ["x"]}"#)),
            UnknownKind::Other,
        ),
        (Some((200, "\u{0}\u{1b}")), UnknownKind::Other),
        (Some((307, "")), UnknownKind::Other),
        (Some((200, huge.as_str())), UnknownKind::Other),
    ] {
        let owned = answer.map(|(status, body): (u16, &str)| (status, body.to_owned()));
        let hub = FakeHub::start(move |_| owned.clone());
        let error = exchanged(&hub, r#"{"sub": "xxxxxxxx"}"#).unwrap_err();
        let Error::Unknown { kind: found, .. } = &error else {
            unreachable!("{error}");
        };
        assert_eq!(*found, kind, "{error}");
    }
}
