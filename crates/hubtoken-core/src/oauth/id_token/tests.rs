#![allow(clippy::unwrap_used)]
use super::*;
use crate::env::StaticEnvironment;
use crate::http::Settings;
use crate::interrupt::NeverInterrupted;
use crate::oauth::fake_hub::FakeHub;
use std::sync::Arc;

const ID_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJGYWtlRmFrZSJ9.RmFrZUZha2VGYWtl";
const REQUEST_TOKEN: &str = "eyRequestRequestRequest.eyRequest.Request";

fn hub(endpoint: Endpoint) -> TokenEndpoint {
    let settings = Settings::read(&StaticEnvironment::default());
    TokenEndpoint::new(Arc::default(), Arc::default(), endpoint, settings)
}

/// The environment of a job of GitHub Actions.
fn github(url: &str) -> StaticEnvironment {
    StaticEnvironment::from([
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN),
    ])
}

fn error(environment: &StaticEnvironment) -> Error {
    let error = IdTokenSource::read(environment).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        !text.contains("Fake") && !text.contains("Request"),
        "{text}"
    );
    error
}

#[test]
fn a_given_id_token_goes_first() {
    let mut environment = github("https://github.example/token?x=1");
    environment.set("HF_OIDC_ID_TOKEN", format!("  {ID_TOKEN}\r\n"));
    let source = IdTokenSource::read(&environment).unwrap();
    assert!(matches!(source, IdTokenSource::Given(_)) && !source.is_repeatable());
    assert!(!format!("{source:?}").contains("eyJ"));
    let own = Endpoint::parse("http://127.0.0.1:1").unwrap();
    let id_token = source.fetch(&hub(own), &NeverInterrupted).unwrap();
    assert_eq!(id_token.expose(), ID_TOKEN);
    assert_eq!(id_token.claims().unwrap().get("sub"), Some("FakeFake"));
    // A blank one counts as not set.
    environment.set("HF_OIDC_ID_TOKEN", " ");
    let source = IdTokenSource::read(&environment).unwrap();
    assert!(matches!(source, IdTokenSource::GitHub(_)) && source.is_repeatable());
    let shown = format!("{source:?}");
    assert!(
        !shown.contains("eyRequest") && !shown.contains("/token"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_an_id_token_is_not_sent() {
    let long = format!("{}.{ID_TOKEN}", "x".repeat(MAXIMUM_LENGTH));
    for (value, expected) in [
        ("$CI_JOB_JWT_V2", "1 part"),
        ("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX", "1 part"),
        ("a.b", "3 parts"),
        ("a.b.c.d.e", "encrypted"),
        ("Fake..Fake", "empty"),
        ("Fake.Fake.", "empty"),
        ("eyFake.ey\u{0}Fake.Fake", "characters"),
        ("eyFake.ey\u{1b}[31m.Fake", "characters"),
        ("eyFake.ey Fake.Fake", "characters"),
        ("eyFake.ey\nFake.Fake", "characters"),
        ("eyFäke.eyFake.Fake", "characters"),
        (&long, "16 KiB"),
    ] {
        let environment = StaticEnvironment::from([("HF_OIDC_ID_TOKEN", value)]);
        let error = error(&environment);
        assert!(matches!(error, Error::TokenFormat(_)));
        let message = error.to_string();
        assert!(
            message.contains("HF_OIDC_ID_TOKEN") && message.contains(expected),
            "{message}"
        );
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let mut environment = StaticEnvironment::default();
        environment.set("HF_OIDC_ID_TOKEN", std::ffi::OsStr::from_bytes(b"Fake\xff"));
        assert!(error(&environment).to_string().contains("not text"));
    }
}

#[test]
fn a_missing_id_token_says_what_the_job_needs() {
    for (variables, expected) in [
        (&[][..], "not a job of GitHub Actions"),
        (
            &[("GITHUB_ACTIONS", "false")],
            "not a job of GitHub Actions",
        ),
        (&[("GITHUB_ACTIONS", "True")], "not a job of GitHub Actions"),
        (&[("GITHUB_ACTIONS", "true")], "id-token: write"),
        (
            &[
                ("GITHUB_ACTIONS", "true"),
                (
                    "ACTIONS_ID_TOKEN_REQUEST_URL",
                    "https://github.example/?a=1",
                ),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", " "),
            ],
            "id-token: write",
        ),
        (&[("GITLAB_CI", "true")], "id_tokens:"),
        (&[("CIRCLECI", "true")], "circleci run oidc get"),
        (
            &[("BITBUCKET_BUILD_NUMBER", "7")],
            "BITBUCKET_STEP_OIDC_TOKEN",
        ),
    ] {
        let mut environment = StaticEnvironment::default();
        for (name, value) in variables {
            environment.set(name, *value);
        }
        let error = IdTokenSource::read(&environment).unwrap_err();
        assert!(matches!(error, Error::Configuration(_)), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("HF_OIDC_RESOURCE") && message.contains(expected),
            "{message}"
        );
        assert!(message.contains("docs/ci.md"), "{message}");
    }
}

#[test]
fn the_audience_is_added_to_a_query_that_stays_as_it_is() {
    let audience = Endpoint::parse("https://hub.example:8443").unwrap();
    for (url, expected) in [
        (
            "https://github.example/token?api-version=2.0",
            "/token?api-version=2.0&audience=https%3A%2F%2Fhub.example%3A8443",
        ),
        (
            "https://github.example:444/a%2Fb/token?x=%20y&x=z+w#fragment",
            "/a%2Fb/token?x=%20y&x=z+w&audience=https%3A%2F%2Fhub.example%3A8443",
        ),
        (
            "https://github.example/token",
            "/token?audience=https%3A%2F%2Fhub.example%3A8443",
        ),
        (
            "https://github.example",
            "/?audience=https%3A%2F%2Fhub.example%3A8443",
        ),
        (
            "https://github.example/token?",
            "/token?audience=https%3A%2F%2Fhub.example%3A8443",
        ),
    ] {
        let request = GitHubRequest::parse(url, REQUEST_TOKEN).unwrap();
        assert_eq!(request.path(&audience), expected);
    }
}

#[test]
fn the_secret_goes_to_no_address_that_others_can_read() {
    for url in [
        "http://github.example/token?a=1",
        "http://10.0.0.1/token",
        "ftp://github.example/Request",
        "github.example/Request",
        "https://user:Request@github.example/",
        "https://github.example\\@evil.example/Request",
        "https://github.example:0/Request",
        "https://github.example/Request\u{7f}",
        "https:///Request",
    ] {
        let error = error(&github(url));
        assert!(
            matches!(error, Error::UntrustedEndpoint(_)),
            "{url}: {error}"
        );
        assert!(!error.to_string().contains("github.example"), "{error}");
    }
    for url in ["http://127.0.0.1:8080/token", "http://localhost/token?a=1"] {
        assert!(IdTokenSource::read(&github(url)).is_ok());
    }
    let mut environment = github("https://github.example/");
    for token in [
        "ey\nFake".to_owned(),
        "Fake\u{7f}".to_owned(),
        "x".repeat(100_000),
    ] {
        environment.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
        assert!(matches!(error(&environment), Error::TokenFormat(_)));
    }
}

/// What a job of GitHub Actions gets, if its server answers like this.
fn fetched(answer: Option<(u16, &str)>) -> (Result<IdToken, Error>, FakeHub) {
    let owned = answer.map(|(status, body)| (status, body.to_owned()));
    let server = FakeHub::start(move |_| owned.clone());
    let url = format!("{}/issue/7?api-version=2.0", server.endpoint);
    let source = IdTokenSource::read(&github(&url)).unwrap();
    let own = Endpoint::parse("https://hub.example").unwrap();
    let outcome = source.fetch(&hub(own), &NeverInterrupted);
    if let Err(error) = &outcome {
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("eyRequest") && !text.contains("/issue"),
            "{text}"
        );
        assert!(!text.contains("RmFrZUZha2VGYWtl"), "{text}");
    }
    (outcome, server)
}

#[test]
fn github_issues_an_id_token_for_the_hub() {
    let (outcome, server) = fetched(Some((
        200,
        &format!(r#"{{"count": 1, "value": "{ID_TOKEN}"}}"#),
    )));
    assert_eq!(outcome.unwrap().expose(), ID_TOKEN);
    let request = server.requests().pop().unwrap();
    assert_eq!(
        request.line,
        "GET /issue/7?api-version=2.0&audience=https%3A%2F%2Fhub.example"
    );
    let bearer = (
        "authorization".to_owned(),
        format!("Bearer {REQUEST_TOKEN}"),
    );
    assert!(request.headers.contains(&bearer));
}

#[test]
fn github_that_refuses_fails_or_rambles_is_told_apart() {
    let repeated = format!(r#"{{"message": "no {REQUEST_TOKEN}"}}"#);
    for status in [400, 401, 403, 404] {
        let error = fetched(Some((status, &repeated))).0.unwrap_err();
        assert!(matches!(error, Error::Login { code: None, .. }), "{error}");
        assert!(error.to_string().contains("run the job again"), "{error}");
    }
    for (answer, expected) in [
        (
            Some((429, "{}")),
            UnknownKind::RateLimited { retry_after: None },
        ),
        (Some((500, repeated.as_str())), UnknownKind::Unreachable),
        (Some((503, "<html>")), UnknownKind::Unreachable),
        (None, UnknownKind::Unreachable),
        (Some((302, "")), UnknownKind::Other),
        (Some((204, "")), UnknownKind::Other),
        (Some((200, "<html>")), UnknownKind::Other),
        (Some((200, "{}")), UnknownKind::Other),
        (Some((200, r#"{"value": 7}"#)), UnknownKind::Other),
        (Some((200, r#"{"value": "not a JWT"}"#)), UnknownKind::Other),
        (
            Some((200, &format!(r#"{{"value": "{}"}}"#, "x".repeat(100_000)))),
            UnknownKind::Other,
        ),
    ] {
        let error = fetched(answer).0.unwrap_err();
        let Error::Unknown { kind, .. } = &error else {
            unreachable!("{error}");
        };
        assert_eq!(*kind, expected, "{error}");
        assert!(error.to_string().contains("id token"), "{error}");
    }
}
